//! Looking back: who was in what at a past instant, what changed and by what cause, and why somebody has an access or lacks it.
//!
//! May import: config, clock, the store by its API, the model. It reads, and never writes.
//!
//! Invariants: positions are the order, instants are only looked up to find one; what a page holds has a limit; people who were
//! erased are told by their ids.

mod audit;
mod follow;
mod past;
mod rules;
mod why;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use entitled_model::history::{About, Change, Entry, Place, entries};
use entitled_model::instant::Instant;
use entitled_model::{GroupId, Moment, Position, SourceName, UserId};
use serde_json::Value;

pub use audit::Audit;
pub use follow::{Follower, Full};
pub use past::{MemberPlace, Members, Past};
pub use rules::Rules;
pub use why::{Explanation, HeldWord, Support};

use crate::store::{Changed, Reader, Store, StoreError, StoredEvent};

/// The events that are read at once, of up to 1,000 changes each.
const EVENTS_CHUNK: u64 = 32;
/// The events that one page of a difference looks through at most; the next page goes on behind them.
const DIFF_EVENTS_MAX: usize = 10_000;

/// Answers questions about the past.
#[derive(Clone)]
pub struct History {
    pub store: Store,
    pub rules: Arc<Rules>,
}

/// Why a question has no answer. None names a person.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no such user")]
    NoUser,
    #[error("there is no such group, and there never was")]
    NoGroup,
    #[error("the first moment lies behind the second")]
    Order,
    #[error("the log ends at position {head}: what was read up to {asked} was another log")]
    Ahead { asked: Position, head: Position },
}

/// What is asked of a history: the changes after `since`, up to and with `until`.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub since: Option<Moment>,
    pub until: Option<Moment>,
    pub after: Option<Place>,
    pub rows_max: usize,
}

/// A part of a list, and where the rest begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, P> {
    pub rows: Vec<T>,
    pub next: Option<P>,
}

/// Positions between which changes were looked for: behind the first, up to and with the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Position,
    pub to: Position,
}

/// One thing that happened, with its cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub position: Position,
    pub event_type: &'static str,
    pub change: Change,
    pub user: Option<UserId>,
    pub email: Option<String>,
    pub group: Option<GroupId>,
    /// As the group is called today, or was when it was deleted.
    pub group_name: Option<String>,
    pub source: Option<SourceName>,
    pub actor: String,
    pub run_id: Option<entitled_model::RunId>,
    /// When the source was seen to say so, and when it was written.
    pub observed_at: Instant,
    pub recorded_at: Instant,
    /// Of an event that is no change of memberships.
    pub payload: Option<Value>,
}

impl History {
    /// The user that somebody names by id, address or subject.
    ///
    /// # Errors
    /// When there is none, or the database does not answer.
    pub async fn user(&self, name: &str) -> Result<UserId, HistoryError> {
        if is_odd(name) {
            return Err(HistoryError::NoUser);
        }
        let found = self.store.user_by_any_name(self.store.reader(), name).await?;
        found.map(|user| user.id).ok_or(HistoryError::NoUser)
    }

    /// The group that somebody names, one that was deleted included.
    ///
    /// # Errors
    /// When there never was one, or the database does not answer.
    pub async fn group(&self, name: &str) -> Result<GroupId, HistoryError> {
        if is_odd(name) {
            return Err(HistoryError::NoGroup);
        }
        let found = self.store.group_ever(self.store.reader(), name).await?;
        found.map(|group| group.id).ok_or(HistoryError::NoGroup)
    }

    /// What happened to a user or to a group, oldest first.
    ///
    /// # Errors
    /// When the window is none, or the database does not answer.
    pub async fn of(&self, about: About, window: &Window) -> Result<(Span, Page<Told, Place>), HistoryError> {
        let (span, begin) = self.span(window).await?;
        let (mut rows, mut from, mut next) = (Vec::new(), begin, None);
        'pages: loop {
            let events = self.events(about, from, span.to).await?;
            let Some(last) = events.last().map(|event| event.recorded.position) else { break };
            for event in &events {
                for (place, entry) in untold(event, about, begin) {
                    if rows.len() == window.rows_max {
                        next = Some(place);
                        break 'pages;
                    }
                    rows.push(told(event, &entry));
                }
            }
            from = Place::behind(last);
        }
        self.name(&mut rows).await?;
        Ok((span, Page { rows, next }))
    }

    /// How the memberships of two moments differ: each one that began or ended between them and is not as it was, with what
    /// brought it about last.
    ///
    /// # Errors
    /// When the window is none, or the database does not answer.
    pub async fn difference(&self, window: &Window) -> Result<(Span, Page<Told, Place>), HistoryError> {
        let (span, begin) = self.span(window).await?;
        let (mut rows, mut from, mut next, mut looked_at) = (Vec::new(), begin, None, 0);
        'pages: loop {
            let events = self.events(About::Memberships, from, span.to).await?;
            let Some(last) = events.last().map(|event| event.recorded.position) else { break };
            looked_at += events.len();
            let changes = events.iter().flat_map(|event| {
                untold(event, About::Memberships, begin).map(move |(place, entry)| (place, told(event, &entry)))
            });
            let changes: Vec<(Place, Told)> = changes.collect();
            let net = self.net(span, &changes).await?;
            for (_, (place, told)) in changes.into_iter().enumerate().filter(|(index, _)| net.contains(index)) {
                if rows.len() == window.rows_max {
                    next = Some(place);
                    break 'pages;
                }
                rows.push(told);
            }
            from = Place::behind(last);
            if looked_at >= DIFF_EVENTS_MAX {
                next = (last < span.to).then_some(from);
                break;
            }
        }
        self.name(&mut rows).await?;
        Ok((span, Page { rows, next }))
    }

    /// Up to `rows_max` events after a position, in the order in which they were committed.
    ///
    /// # Errors
    /// When the log ends before that position, or the database does not answer.
    pub async fn events_after(&self, after: Position, rows_max: u64) -> Result<Vec<StoredEvent>, HistoryError> {
        let conn = self.store.reader();
        let events = self.store.events_page(conn, after, rows_max).await?;
        if events.is_empty() {
            let (head, _) = self.store.head(conn).await?;
            self.position(conn, Moment::Position(after), head).await?;
        }
        Ok(events)
    }

    async fn net(&self, span: Span, changes: &[(Place, Told)]) -> Result<BTreeSet<usize>, StoreError> {
        let changed = changes.iter().filter_map(|(_, told)| {
            let (group, user, source) = (told.group?, told.user?, told.source.clone()?);
            Some(Changed { group, user, source, position: told.position, change: told.change })
        });
        let changed: Vec<Changed> = changed.collect();
        self.store.net_changes(self.store.reader(), (span.from, span.to), &changed).await
    }

    /// The positions of a window, and where its page begins.
    async fn span(&self, window: &Window) -> Result<(Span, Place), HistoryError> {
        let Window { since, until, after, rows_max: _ } = window;
        let conn = self.store.reader();
        let Span { from, to } = self.between(conn, *since, *until).await?;
        let backwards = matches!((since, until), (Some(Moment::At(since)), Some(Moment::At(until))) if since > until);
        if backwards || from > to {
            return Err(HistoryError::Order);
        }
        let begin = Place::behind(from).max(after.unwrap_or_default());
        Ok((Span { from, to }, begin))
    }

    /// The positions of two moments, in whichever order they stand; those that are left out are the log's ends.
    async fn between(
        &self,
        conn: &impl Reader,
        since: Option<Moment>,
        until: Option<Moment>,
    ) -> Result<Span, HistoryError> {
        let (head, _) = self.store.head(conn).await?;
        let from = match since {
            None => Position(0),
            Some(since) => self.position(conn, since, head).await?,
        };
        let to = match until {
            None => head,
            Some(until) => self.position(conn, until, head).await?,
        };
        Ok(Span { from, to })
    }

    async fn position(&self, conn: &impl Reader, moment: Moment, head: Position) -> Result<Position, HistoryError> {
        match moment {
            Moment::At(at) => Ok(self.store.position_at(conn, at).await?),
            Moment::Position(asked) if asked > head => Err(HistoryError::Ahead { asked, head }),
            Moment::Position(asked) => Ok(asked),
        }
    }

    async fn events(&self, about: About, from: Place, to: Position) -> Result<Vec<StoredEvent>, StoreError> {
        let first = match from.told {
            usize::MAX => Position(from.position.0.saturating_add(1)),
            _ => from.position,
        };
        let conn = self.store.reader();
        let positions = self.store.positions_about(conn, about, (first, to), EVENTS_CHUNK).await?;
        if positions.is_empty() { Ok(Vec::new()) } else { self.store.events_at(conn, &positions).await }
    }

    /// Adds the names of groups, and the addresses of users who have one.
    async fn name(&self, rows: &mut [Told]) -> Result<(), StoreError> {
        let users: BTreeSet<UserId> = rows.iter().filter_map(|told| told.user).collect();
        let groups: BTreeSet<GroupId> = rows.iter().filter_map(|told| told.group).collect();
        let (users, groups): (Vec<UserId>, Vec<GroupId>) = (users.into_iter().collect(), groups.into_iter().collect());
        let conn = self.store.reader();
        let emails: HashMap<UserId, String> = self.store.emails_of(conn, &users).await?;
        let names = self.store.group_names(conn, &groups).await?;
        for told in rows {
            told.email = told.user.and_then(|user| emails.get(&user).cloned());
            told.group_name = told.group.and_then(|group| names.get(&group).cloned());
        }
        Ok(())
    }
}

/// Whether nobody and nothing is called so: PostgreSQL takes no NUL.
fn is_odd(name: &str) -> bool {
    name.chars().any(char::is_control)
}

/// What an event says that stands behind `begin`; each entry with the place before it.
fn untold(event: &StoredEvent, about: About, begin: Place) -> impl Iterator<Item = (Place, Entry<'_>)> {
    let position = event.recorded.position;
    let numbered = entries(&event.recorded.event, about).into_iter().enumerate();
    let untold = numbered.filter(move |(index, _)| !begin.has_told(position, *index));
    untold.map(move |(told, entry)| (Place { position, told }, entry))
}

fn told(event: &StoredEvent, entry: &Entry<'_>) -> Told {
    let recorded = &event.recorded;
    let payload = match entry.change {
        Change::Added | Change::Removed => None,
        Change::Other => serde_json::from_str(&recorded.written.payload).ok(),
    };
    Told {
        position: recorded.position,
        event_type: recorded.event.event_type(),
        change: entry.change,
        user: entry.user,
        email: None,
        group: entry.group,
        group_name: None,
        source: entry.source.cloned().or_else(|| recorded.cause.source.clone()),
        actor: recorded.cause.actor.clone(),
        run_id: recorded.cause.run_id,
        observed_at: recorded.occurred_at,
        recorded_at: recorded.recorded_at,
        payload,
    }
}
