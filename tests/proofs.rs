//! Proofs by force and by chance: processes that are killed, paused and cut off, statements that the database refuses, and
//! random walks that are compared with a model of the rules.

mod support;

#[path = "proofs/costs.rs"]
mod costs;
#[path = "proofs/deadline.rs"]
mod deadline;
#[path = "proofs/ground.rs"]
mod ground;
#[path = "proofs/holding.rs"]
mod holding;
#[path = "proofs/keys.rs"]
mod keys;
#[path = "proofs/kill.rs"]
mod kill;
#[path = "proofs/parts.rs"]
mod parts;
#[path = "serve/proxy.rs"]
mod proxy;
#[path = "proofs/reference.rs"]
mod reference;
#[path = "proofs/refusals.rs"]
mod refusals;
#[path = "proofs/replicas.rs"]
mod replicas;
#[path = "proofs/script.rs"]
mod script;
#[path = "proofs/sight.rs"]
mod sight;
#[path = "sync/stage.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod stage;
#[path = "proofs/stored.rs"]
mod stored;
#[path = "proofs/upstream.rs"]
mod upstream;
#[path = "proofs/walk.rs"]
mod walk;
#[path = "serve/writer.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod writer;

/// How many rounds a test goes: as many as fit into every run of the tests, or as the environment says.
fn rounds(usual: usize) -> usize {
    std::env::var("ENTITLED_TEST_ROUNDS").ok().map_or(usual, |rounds| rounds.parse().expect("a number of rounds"))
}
