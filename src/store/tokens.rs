//! Tokens: who they are of, what they may, and their hashes, which stand in a table of their own.

use entitled_model::role::{Role, effective};
use entitled_model::token::{TokenHash, TokenSecret};
use entitled_model::{GroupId, Instant, TokenId, UserId};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::administrators::OF_DIRECTORY;
use super::error::{Doing, StoreError};
use super::roles::ASSIGNED_LEVEL;
use super::{Reader, Store, Unit};

const DOING: &str = "reading tokens";

/// A token as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    pub id: TokenId,
    /// Whose it is; none for a service's.
    pub owner: Option<UserId>,
    pub name: Option<String>,
    /// As they were written.
    pub scopes: Vec<String>,
    pub created_at: Instant,
    pub expires_at: Instant,
    pub revoked_at: Option<Instant>,
    pub last_used_at: Option<Instant>,
}

/// A token that a caller presents, with all that decides whether it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedToken {
    pub id: TokenId,
    pub hash: TokenHash,
    pub owner: Option<PersonStanding>,
    pub scopes: Vec<String>,
    pub expires_at: Instant,
    pub revoked_at: Option<Instant>,
}

/// A user as far as access to entitled itself is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonStanding {
    pub user: UserId,
    pub is_active: bool,
    /// In `Admin`, by any source.
    pub is_administrator: bool,
    /// By a directory's word, of any source.
    pub is_directory_administrator: bool,
    /// The highest role that was assigned to them, or to a group of theirs.
    pub assigned: Option<Role>,
}

impl PersonStanding {
    /// The role that counts; none of somebody to whom nothing gives one.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        effective(self.assigned, self.is_administrator || self.is_directory_administrator)
    }
}

/// Whether a user is in `Admin`; without the group nobody is.
const IS_ADMINISTRATOR: &str = "EXISTS (SELECT 1 FROM membership m JOIN user_group g ON g.id = m.group_id
    WHERE m.user_id = u.id AND m.group_id = $2 AND COALESCE(m.to_position, 0) = 0 AND g.ended_position IS NULL)";

const LISTED: &str =
    "SELECT t.id, t.owner_id, n.name, t.scopes, t.created_at, t.expires_at, t.revoked_at, l.last_used_at
    FROM token t LEFT JOIN token_name n ON n.token_id = t.id LEFT JOIN token_use l ON l.token_id = t.id";

impl Store {
    /// The token of which this is the secret.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn token_of(&self, secret: &TokenSecret) -> Result<Option<PresentedToken>, StoreError> {
        let sql = format!(
            "SELECT t.id, h.hash, t.scopes, t.expires_at, t.revoked_at, t.owner_id, u.status, {IS_ADMINISTRATOR},
                {ASSIGNED_LEVEL}, {OF_DIRECTORY}
             FROM token_hash h JOIN token t ON t.id = h.token_id LEFT JOIN user_account u ON u.id = t.owner_id
             WHERE h.hash = $1"
        );
        let values = [secret.hash().to_vec().into(), GroupId::ADMIN.0.into()];
        let row = self.db.query_one_raw(self.db.dialect().statement(sql, values)).await.doing(DOING)?;
        row.as_ref().map(presented).transpose()
    }

    /// How a user stands; none when there is no such user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn person(&self, conn: &impl Reader, user: UserId) -> Result<Option<PersonStanding>, StoreError> {
        let sql = format!(
            "SELECT u.status, {IS_ADMINISTRATOR}, {ASSIGNED_LEVEL}, {OF_DIRECTORY} FROM user_account u WHERE u.id = $1"
        );
        let values = [user.0.into(), GroupId::ADMIN.0.into()];
        let row = conn.query_one_raw(conn.dialect().statement(sql, values)).await.doing(DOING)?;
        row.as_ref().map(|row| standing(row, user, 0)).transpose()
    }

    /// Up to `rows_max` tokens, newest first, of one user or of all, from before `before`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tokens_before(
        &self,
        owner: Option<UserId>,
        before: Option<TokenId>,
        rows_max: u64,
    ) -> Result<Vec<TokenRecord>, StoreError> {
        let before = before.map_or(uuid::Uuid::max(), |token| token.0);
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let mut values: Vec<Value> = vec![before.into(), limit.into()];
        let mut whose = "";
        if let Some(owner) = owner {
            values.push(owner.0.into());
            whose = " AND t.owner_id = $3";
        }
        let sql = format!("{LISTED} WHERE t.id < $1{whose} ORDER BY t.id DESC LIMIT $2");
        let rows = self.db.query_all_raw(self.db.dialect().statement(sql, values)).await.doing(DOING)?;
        rows.iter().map(listed).collect()
    }

    /// The token of that id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn token_by_id(&self, conn: &impl Reader, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        let statement = conn.dialect().statement(format!("{LISTED} WHERE t.id = $1"), [id.0.into()]);
        let row = conn.query_one_raw(statement).await.doing(DOING)?;
        row.as_ref().map(listed).transpose()
    }

    /// How many tokens of a user count at `now`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn live_tokens(&self, conn: &impl Reader, owner: UserId, now: Instant) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM token WHERE owner_id = $1 AND revoked_position IS NULL AND expires_at > $2";
        let row = conn.query_one_raw(conn.dialect().statement(sql, [owner.0.into(), now.into()])).await.doing(DOING)?;
        let count: i64 = row.map(|row| row.try_get_by_index(0).doing(DOING)).transpose()?.unwrap_or_default();
        Ok(count.unsigned_abs())
    }
}

impl Unit {
    /// Keeps what of a token that is being made does not belong into the log.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn keep_token(
        &mut self,
        token: TokenId,
        secret: &TokenSecret,
        name: Option<&str>,
    ) -> Result<(), StoreError> {
        const DOING: &str = "keeping a token";
        let d = self.dialect();
        let hash = "INSERT INTO token_hash (token_id, hash) VALUES ($1, $2)";
        let hash = d.statement(hash, [token.0.into(), secret.hash().to_vec().into()]);
        self.reader().execute_raw(hash).await.doing(DOING)?;
        if let Some(name) = name {
            let named = "INSERT INTO token_name (token_id, name) VALUES ($1, $2)";
            self.reader().execute_raw(d.statement(named, [token.0.into(), name.into()])).await.doing(DOING)?;
        }
        Ok(())
    }
}

fn presented(row: &QueryResult) -> Result<PresentedToken, StoreError> {
    let hash: Vec<u8> = row.try_get_by_index(1).doing(DOING)?;
    let owner: Option<uuid::Uuid> = row.try_get_by_index(5).doing(DOING)?;
    Ok(PresentedToken {
        id: TokenId(row.try_get_by_index(0).doing(DOING)?),
        hash: hash.try_into().map_err(|_| StoreError::damaged("a token's hash is not 32 bytes"))?,
        owner: owner.map(|user| standing(row, UserId(user), 6)).transpose()?,
        scopes: scopes(row, 2)?,
        expires_at: row.try_get_by_index(3).doing(DOING)?,
        revoked_at: row.try_get_by_index(4).doing(DOING)?,
    })
}

fn standing(row: &QueryResult, user: UserId, first: usize) -> Result<PersonStanding, StoreError> {
    let status: Option<String> = row.try_get_by_index(first).doing(DOING)?;
    let is_administrator: bool = row.try_get_by_index(first + 1).doing(DOING)?;
    let level: Option<i64> = row.try_get_by_index(first + 2).doing(DOING)?;
    let assigned = level.and_then(Role::of_level);
    Ok(PersonStanding {
        user,
        is_active: status.as_deref() == Some("active"),
        is_administrator,
        is_directory_administrator: row.try_get_by_index(first + 3).doing(DOING)?,
        assigned,
    })
}

fn listed(row: &QueryResult) -> Result<TokenRecord, StoreError> {
    let owner: Option<uuid::Uuid> = row.try_get_by_index(1).doing(DOING)?;
    Ok(TokenRecord {
        id: TokenId(row.try_get_by_index(0).doing(DOING)?),
        owner: owner.map(UserId),
        name: row.try_get_by_index(2).doing(DOING)?,
        scopes: scopes(row, 3)?,
        created_at: row.try_get_by_index(4).doing(DOING)?,
        expires_at: row.try_get_by_index(5).doing(DOING)?,
        revoked_at: row.try_get_by_index(6).doing(DOING)?,
        last_used_at: row.try_get_by_index(7).doing(DOING)?,
    })
}

fn scopes(row: &QueryResult, column: usize) -> Result<Vec<String>, StoreError> {
    let written: String = row.try_get_by_index(column).doing(DOING)?;
    Ok(written.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
}
