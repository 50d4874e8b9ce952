//! The running daemon: the real binary as a process, real signals, real HTTP, the simulators behind it, on both stores.

mod support;

#[path = "serve/accounts.rs"]
mod accounts;
#[path = "serve/answer.rs"]
mod answer;
#[path = "serve/busy.rs"]
mod busy;
#[path = "serve/decision.rs"]
mod decision;
#[path = "serve/failures.rs"]
mod failures;
#[path = "serve/freshness.rs"]
mod freshness;
#[path = "serve/health.rs"]
mod health;
#[path = "serve/http_errors.rs"]
mod http_errors;
#[path = "serve/login.rs"]
mod login;
#[path = "serve/metrics.rs"]
mod metrics;
#[path = "serve/openapi.rs"]
mod openapi;
#[path = "serve/outage.rs"]
mod outage;
#[path = "serve/privacy.rs"]
mod privacy;
#[path = "serve/proxy.rs"]
mod proxy;
#[path = "serve/question.rs"]
mod question;
#[path = "serve/receiver.rs"]
mod receiver;
#[path = "serve/replicas.rs"]
mod replicas;
#[path = "serve/schedule.rs"]
mod schedule;
#[path = "serve/scrape.rs"]
mod scrape;
#[path = "serve/sentry.rs"]
mod sentry;
#[path = "serve/shutdown.rs"]
mod shutdown;
#[path = "serve/single_flight.rs"]
mod single_flight;
#[path = "serve/smoke.rs"]
mod smoke;
#[path = "serve/start.rs"]
mod start;
#[path = "serve/writer.rs"]
mod writer;
