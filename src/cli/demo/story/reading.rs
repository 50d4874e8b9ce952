//! Chapter 1: the first read.

use super::super::cast::INTRANET;
use super::super::stage::{BACKEND, DIRECTORY, Stage};
use super::super::voice::Voice;
use super::super::watch::{StoryError, check};
use super::counted;

/// Groups shown; the others are counted.
const GROUPS_SHOWN: usize = 5;

pub async fn play(stage: &Stage, voice: &Voice) -> Result<(), StoryError> {
    voice.title("1. The first read")?;
    voice.tell(&format!(
        "The store begins empty. At its start the daemon reads {DIRECTORY} as a whole: the list of groups, page by page, \
         and the members of each. Only when every list was read to its end does it compare them with the store, and \
         writes the difference in one transaction, together with the events that explain it."
    ))?;
    stage.until_run(DIRECTORY, "a first read of the directory", |run| run.is_well()).await?;

    let groups = stage.store.groups().await?;
    let users = stage.store.users(stage.store.reader(), true).await?.len();
    let memberships = stage.memberships(DIRECTORY).await?;
    let upstream = stage.upstream().state();
    check(users == upstream.users, &format!("{} users, as in the directory", upstream.users), &users)?;
    let staff = groups.iter().find(|group| group.name == INTRANET).map_or(0, |group| group.members);
    check(staff > 0, "members of the intranet's group by a nested one", &groups)?;
    voice.show(groups.iter().take(GROUPS_SHOWN).map(|group| format!("{:<32} {:>4}", group.name, group.members)))?;
    voice.proven(&format!(
        "{} users, {}, {memberships} memberships. One group was mapped to Admin and one to Everyone; nested groups were \
         expanded.",
        users,
        counted(groups.len() as u64, "group"),
    ))?;
    check(stage.memberships(BACKEND).await? == 0, "nothing of the backend yet", &groups)?;
    voice.tell(&format!(
        "Each membership carries its source, here {DIRECTORY}. {BACKEND} has said nothing yet: it can only be asked about \
         one person, with a claim that a login brings."
    ))
}
