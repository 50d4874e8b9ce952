//! entitled: one store of who belongs to what, and why.
pub mod clock;
pub mod config;
pub mod reconcile;
pub mod source;
pub mod store;
