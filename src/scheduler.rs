//! The scheduler: when each source is read as a whole. One loop a source, cron in UTC, the first run soon after the start.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entitled_model::{Instant, Trigger};
use rand::RngExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Admin;
use crate::config::{HistoryConfig, Schedule, SchedulerConfig};
use crate::report::chain;
use crate::runner::{Order, Runner};
use crate::source::Source;
use crate::store::StoreError;

/// How often records that nobody needs any more are looked for.
const TIDY_EVERY: Duration = Duration::from_hours(1);

/// How long an idempotency key is kept, with the answer that was given under it.
const KEYS_KEPT: TimeDelta = TimeDelta::hours(24);

/// The most rows of the access log, or idempotency keys, that one statement prunes.
const PRUNED_ROWS_MAX: u32 = 5_000;

/// A removal goes by a reading that began after its time.
const PAST_DUE: TimeDelta = TimeDelta::milliseconds(1);

/// How often memberships that were given until an instant are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(2);

/// Runs every scheduled source until `stop` is cancelled; what is then in flight is the tracker's.
pub struct Scheduler {
    pub runner: Runner,
    /// The deployment's own hand.
    pub admin: Admin,
    pub settings: SchedulerConfig,
    pub history: HistoryConfig,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

impl Scheduler {
    /// Starts one loop for each source that has a schedule, and one that tidies up.
    pub fn start(&self) {
        for source in self.runner.registry.iter() {
            let Some(schedule) = source.settings.schedule.clone() else { continue };
            let delay = self.first_delay();
            let sources_loop = Loop {
                runner: self.runner.clone(),
                source: Arc::clone(source),
                schedule,
                stop: self.stop.clone(),
                tasks: self.tasks.clone(),
            };
            self.tasks.spawn(sources_loop.run(delay));
        }
        self.tasks.spawn(expire(self.admin.clone(), self.stop.clone()));
        self.tasks.spawn(tidy(self.runner.clone(), self.history.clone(), self.stop.clone()));
    }

    /// Sources, and replicas that start together, don't all ask at once.
    fn first_delay(&self) -> Duration {
        self.settings.start_jitter.mul_f64(rand::rng().random_range(0.0..=1.0))
    }
}

struct Loop {
    runner: Runner,
    source: Arc<Source>,
    schedule: Schedule,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Loop {
    async fn run(self, first_delay: Duration) {
        let clock = self.runner.store.clock().clone();
        let mut next = Some((first_delay, None));
        let mut current: Option<JoinHandle<Option<Instant>>> = None;
        while let Some((wait, due_at)) = next {
            let mut began_at = None;
            tokio::select! {
                () = self.stop.cancelled() => return,
                // A run may have scheduled removals that are due before the schedule comes, and left those that came due
                // after it began.
                ended = async { current.as_mut().expect("guarded").await }, if current.is_some() => {
                    (current, began_at) = (None, ended.ok().flatten());
                }
                () = clock.sleep(wait) => current = self.fire(current, due_at),
            }
            let now = clock.now();
            next = self.next(now, began_at.unwrap_or(now)).await;
        }
    }

    /// How long to wait, and for when: the schedule, or a removal that is due before, and after `since`.
    async fn next(&self, now: Instant, since: Instant) -> Option<(Duration, Option<Instant>)> {
        let scheduled = self.schedule.next_after(now)?;
        let removal = self.runner.store.next_due(&self.source.name, since).await.unwrap_or_else(|error| {
            tracing::warn!(source = %self.source.name, detail = chain(&error), "removals that are due were not looked for");
            None
        });
        let due_at = removal.map_or(scheduled, |removal| scheduled.min(removal + PAST_DUE));
        Some(((due_at - now).to_std().unwrap_or_default(), Some(due_at)))
    }

    /// Starts a run, unless the last one is still going; it ends with when its reading began. What was due at `due_at` another
    /// replica may have done already.
    fn fire(
        &self,
        current: Option<JoinHandle<Option<Instant>>>,
        due_at: Option<Instant>,
    ) -> Option<JoinHandle<Option<Instant>>> {
        if let Some(running) = current.filter(|run| !run.is_finished()) {
            self.runner.reports.metrics().run_skipped(&self.source.name);
            tracing::info!(source = %self.source.name, "the previous run is still going: skipped");
            return Some(running);
        }
        let (runner, source, stop) = (self.runner.clone(), Arc::clone(&self.source), self.stop.clone());
        Some(self.tasks.spawn(async move {
            let order = Order { due_at, ..Order::new(runner.store.clock(), Trigger::Schedule, stop) };
            match runner.whole(&source, &order).await {
                Ok(Some(run)) => Some(run.began_at),
                Ok(None) => {
                    tracing::info!(source = %source.name, "another process reads it, or has: skipped");
                    None
                }
                // Told by the runner.
                Err(_) => None,
            }
        }))
    }
}

async fn expire(admin: Admin, stop: CancellationToken) {
    let clock = admin.store.clock().clone();
    loop {
        match admin.end_expired().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "ended memberships that were given until now"),
            Err(error) => tracing::warn!(detail = chain(&error), "memberships that are over were not ended"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep(EXPIRE_EVERY) => {}
        }
    }
}

async fn tidy(runner: Runner, history: HistoryConfig, stop: CancellationToken) {
    let clock = runner.store.clock().clone();
    loop {
        match runner.store.forget_quiet_runs(clock.now() - history.runs_kept).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "forgot old runs without changes"),
            Err(error) => tracing::warn!(detail = chain(&error), "old runs were not forgotten"),
        }
        match prune(&runner, Old::Accesses(clock.now() - history.accesses_kept), &stop).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "pruned the access log"),
            Err(error) => tracing::warn!(detail = chain(&error), "the access log was not pruned"),
        }
        match prune(&runner, Old::Keys(clock.now() - KEYS_KEPT), &stop).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "pruned idempotency keys"),
            Err(error) => tracing::warn!(detail = chain(&error), "idempotency keys were not pruned"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep(TIDY_EVERY) => {}
        }
    }
}

/// What is pruned, and from before when.
enum Old {
    Accesses(Instant),
    Keys(Instant),
}

/// Batch by batch, so that nobody waits long for the database.
async fn prune(runner: &Runner, old: Old, stop: &CancellationToken) -> Result<u64, StoreError> {
    let mut pruned = 0;
    while !stop.is_cancelled() {
        let batch = match old {
            Old::Accesses(before) => runner.store.forget_accesses(before, PRUNED_ROWS_MAX).await?,
            Old::Keys(before) => runner.store.forget_keys(before, PRUNED_ROWS_MAX).await?,
        };
        pruned += batch;
        if batch < u64::from(PRUNED_ROWS_MAX) {
            break;
        }
    }
    Ok(pruned)
}
