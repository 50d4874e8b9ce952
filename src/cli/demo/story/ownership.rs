//! Chapter 3: one joins, one leaves, and what an administrator decided stays.

use entitled_model::event::{Cause, Event};
use entitled_model::{Position, SourceName};

use super::super::cast::{COUNCIL, joins, leaves};
use super::super::stage::{DIRECTORY, Stage};
use super::super::voice::Voice;
use super::super::watch::{StoryError, check};
use super::council_curl;

/// The source of what people decide by hand.
const BY_HAND: &str = "admin";

pub async fn play(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    let [carol, dave, vera] = [&stage.cast.carol, &stage.cast.dave, &stage.cast.vera].map(|person| &person.email);
    voice.title("3. One joins, one leaves, and one is none of the directory's business")?;
    voice.tell(&format!(
        "An administrator has put Vera into {COUNCIL} by hand. The directory does not know that. There, Dave joins and \
         Carol leaves. You could do it with:"
    ))?;
    voice.show(council_curl(stage, &stage.cast.dave))?;
    let (position, _) = stage.store.head(stage.store.reader()).await?;
    add_by_hand(stage, vera).await?;
    let before = stage.members(COUNCIL).await?;
    let by = |who: &str, source: &str| (who.to_owned(), source.to_owned());
    check(before.contains(&by(carol, DIRECTORY)) && before.contains(&by(vera, BY_HAND)), "Carol and Vera", &before)?;

    stage.upstream().apply(&joins(COUNCIL, dave))?;
    stage.upstream().apply(&leaves(COUNCIL, carol))?;
    let changed = async || stage.members(COUNCIL).await;
    let after = stage.until("the council with Dave and without Carol", changed, |members| {
        members.contains(&by(dave, DIRECTORY)) && !members.iter().any(|(who, _)| who == carol)
    });
    let after = after.await?;
    check(after.contains(&by(vera, BY_HAND)), "Vera, still there by an administrator", &after)?;

    voice.tell("The next poll saw it. The event log says what was changed, and by whom:")?;
    voice.show(changes_of_groups(stage, position).await?)?;
    voice.proven(
        "Dave is in, Carol is out, and Vera stays. A source changes only rows of its own: a sync never touches what an \
         administrator or another source has said.",
    )
}

/// Writes the row that an administrator's command writes.
async fn add_by_hand(stage: &Stage, address: &str) -> Result<(), StoryError> {
    let store = &stage.store;
    let group = store.group_by_any_name(COUNCIL).await?;
    let user = store.user_by_any_name(store.reader(), address).await?;
    let (Some(group), Some(user)) = (group, user) else { return check(false, "the council and Vera", &address) };
    let mut unit = store.begin().await?;
    let (at, source) = (unit.at(), SourceName::stored(BY_HAND.to_owned()));
    let cause = Cause { actor: "operator".to_owned(), source: Some(source.clone()), ..Cause::default() };
    let joined = Event::memberships_changed(group, &source, vec![user.id], Vec::new());
    unit.record(&cause, at, vec![joined]).await?;
    unit.commit().await?;
    Ok(())
}

/// The events about memberships after a position, a line each.
async fn changes_of_groups(stage: &Stage, position: Position) -> Result<Vec<String>, StoryError> {
    let events = stage.store.events_after(position).await?;
    let line = |event: &crate::store::StoredEvent| match &event.recorded.event {
        Event::MembershipChanged(changed) => {
            let (added, removed) = (changed.added.len(), changed.removed.len());
            let (at, actor) = (event.recorded.position, &event.recorded.cause.actor);
            Some(format!("position {at}  membership.changed  +{added} -{removed}  {actor}"))
        }
        _ => None,
    };
    Ok(events.iter().filter_map(line).collect())
}
