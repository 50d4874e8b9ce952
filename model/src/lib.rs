//! The pure core of entitled: what is known, what is wanted, and what follows from the two.
//!
//! Everything here is total and deterministic: no I/O, no clock, no randomness. Instants and new ids come in as
//! parameters. Read in the order of the data:
//!
//! [`observation`] (what a source said) → [`people`] and [`groups`] (who and what that is here) → [`desired`] (what should
//! be stored) → [`diff`](mod@diff) (against what is stored) → [`plan`] (guarded, hashed) → [`event`] (what happened,
//! chained) → [`projection`] (rows that follow). Looking back: [`moment`], [`history`], [`why`].

pub mod access;
pub mod administrators;
pub mod desired;
pub mod diff;
pub mod entitlement;
pub mod enumeration;
pub mod event;
pub mod groups;
pub mod history;
pub mod identity;
pub mod instant;
pub mod mapping;
pub mod moment;
pub mod observation;
pub mod outcome;
pub mod path;
pub mod people;
pub mod plan;
pub mod projection;
pub mod resource;
pub mod role;
pub mod token;
pub mod why;

pub use entitlement::{EntitlementKey, EntitlementValue};
pub use identity::{
    EmailAddress, EmailKey, EventId, Facet, GrantId, GroupId, GroupName, Permission, Position, RunId, SourceName,
    Subject, TokenId, UserId,
};
pub use instant::Instant;
pub use mapping::MapRule;
pub use moment::Moment;
pub use observation::{ErrorClass, Failure, Said};
pub use outcome::{Outcome, Trigger};
