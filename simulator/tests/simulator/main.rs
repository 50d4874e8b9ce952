//! The simulator is held to the captured exchanges, to the discovery document and to the bytes on the wire.

mod captures;
mod control;
mod directory;
mod discovery;
#[path = "../support/discovery.rs"]
mod discovery_document;
mod faults;
mod management;
mod peer;
mod recorder;
mod sample;
mod stage;
mod tokens;
mod webhooks;
mod wire;
