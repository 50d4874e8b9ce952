//! Idempotency keys: which request of a caller came under which key, and what was answered. They stand beside the event log, and
//! never take its head.
//!
//! Invariant: of all who come with one key of one caller, on any replica, one alone holds the claim; and only who holds it answers.

use entitled_model::Instant;
use sea_orm::{ConnectionTrait, QueryResult, SqliteTransactionMode, TransactionOptions, TransactionTrait, Value};
use uuid::Uuid;

use super::error::{Doing, StoreError};
use super::sql::Dialect;
use super::{Reader, Store, Unit};

/// How many answered keys of one caller are kept; the oldest go first.
pub const KEYS_OF_ACTOR_MAX: u32 = 10_000;

/// SHA-256 of what makes two requests the same one.
pub type Fingerprint = [u8; 32];

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    pub status: u16,
    /// A JSON object of texts.
    pub headers: String,
    pub body: Vec<u8>,
}

/// What comes of claiming a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is the caller's to carry out: by this claim it is answered, or released.
    Mine(Uuid),
    /// Somebody carries it out just now.
    Busy,
    /// It came with another request before.
    Another,
    Answered(StoredAnswer),
}

impl Store {
    /// Claims a caller's key for a request. A claim from before `stale_before` that was never answered counts no more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_key(
        &self,
        actor: &str,
        key: &str,
        fingerprint: &Fingerprint,
        stale_before: Instant,
    ) -> Result<Claimed, StoreError> {
        const DOING: &str = "claiming an idempotency key";
        let (d, claim) = (self.db.dialect(), self.clock.new_id());
        // One statement, which the database lets only one of several pass.
        let sql = "INSERT INTO idempotency_key (actor, key, claim, fingerprint, claimed_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (actor, key) DO UPDATE
            SET claim = excluded.claim, fingerprint = excluded.fingerprint, claimed_at = excluded.claimed_at
            WHERE idempotency_key.status IS NULL AND idempotency_key.claimed_at < $6";
        let values: [Value; 6] = [
            actor.into(),
            key.into(),
            claim.into(),
            fingerprint.to_vec().into(),
            self.clock.now().into(),
            stale_before.into(),
        ];
        let turn = self.turn().await;
        if self.db.execute_raw(d.statement(sql, values)).await.doing(DOING)?.rows_affected() == 1 {
            return Ok(Claimed::Mine(claim));
        }
        drop(turn);
        let sql = "SELECT fingerprint, status, headers, body FROM idempotency_key WHERE actor = $1 AND key = $2";
        let row = self.db.query_one_raw(d.statement(sql, [actor.into(), key.into()])).await.doing(DOING)?;
        // Released in between: whoever comes again may have it.
        let Some(row) = row else { return Ok(Claimed::Busy) };
        known(&row, fingerprint).doing(DOING)
    }

    /// Keeps the answer of whoever holds the claim, and of the caller's older ones as many as are kept. Nothing is kept where the
    /// claim is gone.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn answer_key(&self, actor: &str, claim: Uuid, answer: StoredAnswer) -> Result<(), StoreError> {
        let StoredAnswer { status, headers, body } = answer;
        let sql = "UPDATE idempotency_key SET status = $3, headers = $4, body = $5 WHERE actor = $1 AND claim = $2";
        let values: [Value; 5] = [actor.into(), claim.into(), i32::from(status).into(), headers.into(), body.into()];
        {
            let _turn = self.turn().await;
            let keep = self.db.dialect().statement(sql, values);
            self.db.execute_raw(keep).await.doing("keeping an answer")?;
        }
        let sql = "DELETE FROM idempotency_key WHERE actor = $1 AND status IS NOT NULL AND claimed_at <=
            (SELECT claimed_at FROM idempotency_key WHERE actor = $1 ORDER BY claimed_at DESC LIMIT 1 OFFSET $2)";
        self.forget(sql, vec![actor.into(), i64::from(KEYS_OF_ACTOR_MAX).into()]).await.map(drop)
    }

    /// Lets go of a claim, so that the request may come again.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn release_key(&self, actor: &str, claim: Uuid) -> Result<(), StoreError> {
        let sql = "DELETE FROM idempotency_key WHERE actor = $1 AND claim = $2 AND status IS NULL";
        self.forget(sql, vec![actor.into(), claim.into()]).await.map(drop)
    }

    /// Forgets up to `rows_max` keys from before `before`, oldest first, and says how many there were.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_keys(&self, before: Instant, rows_max: u32) -> Result<u64, StoreError> {
        let sql = "DELETE FROM idempotency_key WHERE (actor, key) IN
            (SELECT actor, key FROM idempotency_key WHERE claimed_at < $1 ORDER BY claimed_at LIMIT $2)";
        self.forget(sql, vec![before.into(), i64::from(rows_max).into()]).await
    }

    async fn forget(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        const DOING: &str = "forgetting idempotency keys";
        let _turn = self.turn().await;
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let tx = self.db.begin_with_options(options).await.doing(DOING)?;
        leave_nothing_behind(&tx).await?;
        let forgotten = tx.execute_raw(tx.dialect().statement(sql, values)).await.doing(DOING)?.rows_affected();
        tx.commit().await.doing(DOING)?;
        Ok(forgotten)
    }
}

impl Unit {
    /// Forgets every key and answer, whoever's: any of them may tell of a person who is being erased. A request that is being
    /// carried out loses its claim, and so keeps no answer either.
    pub(super) async fn forget_answers(&mut self) -> Result<(), StoreError> {
        const DOING: &str = "erasing answers";
        if self.dialect() == Dialect::Postgres {
            // Nobody claims a key, and reads what is not erased yet, between this and the commit.
            let lock = "LOCK TABLE idempotency_key IN EXCLUSIVE MODE";
            self.reader().execute_unprepared(lock).await.doing(DOING)?;
        }
        leave_nothing_behind(self.reader()).await?;
        self.reader().execute_unprepared("DELETE FROM idempotency_key").await.doing(DOING)?;
        Ok(())
    }
}

/// Otherwise what was deleted stays in SQLite's file until its place is needed.
pub(super) async fn leave_nothing_behind(conn: &impl Reader) -> Result<(), StoreError> {
    if conn.dialect() == Dialect::Sqlite {
        let sql = "PRAGMA secure_delete = ON";
        conn.execute_unprepared(sql).await.doing("asking for deletions that leave nothing behind")?;
    }
    Ok(())
}

fn known(row: &QueryResult, asked: &Fingerprint) -> Result<Claimed, sea_orm::DbErr> {
    let fingerprint: Vec<u8> = row.try_get_by_index(0)?;
    if fingerprint != asked {
        return Ok(Claimed::Another);
    }
    let Some(status) = row.try_get_by_index::<Option<i32>>(1)? else { return Ok(Claimed::Busy) };
    let (headers, body) = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
    Ok(Claimed::Answered(StoredAnswer { status: u16::try_from(status).unwrap_or_default(), headers, body }))
}
