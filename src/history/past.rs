//! Memberships as they were at a past moment.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use entitled_model::history::InvalidPlace;
use entitled_model::{GroupId, Moment, Position, SourceName, UserId, moment};
use uuid::Uuid;

use super::{History, HistoryError, Page};
use crate::store::{MembersAt, PastMembership};

/// Whose memberships are asked for; at the newest position when no moment is named.
#[derive(Debug, Clone)]
pub struct Members {
    pub as_of: Option<Moment>,
    pub user: Option<UserId>,
    pub group: Option<GroupId>,
    pub after: Option<MemberPlace>,
    pub rows_max: usize,
}

/// The last membership of a page, and the position that all pages of the list are true at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPlace {
    pub position: Position,
    pub key: (GroupId, UserId, SourceName),
}

/// Memberships as they were at a position, with the addresses of those users who have one.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    pub position: Position,
    pub memberships: Page<PastMembership, MemberPlace>,
    pub emails: HashMap<UserId, String>,
}

impl fmt::Display for MemberPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, user, source) = &self.key;
        write!(f, "{}.{group}.{user}.{source}", self.position)
    }
}

impl FromStr for MemberPlace {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let parts: Vec<&str> = text.split('.').collect();
        let [position, group, user, source] = parts[..] else { return Err(InvalidPlace) };
        let position = moment::position(position).ok_or(InvalidPlace)?;
        let id = |text| Uuid::parse_str(text).map_err(|_| InvalidPlace);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if source.is_empty() || source.len() > SourceName::BYTES_MAX || !source.chars().all(plain) {
            return Err(InvalidPlace);
        }
        let key = (GroupId(id(group)?), UserId(id(user)?), SourceName::stored(source.to_owned()));
        Ok(Self { position, key })
    }
}

impl History {
    /// Who was in what, by group, user and source.
    ///
    /// # Errors
    /// When the moment is none, or the database does not answer.
    pub async fn members(&self, asked: &Members) -> Result<Past, HistoryError> {
        let Members { as_of, user, group, after, rows_max } = asked;
        let conn = self.store.reader();
        let (head, _) = self.store.head(conn).await?;
        // A later page is true at the position of the first.
        let moment = after.as_ref().map(|after| Moment::Position(after.position)).or(*as_of);
        let position = match moment {
            None => head,
            Some(moment) => self.position(conn, moment, head).await?,
        };
        let after = after.as_ref().map(|after| after.key.clone());
        let asked = MembersAt { position, user: *user, group: *group, after };
        let mut rows = self.store.memberships_at(conn, &asked, *rows_max as u64 + 1).await?;
        let more = rows.len() > *rows_max;
        rows.truncate(*rows_max);
        let key = |row: &PastMembership| (row.group, row.user, row.source.clone());
        let next = rows.last().filter(|_| more).map(|row| MemberPlace { position, key: key(row) });
        let users: BTreeSet<UserId> = rows.iter().map(|row| row.user).collect();
        let users: Vec<UserId> = users.into_iter().collect();
        let emails = self.store.emails_of(conn, &users).await?;
        Ok(Past { position, memberships: Page { rows, next }, emails })
    }
}
