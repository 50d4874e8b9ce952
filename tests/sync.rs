//! One-shot runs of the real binary against the simulators, on both stores.

mod support;

#[path = "sync/ownership.rs"]
mod ownership;
