//! Directories' accounts: whose each is, its addresses, and who is suspended by whom.
//!
//! Accounts and addresses stand beside the log, as profiles do: an event tells that a profile changed, and no more.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::people::{KnownPeople, PeopleChanges, Readdress};
use entitled_model::{EmailKey, GroupId, Instant, Position, SourceName, UserId};
use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde::Serialize;

use super::error::{Doing, StoreError};
use super::sql::{Among, Field, STATEMENT_ROWS_MAX, ids, rows, time};
use super::{Reader, Store, Unit};

const DOING: &str = "reading accounts";

/// A user's status, and the sources that have suspended them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// `active`, `suspended` or `deactivated`; empty for nobody.
    pub status: String,
    pub suspended_by: BTreeSet<SourceName>,
}

impl Standing {
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }
}

/// Which users are looked up: a condition on `user_id`, with its parameters from `$2` on.
struct Asked {
    of: String,
    values: Vec<Value>,
}

impl Store {
    /// All that the store knows of people whom `source` may speak of; of other sources, `directories` count.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn people(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        directories: &BTreeSet<SourceName>,
    ) -> Result<KnownPeople, StoreError> {
        let asked = Asked { of: "true".to_owned(), values: Vec::new() };
        let mut known = self.known_people(conn, source, directories, &asked).await?;
        known.by_address = self.user_keys(conn).await?;
        Ok(known)
    }

    /// The same, of those who have one of these accounts or addresses, and of `users`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn people_among(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        directories: &BTreeSet<SourceName>,
        (accounts, addresses, users): (&[&str], &[EmailKey], &[UserId]),
    ) -> Result<KnownPeople, StoreError> {
        let d = conn.dialect();
        let texts = |texts: Vec<&str>| rows(&texts.into_iter().map(|text| [text]).collect::<Vec<_>>());
        let (text, uuid) = (d.text(0), d.uuid(0));
        let any = |parameter| d.each(parameter);
        // Whoever has the account, and whoever has one of the addresses.
        let holders = format!(
            "SELECT user_id FROM directory_account WHERE source = $1 AND external_id IN (SELECT {text} FROM {})
             UNION SELECT user_id FROM user_profile WHERE email_key IN (SELECT {text} FROM {})
             UNION SELECT user_id FROM directory_address WHERE email_key IN (SELECT {text} FROM {})
             UNION SELECT {uuid} FROM {}",
            any("$2"),
            any("$3"),
            any("$3"),
            any("$4"),
        );
        let keys = addresses.iter().map(EmailKey::as_str).collect();
        let asked = Asked {
            of: format!("user_id IN ({holders})"),
            values: vec![texts(accounts.to_vec()), texts(keys), ids(users.iter().map(|user| user.0))],
        };
        let mut known = self.known_people(conn, source, directories, &asked).await?;
        let sql = format!("SELECT email_key, user_id FROM user_profile WHERE email_key IS NOT NULL AND {}", asked.of);
        known.by_address = self.pairs(conn, source, &asked, sql).await?.into_iter().map(folded).collect();
        Ok(known)
    }

    /// The accounts of those of `users` of whom `source` has one, by their immutable ids.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn accounts_of(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        users: &[UserId],
    ) -> Result<BTreeMap<UserId, String>, StoreError> {
        let d = conn.dialect();
        let Among { condition, values } = d.users_among("user_id", 2, users.iter().copied());
        let sql = format!("SELECT external_id, user_id FROM directory_account WHERE source = $1 AND {condition}");
        let values = std::iter::once(source.as_str().into()).chain(values);
        let found = conn.query_all_raw(d.statement(sql, values)).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            Ok((UserId(row.try_get_by_index(1).doing(DOING)?), row.try_get_by_index(0).doing(DOING)?))
        };
        found.iter().map(read).collect()
    }

    async fn known_people(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        directories: &BTreeSet<SourceName>,
        asked: &Asked,
    ) -> Result<KnownPeople, StoreError> {
        let of = &asked.of;
        let by_account = format!("SELECT external_id, user_id FROM directory_account WHERE source = $1 AND {of}");
        let of_accounts = format!("SELECT email_key, user_id FROM directory_address WHERE source = $1 AND {of}");
        let suspended = format!("SELECT source, user_id FROM suspension WHERE source = $1 AND {of}");
        let elsewhere = format!("SELECT source, user_id FROM directory_account WHERE source <> $1 AND {of}");
        Ok(KnownPeople {
            by_address: Default::default(),
            by_account: self.pairs(conn, source, asked, by_account).await?.into_iter().collect(),
            of_accounts: self.pairs(conn, source, asked, of_accounts).await?.into_iter().map(folded).collect(),
            suspended: self.pairs(conn, source, asked, suspended).await?.into_iter().map(|(_, user)| user).collect(),
            elsewhere: self
                .pairs(conn, source, asked, elsewhere)
                .await?
                .into_iter()
                .filter(|(other, _)| directories.contains(&SourceName::stored(other.clone())))
                .map(|(_, user)| user)
                .collect(),
        })
    }

    async fn pairs(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        asked: &Asked,
        sql: String,
    ) -> Result<Vec<(String, UserId)>, StoreError> {
        let values = std::iter::once(source.as_str().into()).chain(asked.values.iter().cloned());
        let statement = conn.dialect().statement(sql, values);
        // One row at a time: a whole directory's are many.
        let mut rows = Box::pin(conn.stream_raw(statement).await.doing(DOING)?);
        let mut pairs = Vec::new();
        while let Some(row) = rows.try_next().await.doing(DOING)? {
            pairs.push((row.try_get_by_index(0).doing(DOING)?, UserId(row.try_get_by_index(1).doing(DOING)?)));
        }
        Ok(pairs)
    }

    /// Whether one of these accounts, or of their users, is bound by now: what was planned of them is out of date.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn are_bound(
        &self,
        conn: &impl Reader,
        source: &SourceName,
        accounts: &BTreeMap<String, UserId>,
    ) -> Result<bool, StoreError> {
        let d = conn.dialect();
        let sql = format!(
            "SELECT 1 FROM directory_account WHERE source = $1 AND external_id IN (SELECT {} FROM {each})
             UNION ALL SELECT 1 FROM directory_account WHERE user_id IN (SELECT {} FROM {each}) AND source = $1 LIMIT 1",
            d.text(0),
            d.uuid(1),
            each = d.each("$2")
        );
        let all: Vec<_> = accounts.iter().collect();
        for chunk in all.chunks(STATEMENT_ROWS_MAX) {
            let statement = d.statement(&sql, [source.as_str().into(), rows(chunk)]);
            if conn.query_one_raw(statement).await.doing(DOING)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of `users` who are not active.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn inactive_among(
        &self,
        conn: &impl Reader,
        users: &BTreeSet<UserId>,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        if users.is_empty() {
            return Ok(BTreeSet::new());
        }
        let d = conn.dialect();
        let Among { condition, values } = d.users_among("id", 1, users.iter().copied());
        let sql = format!("SELECT id FROM user_account WHERE status <> 'active' AND {condition}");
        let found = conn.query_all_raw(d.statement(sql, values)).await.doing(DOING)?;
        found.iter().map(|row| Ok(UserId(row.try_get_by_index(0).doing(DOING)?))).collect()
    }

    /// Those of `users` who were erased: shut out, and without a name by which they could come again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn erased_among(&self, conn: &impl Reader, users: &[UserId]) -> Result<BTreeSet<UserId>, StoreError> {
        const DOING: &str = "looking for erased users";
        let d = conn.dialect();
        let Among { condition, values } = d.users_among("p.user_id", 1, users.iter().copied());
        let sql = format!(
            "SELECT p.user_id FROM user_profile p JOIN user_account u ON u.id = p.user_id AND u.status = 'deactivated'
             WHERE COALESCE(p.email, p.sub) IS NULL AND {condition}"
        );
        let found = conn.query_all_raw(d.statement(sql, values)).await.doing(DOING)?;
        found.iter().map(|row| Ok(UserId(row.try_get_by_index(0).doing(DOING)?))).collect()
    }

    /// Everybody who is not active.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn inactive(&self, conn: &impl Reader) -> Result<BTreeSet<UserId>, StoreError> {
        let sql = "SELECT id FROM user_account WHERE status <> 'active'";
        let found = conn.query_all_raw(conn.dialect().statement(sql, [])).await.doing(DOING)?;
        found.iter().map(|row| Ok(UserId(row.try_get_by_index(0).doing(DOING)?))).collect()
    }

    /// Whether a user may use what they have, and the position of the log that this is true at.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn standing(&self, conn: &impl Reader, user: UserId) -> Result<(Position, Standing), StoreError> {
        const DOING: &str = "reading a user's standing";
        let sql = "SELECT h.position, u.status, s.source FROM event_head h LEFT JOIN user_account u ON u.id = $1
            LEFT JOIN suspension s ON s.user_id = u.id WHERE h.id = 1";
        let found = conn.query_all_raw(conn.dialect().statement(sql, [user.0.into()])).await.doing(DOING)?;
        let (mut position, mut standing) = (Position(0), Standing::default());
        for row in &found {
            position = Position(row.try_get_by_index(0).doing(DOING)?);
            let status: Option<String> = row.try_get_by_index(1).doing(DOING)?;
            standing.status = status.unwrap_or_default();
            let source: Option<String> = row.try_get_by_index(2).doing(DOING)?;
            standing.suspended_by.extend(source.map(SourceName::stored));
        }
        Ok((position, standing))
    }

    /// The groups that the newest complete list of `source` did not have.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn vanished_groups(
        &self,
        conn: &impl Reader,
        source: &SourceName,
    ) -> Result<BTreeSet<GroupId>, StoreError> {
        const DOING: &str = "reading groups that were not listed";
        let sql = "SELECT group_id FROM vanished_group WHERE source = $1";
        let found = conn.query_all_raw(conn.dialect().statement(sql, [source.as_str().into()])).await.doing(DOING)?;
        found.iter().map(|row| Ok(GroupId(row.try_get_by_index(0).doing(DOING)?))).collect()
    }
}

fn folded((key, user): (String, UserId)) -> (EmailKey, UserId) {
    (EmailKey::fold(&key), user)
}

impl Unit {
    /// Writes what a directory's accounts change about people, but for what the events tell.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn write_people(&mut self, source: &SourceName, changes: &PeopleChanges) -> Result<(), StoreError> {
        let PeopleChanges { addresses, accounts, of_accounts, suspended: _, reactivated: _ } = changes;
        self.readdress(addresses).await?;
        let d = self.dialect();
        let columns = [("source", Field::Text), ("external_id", Field::Text), ("user_id", Field::Uuid)];
        let bind = d.insert("directory_account", &columns, "");
        self.write_rows(&bind, accounts.iter().map(|(id, user)| (source, id, user))).await?;
        let columns = [("source", Field::Text), ("email_key", Field::Text), ("user_id", Field::Uuid)];
        let replace = "ON CONFLICT (email_key, source) DO UPDATE SET user_id = excluded.user_id";
        let put = d.insert("directory_address", &columns, replace);
        self.write_rows(&put, of_accounts.iter().map(|(key, user)| (source, key.as_str(), user))).await
    }

    /// Whoever has an address gives it up before another takes it.
    async fn readdress(&mut self, changes: &BTreeMap<UserId, Readdress>) -> Result<(), StoreError> {
        let d = self.dialect();
        let at = time(self.at());
        let of = |column: &str| {
            format!(
                "UPDATE user_profile SET {column}, updated_at = {} FROM {} WHERE user_id = {}",
                d.time(1),
                d.each("$1"),
                d.uuid(0)
            )
        };
        self.write_rows(&of("email = NULL, email_key = NULL"), changes.keys().map(|user| (user, &at))).await?;
        let absorbed = changes.iter().filter(|(_, change)| **change == Readdress::Absorbed);
        self.write_rows(&of("sub = NULL"), absorbed.map(|(user, _)| (user, &at))).await?;
        let taken = changes.iter().filter_map(|(user, change)| match change {
            Readdress::To(address) => Some((user, &at, address.as_given(), address.key().as_str().to_owned())),
            Readdress::Lost | Readdress::Absorbed => None,
        });
        self.write_rows(&of(&format!("email = {}, email_key = {}", d.text(2), d.text(3))), taken).await
    }

    /// Remembers which groups the complete list that began at `since` did not have, and forgets the others.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn mark_vanished(
        &mut self,
        source: &SourceName,
        groups: &BTreeSet<GroupId>,
        since: Instant,
    ) -> Result<(), StoreError> {
        const DOING: &str = "remembering groups that were not listed";
        let d = self.dialect();
        let sql = format!(
            "DELETE FROM vanished_group WHERE source = $1 AND group_id NOT IN (SELECT {} FROM {})",
            d.uuid(0),
            d.each("$2")
        );
        let values = [source.as_str().into(), ids(groups.iter().map(|group| group.0))];
        self.reader().execute_raw(d.statement(sql, values)).await.doing(DOING)?;
        let columns = [("source", Field::Text), ("group_id", Field::Uuid), ("since", Field::Time)];
        let keep = "ON CONFLICT (source, group_id) DO NOTHING";
        let since = time(since);
        let marked = groups.iter().map(|group| (source, group, &since));
        self.write_rows(&d.insert("vanished_group", &columns, keep), marked).await
    }

    /// Runs `sql` over rows, a bounded number at a time.
    pub(super) async fn write_rows<T: Serialize>(
        &self,
        sql: &str,
        mut all: impl Iterator<Item = T> + Send,
    ) -> Result<(), StoreError> {
        loop {
            let chunk: Vec<T> = all.by_ref().take(STATEMENT_ROWS_MAX).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let statement = self.dialect().statement(sql, [rows(&chunk)]);
            drop(chunk);
            self.reader().execute_raw(statement).await.doing("writing beside the log")?;
        }
    }
}
