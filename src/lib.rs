//! entitled: one store of who belongs to what, and why. See `ARCHITECTURE.md` for the way through it.

pub mod access;
pub mod access_log;
pub mod admin;
mod batch;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod decoders;
pub mod hints;
pub mod history;
pub mod http;
mod json;
pub mod login;
pub mod metrics;
pub mod oidc;
pub mod provision;
pub mod reconcile;
pub mod remote;
pub mod report;
pub mod runner;
pub mod scheduler;
pub mod source;
pub mod store;
