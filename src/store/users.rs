//! Users: finding them by what people call them.

use std::collections::{BTreeMap, HashMap};

use entitled_model::access::UserRef;
use entitled_model::{EmailAddress, EmailKey, Subject, UserId};
use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::Value;
use uuid::Uuid;

use super::error::{Doing, StoreError};
use super::sql::ids;
use super::{Profile, Reader, Store};

/// A user with their profile; a profile that was erased is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRecord {
    pub id: UserId,
    pub status: String,
    pub profile: Profile,
}

const SELECT: &str = "SELECT u.id, u.status, p.email, p.sub, p.claims
    FROM user_account u LEFT JOIN user_profile p ON p.user_id = u.id";

fn record(row: &QueryResult) -> Result<UserRecord, StoreError> {
    const DOING: &str = "reading a user";
    let email: Option<String> = row.try_get_by_index(2).doing(DOING)?;
    let sub: Option<String> = row.try_get_by_index(3).doing(DOING)?;
    let claims: Option<String> = row.try_get_by_index(4).doing(DOING)?;
    let claims: BTreeMap<String, Value> = claims.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let profile = Profile {
        email: email.and_then(|email| EmailAddress::parse(&email).ok()),
        sub: sub.and_then(|sub| Subject::parse(&sub).ok()),
        claims,
    };
    Ok(UserRecord {
        id: UserId(row.try_get_by_index(0).doing(DOING)?),
        status: row.try_get_by_index(1).doing(DOING)?,
        profile,
    })
}

impl Store {
    async fn user_where(
        &self,
        conn: &impl Reader,
        condition: &str,
        value: sea_orm::Value,
    ) -> Result<Option<UserRecord>, StoreError> {
        let dialect = conn.dialect();
        let statement = dialect.statement(format!("{SELECT} WHERE {condition} = $1"), [value]);
        let row = conn.query_one_raw(statement).await.doing("looking for a user")?;
        row.as_ref().map(record).transpose()
    }

    /// The user of that id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_id(&self, conn: &impl Reader, id: UserId) -> Result<Option<UserRecord>, StoreError> {
        self.user_where(conn, "u.id", id.0.into()).await
    }

    /// The user of that address, compared folded: that of a profile, else a further one of a directory's account.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_email(&self, conn: &impl Reader, key: &EmailKey) -> Result<Option<UserRecord>, StoreError> {
        if let Some(user) = self.user_where(conn, "p.email_key", key.as_str().into()).await? {
            return Ok(Some(user));
        }
        let d = conn.dialect();
        let sql = format!(
            "{SELECT} WHERE u.id = (SELECT user_id FROM directory_address WHERE email_key = $1 ORDER BY source LIMIT 1)"
        );
        let row = conn.query_one_raw(d.statement(sql, [key.as_str().into()])).await.doing("looking for a user")?;
        row.as_ref().map(record).transpose()
    }

    /// The user of that subject.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_sub(&self, conn: &impl Reader, sub: &Subject) -> Result<Option<UserRecord>, StoreError> {
        self.user_where(conn, "p.sub", sub.as_str().into()).await
    }

    /// The user that an operator names: by id, address or subject, in this order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_any_name(&self, conn: &impl Reader, name: &str) -> Result<Option<UserRecord>, StoreError> {
        match UserRef::parse(name) {
            Ok(user) => self.user_meant(conn, &user).await,
            Err(_) => Ok(None),
        }
    }

    /// The same, of a name that has been read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_meant(&self, conn: &impl Reader, user: &UserRef) -> Result<Option<UserRecord>, StoreError> {
        let UserRef { id, email, sub } = user;
        if let Some(id) = id
            && let Some(user) = self.user_by_id(conn, *id).await?
        {
            return Ok(Some(user));
        }
        if let Some(user) = self.user_by_email(conn, email).await? {
            return Ok(Some(user));
        }
        match sub {
            Some(sub) => self.user_by_sub(conn, sub).await,
            None => Ok(None),
        }
    }

    /// All users, by id; `active_only` leaves out the suspended and deactivated.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users(&self, conn: &impl Reader, active_only: bool) -> Result<Vec<UserRecord>, StoreError> {
        const DOING: &str = "listing users";
        let condition = if active_only { " WHERE u.status = 'active'" } else { "" };
        let dialect = conn.dialect();
        let statement = dialect.statement(format!("{SELECT}{condition} ORDER BY u.id"), []);
        let mut found = Box::pin(conn.stream_raw(statement).await.doing(DOING)?);
        let mut users = Vec::new();
        while let Some(row) = found.try_next().await.doing(DOING)? {
            users.push(record(&row)?);
        }
        Ok(users)
    }

    /// Up to `rows_max` users whose ids follow `after`, by id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users_after(&self, after: Option<UserId>, rows_max: u64) -> Result<Vec<UserRecord>, StoreError> {
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let values = [after.map_or(Uuid::nil(), |user| user.0).into(), limit.into()];
        let sql = format!("{SELECT} WHERE u.id > $1 ORDER BY u.id LIMIT $2");
        let rows = self.db.query_all_raw(self.db.dialect().statement(sql, values)).await.doing("listing users")?;
        rows.iter().map(record).collect()
    }

    /// Some active users, those that came last first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn newest_users(&self, conn: &impl Reader, rows_max: u32) -> Result<Vec<UserRecord>, StoreError> {
        let dialect = conn.dialect();
        let sql = format!("{SELECT} WHERE u.status = 'active' ORDER BY u.id DESC LIMIT {rows_max}");
        let rows = conn.query_all_raw(dialect.statement(sql, [])).await.doing("looking for some users")?;
        rows.iter().map(record).collect()
    }

    /// Every known address, folded, with its user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_keys(&self, conn: &impl Reader) -> Result<HashMap<EmailKey, UserId>, StoreError> {
        const DOING: &str = "reading the users' addresses";
        let dialect = conn.dialect();
        let sql = "SELECT email_key, user_id FROM user_profile WHERE email_key IS NOT NULL";
        let mut found = Box::pin(conn.stream_raw(dialect.statement(sql, [])).await.doing(DOING)?);
        let mut keys = HashMap::new();
        while let Some(row) = found.try_next().await.doing(DOING)? {
            let key: String = row.try_get_by_index(0).doing(DOING)?;
            keys.insert(EmailKey::fold(&key), UserId(row.try_get_by_index(1).doing(DOING)?));
        }
        Ok(keys)
    }

    /// The addresses, as given, of those of `users` that have one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn emails_of(&self, conn: &impl Reader, users: &[UserId]) -> Result<HashMap<UserId, String>, StoreError> {
        const DOING: &str = "reading addresses";
        let d = conn.dialect();
        let sql = format!(
            "SELECT user_id, email FROM user_profile WHERE email IS NOT NULL AND user_id IN (SELECT {} FROM {})",
            d.uuid(0),
            d.each("$1")
        );
        let rows = conn.query_all_raw(d.statement(sql, [ids(users.iter().map(|user| user.0))])).await.doing(DOING)?;
        let read = |row: &QueryResult| {
            Ok((UserId(row.try_get_by_index(0).doing(DOING)?), row.try_get_by_index(1).doing(DOING)?))
        };
        rows.iter().map(read).collect()
    }
}
