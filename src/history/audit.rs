//! The audit: who did what to whom, the newest first.

use entitled_model::{Moment, Position};

use super::{History, HistoryError, Page, Span};
use crate::store::{AuditFilter, StoredEvent};

/// The events that one page looks through at most; the next goes on before them.
const LOOKED_AT_MAX: i64 = 100_000;

/// What is asked of the audit.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Who decided: `operator`, `key:office`, `source:google_sync`, ...
    pub actor: Option<String>,
    /// An event's type, or the beginning of some: `membership.changed`, `user.*`.
    pub action: Option<String>,
    /// What it happened to: `group:<id>`, `user:<id>`, `resource:<type>:<id>`, `plan:<hash>`.
    pub subject: Option<(String, String)>,
    pub since: Option<Moment>,
    pub until: Option<Moment>,
    /// Where the page before ended.
    pub before: Option<Position>,
}

impl Audit {
    /// Reads a subject: a category, a colon, and an id within it.
    #[must_use]
    pub fn subject(text: &str) -> Option<(String, String)> {
        let (category, id) = text.split_once(':')?;
        let sound = !category.is_empty() && !id.is_empty() && !super::is_odd(text);
        sound.then(|| (category.to_owned(), id.to_owned()))
    }
}

impl History {
    /// Events that fit, the newest first. A page may be short, or empty, and `next` all the same.
    ///
    /// # Errors
    /// When a moment is not of this log, or the database does not answer.
    pub async fn audit(&self, asked: &Audit, rows_max: usize) -> Result<Page<StoredEvent, Position>, HistoryError> {
        let Audit { actor, action, subject, since, until, before } = asked;
        let conn = self.store.reader();
        let Span { from, to } = self.between(conn, *since, *until).await?;
        let to = before.map_or(to, |before| to.min(Position(before.0.saturating_sub(1))));
        let floor = from.max(Position(to.0.saturating_sub(LOOKED_AT_MAX)));
        let (action, and_more) = match action.as_deref().map(|action| (action, action.strip_suffix('*'))) {
            None => (None, false),
            Some((_, Some(beginning))) => (Some(beginning.to_owned()), true),
            Some((action, None)) => (Some(action.to_owned()), false),
        };
        let filter = AuditFilter { actor: actor.clone(), action, and_more, subject: subject.clone(), after: floor, to };
        let mut rows = self.store.audited(conn, &filter, rows_max as u64 + 1).await?;
        let more = rows.len() > rows_max;
        rows.truncate(rows_max);
        let next = match rows.last() {
            Some(last) if more => Some(last.recorded.position),
            _ => (floor > from).then_some(Position(floor.0 + 1)),
        };
        Ok(Page { rows, next })
    }
}
