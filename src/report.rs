//! Reports: what a run came to, told to the log, the metrics and Sentry.
//!
//! Sentry hears once of each source and class while a failure lasts, and once of the recovery. Nothing personal is told:
//! sources by name, users by id, failures by class and by what they say of settings and fields.

mod enumeration;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entitled_model::{ErrorClass, Instant, Outcome, RunId, SourceName, Trigger};
use sentry::protocol::{Event, Level};

use crate::metrics::Metrics;
use crate::reconcile::{Enumeration, Failed, SourceRun};
use crate::store::{Breadth, StoreError};

use enumeration::Trouble;

/// When and why a run was, beside what it came to.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    pub run_id: RunId,
    pub trigger: Trigger,
    pub breadth: Breadth,
    /// Whether the source is read by a schedule; a login's success then says nothing about that.
    pub scheduled: bool,
    pub took: Duration,
    pub ended_at: Instant,
}

/// Tells of runs.
#[derive(Default)]
pub struct Reports {
    metrics: Arc<Metrics>,
    /// Which failures were told and last, and the plan that was last told as held.
    told: Mutex<BTreeMap<SourceName, Told>>,
    /// The store failed a request, and has not answered one since.
    store_failing: AtomicBool,
}

#[derive(Default)]
struct Told {
    failures: BTreeMap<ErrorClass, Breadth>,
    held: Option<String>,
    /// The last administrator was kept against what the source says.
    blocked: bool,
    /// What was told to be wrong with a source's lists.
    lists: Option<Trouble>,
    /// A fault of our own ended the last run.
    broken: bool,
}

/// What Sentry should hear after a run.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Failing(ErrorClass),
    Recovered(BTreeSet<ErrorClass>),
    Held,
    LastAdministrator,
    Lists(Trouble),
}

impl Reports {
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..Self::default() }
    }

    /// The metrics that are counted into.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Tells of a run that ended with an outcome.
    pub fn run_ended(&self, occasion: &Occasion, run: &SourceRun) {
        let Occasion { run_id, trigger, breadth, scheduled, took, ended_at } = *occasion;
        let SourceRun { source, outcome, error, created_count, removed_count, kept_count, unchanged, .. } = run;
        self.metrics.run_ended(source, trigger, *outcome, took);
        self.metrics.changed(source, "created", *created_count);
        self.metrics.changed(source, "removed", *removed_count);
        self.metrics.changed(source, "kept", *kept_count);
        if let Some(failed) = error {
            self.metrics.source_failed(source, failed.class);
        } else if (breadth == Breadth::Whole || !scheduled) && *outcome != Outcome::Held {
            self.metrics.source_succeeded(source, ended_at);
        }
        if let Some(enumeration) = &run.enumeration {
            enumeration::tell(&self.metrics, source, enumeration);
        }
        let class = error.as_ref().map(|failed| failed.class.as_str());
        let detail = error.as_ref().map(|failed| failed.message.as_str()).or(run.held.as_deref());
        tracing::info!(
            %run_id, %source, %trigger, %outcome, error = class, detail,
            created = created_count, removed = removed_count, kept = kept_count, unchanged,
            users = run.users_asked, position = run.position.map(|position| position.0),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "run ended"
        );
        let (news, failing) = self.news(run, breadth);
        self.metrics.source_failing(source, failing);
        for news in news {
            tell(&news, run_id, run);
        }
    }

    /// Tells of a run that a fault of our own ended.
    pub fn run_failed(
        &self,
        run_id: RunId,
        trigger: Trigger,
        source: &SourceName,
        error: &dyn std::error::Error,
        took: Duration,
    ) {
        self.metrics.run_ended(source, trigger, Outcome::Failed, took);
        let detail = chain(error);
        tracing::error!(%run_id, %source, %trigger, outcome = %Outcome::Failed, detail, "run failed; nothing was written");
        let told = |told: &mut Told| std::mem::replace(&mut told.broken, true);
        if told(self.told.lock().unwrap_or_else(PoisonError::into_inner).entry(source.clone()).or_default()) {
            return;
        }
        let message = format!("a run of source {source} failed");
        capture(Level::Error, message, &["run-failed", source.as_str()], Some(source), &[("detail", detail)]);
    }

    /// Tells that the store failed a request, the first time.
    pub fn store_failed(&self, error: &StoreError) {
        let detail = chain(error);
        tracing::error!(detail, "a request failed in the store");
        if !self.store_failing.swap(true, Ordering::Relaxed) {
            let message = "the store fails requests".to_owned();
            capture(Level::Error, message, &["store-failing"], None, &[("detail", detail)]);
        }
    }

    /// Remembers that the store has answered a request.
    pub fn store_works(&self) {
        if self.store_failing.swap(false, Ordering::Relaxed) {
            capture(Level::Info, "the store works again".to_owned(), &["store-recovered"], None, &[]);
        }
    }

    /// What Sentry should hear, and whether some failure of the source is not over.
    fn news(&self, run: &SourceRun, breadth: Breadth) -> (Vec<News>, bool) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(run.source.clone()).or_default();
        let mut news = Vec::new();
        match &run.error {
            // A user without a claim is no failure of the source.
            Some(Failed { class: ErrorClass::MissingClaim, .. }) => {}
            Some(Failed { class, .. }) => {
                let before = told.failures.insert(*class, breadth);
                told.failures.insert(*class, before.map_or(breadth, |before| before.max(breadth)));
                news.extend(before.is_none().then_some(News::Failing(*class)));
            }
            None => {
                let over: BTreeSet<_> =
                    told.failures.iter().filter(|(_, of)| **of <= breadth).map(|(class, _)| *class).collect();
                told.failures.retain(|class, _| !over.contains(class));
                news.extend((!over.is_empty()).then_some(News::Recovered(over)));
            }
        }
        let held = run.held.as_ref().and(run.plan_hash.clone());
        news.extend((held.is_some() && held != told.held).then_some(News::Held));
        told.held = held;
        if breadth == Breadth::Whole || run.blocked {
            news.extend((run.blocked && !told.blocked).then_some(News::LastAdministrator));
            told.blocked = run.blocked;
        }
        if let Some(enumeration) = &run.enumeration {
            let trouble = Trouble::of(enumeration);
            news.extend(trouble.filter(|_| trouble != told.lists).map(News::Lists));
            told.lists = trouble;
        }
        told.broken = false;
        (news, !told.failures.is_empty())
    }
}

fn tell(news: &News, run_id: RunId, run: &SourceRun) {
    let source = &run.source;
    let mut extra = vec![("run_id", run_id.to_string())];
    match news {
        News::Failing(class) => {
            extra.extend(run.error.as_ref().map(|failed| ("detail", failed.message.clone())));
            let message = format!("source {source} is failing: {class}; stored memberships are kept");
            capture(Level::Error, message, &["source-failing", source.as_str(), class.as_str()], Some(source), &extra);
        }
        News::Recovered(classes) => {
            let classes: Vec<_> = classes.iter().map(|class| class.as_str()).collect();
            let message = format!("source {source} has recovered from: {}", classes.join(", "));
            capture(Level::Info, message, &["source-recovered", source.as_str()], Some(source), &extra);
        }
        News::Held => {
            extra.extend(run.held.clone().map(|held| ("detail", held)));
            extra.extend(run.plan_hash.clone().map(|hash| ("plan_hash", hash)));
            let message = format!("a plan of source {source} is held; nothing of it was written");
            capture(Level::Warning, message, &["plan-held", source.as_str()], Some(source), &extra);
        }
        News::LastAdministrator => {
            let message = format!("source {source} would take the last administrator, or the last owner; they stay");
            capture(Level::Warning, message, &["last-administrator", source.as_str()], Some(source), &extra);
        }
        News::Lists(trouble) => {
            if let Some(Enumeration::Failed(failure)) = &run.enumeration {
                extra.push(("detail", failure.message.clone()));
            }
            let message = trouble.message(source);
            capture(Level::Warning, message, &["lists-in-doubt", source.as_str()], Some(source), &extra);
        }
    }
}

fn capture(level: Level, message: String, fingerprint: &[&str], source: Option<&SourceName>, extra: &[(&str, String)]) {
    let event = Event {
        level,
        message: Some(message),
        logger: Some("entitled".to_owned()),
        fingerprint: fingerprint.iter().map(|part| (*part).to_owned().into()).collect::<Vec<_>>().into(),
        tags: source
            .map(|source| ("source".to_owned(), source.to_string()))
            .into_iter()
            .chain(fingerprint.get(2).map(|class| ("error_class".to_owned(), (*class).to_owned())))
            .collect(),
        extra: extra.iter().map(|(key, value)| ((*key).to_owned(), value.as_str().into())).collect(),
        ..Event::default()
    };
    sentry::capture_event(event);
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
