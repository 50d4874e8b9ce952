//! The administrators of directories: owners by a directory's word, and how recent that word is.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::administrators::Administration;
use entitled_model::{ErrorClass, Instant, SourceName, UserId};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::error::{Doing, StoreError};
use super::sql::ids;
use super::{Reader, Store, Unit};

const DOING: &str = "reading directories' administrators";

/// Whether the user `u` is an administrator of a directory.
pub(super) const OF_DIRECTORY: &str = "EXISTS (SELECT 1 FROM directory_administrator da WHERE da.user_id = u.id)";

/// What a directory says of a user who is an administrator of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryWord {
    pub source: SourceName,
    pub since: Instant,
    /// When the newest look-up that answered began.
    pub observed_at: Option<Instant>,
    /// Why a newer look-up did not answer: the stored word serves, and is stale.
    pub failure: Option<String>,
}

/// What look-ups came to: of whom, when they began, and why they did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    pub of: LookedUp,
    pub began_at: Instant,
    pub failure: Option<ErrorClass>,
}

/// Who was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookedUp {
    Everybody,
    Users(BTreeSet<UserId>),
}

impl Store {
    /// The administrators of a source's directory.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn directory_administrators(
        &self,
        conn: &impl Reader,
        source: &SourceName,
    ) -> Result<BTreeMap<UserId, Administration>, StoreError> {
        let sql = "SELECT user_id, state FROM directory_administrator WHERE source = $1";
        let found = conn.query_all_raw(conn.dialect().statement(sql, [source.as_str().into()])).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            let state: String = row.try_get_by_index(1).doing(DOING)?;
            let state = state.parse().map_err(|_| StoreError::damaged("an administrator has an unknown state"))?;
            Ok((UserId(row.try_get_by_index(0).doing(DOING)?), state))
        };
        found.iter().map(read).collect()
    }

    /// The directories of which a user is an administrator, by the source's name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn directory_words(&self, conn: &impl Reader, user: UserId) -> Result<Vec<DirectoryWord>, StoreError> {
        let sql = "SELECT da.source, da.since_at, l.answered_at, l.failed_at, l.failure FROM directory_administrator da
            LEFT JOIN directory_look_up l ON l.source = da.source AND l.user_id = da.user_id
            WHERE da.user_id = $1 ORDER BY da.source";
        let found = conn.query_all_raw(conn.dialect().statement(sql, [user.0.into()])).await.doing(DOING)?;
        found.iter().map(word).collect()
    }

    /// Remembers that a source could not be asked about its administrators.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn note_look_up(&self, source: &SourceName, look_up: &LookUp) -> Result<(), StoreError> {
        let _turn = self.turn().await;
        note(&self.db, source, look_up).await
    }
}

impl Unit {
    /// Remembers what look-ups of administrators came to; of anybody else nothing is kept.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn note_look_ups(&mut self, source: &SourceName, look_ups: &[LookUp]) -> Result<(), StoreError> {
        for look_up in look_ups {
            note(self.reader(), source, look_up).await?;
        }
        let ended = "DELETE FROM directory_look_up WHERE source = $1 AND NOT EXISTS (
            SELECT 1 FROM directory_administrator da
            WHERE da.source = directory_look_up.source AND da.user_id = directory_look_up.user_id)";
        let ended = self.dialect().statement(ended, [source.as_str().into()]);
        self.reader().execute_raw(ended).await.doing("forgetting look-ups")?;
        Ok(())
    }
}

/// A look-up that began before the newest of its kind changes nothing.
async fn note(conn: &impl Reader, source: &SourceName, look_up: &LookUp) -> Result<(), StoreError> {
    const DOING: &str = "remembering a look-up";
    let LookUp { of, began_at, failure } = look_up;
    let d = conn.dialect();
    let mut values: Vec<Value> = vec![source.as_str().into(), (*began_at).into()];
    let (column, text) = match failure {
        None => ("answered_at", "NULL"),
        Some(class) => {
            values.push(class.as_str().into());
            ("failed_at", "$3")
        }
    };
    let whom = match of {
        LookedUp::Everybody => String::new(),
        LookedUp::Users(users) => {
            values.push(ids(users.iter().map(|user| user.0)));
            format!(" AND da.user_id IN (SELECT {} FROM {})", d.uuid(0), d.each(&format!("${}", values.len())))
        }
    };
    let failure = if failure.is_some() { ", failure = excluded.failure" } else { "" };
    let sql = format!(
        "INSERT INTO directory_look_up (source, user_id, {column}, failure)
         SELECT da.source, da.user_id, $2, {text} FROM directory_administrator da WHERE da.source = $1{whom}
         ON CONFLICT (source, user_id) DO UPDATE SET {column} = excluded.{column}{failure}
         WHERE directory_look_up.{column} IS NULL OR excluded.{column} > directory_look_up.{column}"
    );
    conn.execute_raw(d.statement(sql, values)).await.doing(DOING)?;
    Ok(())
}

fn word(row: &QueryResult) -> Result<DirectoryWord, StoreError> {
    let observed_at: Option<Instant> = row.try_get_by_index(2).doing(DOING)?;
    let failed_at: Option<Instant> = row.try_get_by_index(3).doing(DOING)?;
    let failure: Option<String> = row.try_get_by_index(4).doing(DOING)?;
    Ok(DirectoryWord {
        source: SourceName::stored(row.try_get_by_index(0).doing(DOING)?),
        since: row.try_get_by_index(1).doing(DOING)?,
        observed_at,
        failure: failure.filter(|_| failed_at > observed_at),
    })
}
