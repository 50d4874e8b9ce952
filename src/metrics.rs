//! Metrics, in Prometheus' text form. Labels are names from the configuration and our own words, never a person.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use entitled_model::{ErrorClass, Instant, Outcome, SourceName, Trigger};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    runs: Family<RunLabels, Counter>,
    failures: Family<FailureLabels, Counter>,
    skipped: Family<SourceLabels, Counter>,
    enumeration_disagreements: Family<SourceLabels, Counter>,
    enumeration_fallbacks: Family<FallbackLabels, Counter>,
    changes: Family<ChangeLabels, Counter>,
    run_seconds: Family<SourceLabels, Histogram>,
    last_success: Family<SourceLabels, Gauge<f64, AtomicU64>>,
    failing: Family<SourceLabels, Gauge>,
    logins: Family<LoginLabels, Counter>,
    login_sources: Family<FreshnessLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    authentications_failed: Family<ReasonLabels, Counter>,
    accesses_dropped: Counter,
    request_seconds: Family<RouteLabels, Histogram>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RunLabels {
    source: String,
    trigger: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FailureLabels {
    source: String,
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FallbackLabels {
    source: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ChangeLabels {
    source: String,
    change: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LoginLabels {
    decision: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FreshnessLabels {
    source: String,
    freshness: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let run_seconds = || Histogram::new(exponential_buckets(0.01, 4.0, 9));
        let request_seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 13));
        let mut metrics = Self {
            registry: Registry::with_prefix("entitled"),
            runs: Family::default(),
            failures: Family::default(),
            skipped: Family::default(),
            enumeration_disagreements: Family::default(),
            enumeration_fallbacks: Family::default(),
            changes: Family::default(),
            run_seconds: Family::new_with_constructor(run_seconds),
            last_success: Family::default(),
            failing: Family::default(),
            logins: Family::default(),
            login_sources: Family::default(),
            requests: Family::default(),
            authentications_failed: Family::default(),
            accesses_dropped: Counter::default(),
            request_seconds: Family::new_with_constructor(request_seconds),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "1, with the version that runs", build);
        registry.register("runs", "Runs ended, by source, trigger and outcome", self.runs.clone());
        registry.register("run_failures", "Runs in which a source, or a part of it, failed", self.failures.clone());
        registry.register(
            "runs_skipped",
            "Schedules that fired while the source was still running",
            self.skipped.clone(),
        );
        let help = "Users whose own answer was another than the one derived from lists";
        registry.register("enumeration_disagreements", help, self.enumeration_disagreements.clone());
        let help = "Runs that asked about each user because lists failed, or were not trusted";
        registry.register("enumeration_fallbacks", help, self.enumeration_fallbacks.clone());
        registry.register("membership_changes", "Memberships created, removed and kept back", self.changes.clone());
        registry.register_with_unit("run_duration", "How long runs took", Unit::Seconds, self.run_seconds.clone());
        let help = "When the whole of a source was last read without any failure, in Unix time";
        registry.register_with_unit("source_last_success_timestamp", help, Unit::Seconds, self.last_success.clone());
        registry.register("source_failing", "1 while a failure of a source is not over, else 0", self.failing.clone());
        registry.register("logins", "Logins answered, by decision", self.logins.clone());
        registry.register("login_answers", "What logins were answered from, by source", self.login_sources.clone());
        registry.register("http_requests", "Requests answered, by route template", self.requests.clone());
        let help = "Requests whose caller was not recognised, or may not do what was asked, by reason";
        registry.register("authentications_failed", help, self.authentications_failed.clone());
        let help = "Records of the access log that were not written";
        registry.register("accesses_dropped", help, self.accesses_dropped.clone());
        let help = "How long requests took";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, self.request_seconds.clone());
    }

    /// The text that a scraper reads (OpenMetrics).
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            let _ = writeln!(text, "# the metrics could not be written");
        }
        text
    }

    /// Counts a run.
    pub fn run_ended(&self, source: &SourceName, trigger: Trigger, outcome: Outcome, took: Duration) {
        let source = source.to_string();
        let labels = RunLabels { source: source.clone(), trigger: trigger.as_str(), outcome: outcome.as_str() };
        self.runs.get_or_create(&labels).inc();
        self.run_seconds.get_or_create(&SourceLabels { source }).observe(took.as_secs_f64());
    }

    /// Counts memberships that a run created, removed or kept back.
    pub fn changed(&self, source: &SourceName, change: &'static str, count: u64) {
        if count > 0 {
            self.changes.get_or_create(&ChangeLabels { source: source.to_string(), change }).inc_by(count);
        }
    }

    /// Counts users about whom lists were wrong.
    pub fn enumeration_disagreed(&self, source: &SourceName, users: u64) {
        self.enumeration_disagreements.get_or_create(&SourceLabels { source: source.to_string() }).inc_by(users);
    }

    /// Counts a run that did without lists; `reason` is the class of their failure, or `distrusted`.
    pub fn enumeration_fell_back(&self, source: &SourceName, reason: &'static str) {
        self.enumeration_fallbacks.get_or_create(&FallbackLabels { source: source.to_string(), reason }).inc();
    }

    /// Counts a failure of a source, or of a part of it.
    pub fn source_failed(&self, source: &SourceName, class: ErrorClass) {
        let source = source.to_string();
        self.failures.get_or_create(&FailureLabels { source, class: class.as_str() }).inc();
    }

    /// Says whether some failure of a source is not over.
    pub fn source_failing(&self, source: &SourceName, failing: bool) {
        self.failing.get_or_create(&SourceLabels { source: source.to_string() }).set(failing.into());
    }

    /// Remembers that the whole of a source was read and applied.
    pub fn source_succeeded(&self, source: &SourceName, at: Instant) {
        let labels = SourceLabels { source: source.to_string() };
        #[expect(clippy::cast_precision_loss, reason = "whole seconds since 1970 are far below 2^52")]
        self.last_success.get_or_create(&labels).set(at.timestamp() as f64);
    }

    /// Counts a schedule that fired in vain.
    pub fn run_skipped(&self, source: &SourceName) {
        self.skipped.get_or_create(&SourceLabels { source: source.to_string() }).inc();
    }

    /// Counts a login, and what each source's part of the answer rests on.
    pub fn login_answered(&self, decision: &'static str, sources: impl Iterator<Item = (SourceName, &'static str)>) {
        self.logins.get_or_create(&LoginLabels { decision }).inc();
        for (source, freshness) in sources {
            let labels = FreshnessLabels { source: source.to_string(), freshness };
            self.login_sources.get_or_create(&labels).inc();
        }
    }

    /// Counts a request that was refused for who asked.
    pub fn authentication_failed(&self, reason: &'static str) {
        self.authentications_failed.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Counts records of the access log that were lost.
    pub fn accesses_dropped(&self, records: u64) {
        self.accesses_dropped.inc_by(records);
    }

    /// Counts a request; `route` is the template.
    pub fn request_answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.requests.get_or_create(&RequestLabels { method, route: route.clone(), status }).inc();
        self.request_seconds.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }
}
