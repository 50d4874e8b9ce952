//! The access log's way to the store: a bounded queue and a writer of batches, so that no request waits for it.
//!
//! May import: the clock, the metrics, report's words, the store (its API).
//!
//! Invariants: [`AccessLog::record`] never waits; what the queue can't take, or the store won't, is counted. The writer ends
//! when nobody can record any more, having written what was queued.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entitled_model::{Instant, TokenId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::report::chain;
use crate::store::{AccessRecord, Store};

/// The verdict on a request that was let in.
pub const VALID: &str = "valid";

/// The most records that wait.
const QUEUE_RECORDS_MAX: usize = 8_192;
/// The most records in one statement.
const BATCH_RECORDS_MAX: usize = 1_000;
/// How long the first record of a batch waits for others.
const BATCH_WAIT: Duration = Duration::from_millis(500);
/// How long a batch waits that the store did not take.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// A token's last use is written at most so often.
const LAST_USE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// The most tokens whose last use is remembered.
const LAST_USES_MAX: usize = 10_000;

/// Where requests leave what is to be recorded.
#[derive(Clone)]
pub struct AccessLog {
    queue: mpsc::Sender<AccessRecord>,
    metrics: Arc<Metrics>,
}

impl AccessLog {
    /// The log, and its writer, which must be run. When `stop` is cancelled a batch that the store does not take is given up.
    pub fn open(
        store: Store,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, records) = mpsc::channel(QUEUE_RECORDS_MAX);
        let writer = Writer { store, metrics: Arc::clone(&metrics), stop, last_uses: HashMap::new() };
        (Self { queue, metrics }, writer.run(records))
    }

    /// Takes a record, unless too many wait.
    pub fn record(&self, record: AccessRecord) {
        if self.queue.try_send(record).is_err() {
            self.metrics.accesses_dropped(1);
        }
    }
}

struct Writer {
    store: Store,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    /// When each token's last use was last written.
    last_uses: HashMap<TokenId, Instant>,
}

impl Writer {
    async fn run(mut self, mut records: mpsc::Receiver<AccessRecord>) {
        let mut batch = Vec::with_capacity(BATCH_RECORDS_MAX);
        loop {
            if records.recv_many(&mut batch, BATCH_RECORDS_MAX).await == 0 {
                return;
            }
            // Others may come with it; at the end nobody is waited for.
            if batch.len() < BATCH_RECORDS_MAX && !self.stop.is_cancelled() {
                tokio::select! {
                    () = self.store.clock().sleep(BATCH_WAIT) => {}
                    () = self.stop.cancelled() => {}
                }
                while batch.len() < BATCH_RECORDS_MAX {
                    let Ok(record) = records.try_recv() else { break };
                    batch.push(record);
                }
            }
            self.write(&batch).await;
            batch.clear();
        }
    }

    async fn write(&mut self, batch: &[AccessRecord]) {
        let last_used = self.due(batch);
        loop {
            match self.store.record_accesses(batch, &last_used).await {
                Ok(()) => break,
                Err(error) if self.stop.is_cancelled() => {
                    tracing::warn!(detail = chain(&error), records = batch.len(), "the access log was not written");
                    return self.metrics.accesses_dropped(batch.len() as u64);
                }
                Err(error) => {
                    tracing::warn!(detail = chain(&error), "the access log waits for the store");
                    tokio::select! {
                        () = self.store.clock().sleep(RETRY_WAIT) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
            }
        }
        if self.last_uses.len() + last_used.len() > LAST_USES_MAX {
            self.last_uses.clear();
        }
        self.last_uses.extend(last_used);
    }

    /// The last uses that are worth being written.
    fn due(&self, batch: &[AccessRecord]) -> BTreeMap<TokenId, Instant> {
        let uses = batch.iter().filter(|record| record.verdict == VALID);
        let uses = uses.filter_map(|record| Some((record.token?, record.at)));
        let due = |(token, at): &(TokenId, Instant)| {
            self.last_uses.get(token).is_none_or(|written| *at - *written >= LAST_USE_EVERY)
        };
        uses.filter(due).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::Access;

    #[tokio::test]
    async fn what_the_queue_can_not_take_is_counted_and_nobody_waits() {
        // T6
        let clock = Clock::system();
        let store = Store::open("sqlite::memory:", 1, RETRY_WAIT, Access::ReadWrite, clock.clone()).await;
        let metrics = Arc::new(Metrics::default());
        let (log, _writer) = AccessLog::open(store.expect("a store"), Arc::clone(&metrics), CancellationToken::new());
        for _ in 0..QUEUE_RECORDS_MAX + 7 {
            log.record(AccessRecord {
                id: clock.new_id(),
                at: clock.now(),
                token: None,
                principal: None,
                verdict: VALID.to_owned(),
                method: "GET".to_owned(),
                route: "/x".to_owned(),
                status: 200,
                address: None,
                request_id: "r".to_owned(),
            });
        }
        assert!(metrics.text().contains("entitled_accesses_dropped_total 7"), "{}", metrics.text());
    }
}
