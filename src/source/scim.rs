//! The group source that speaks SCIM 2.0 (RFC 7643, RFC 7644, RFC 9865).
//!
//! One user's groups and the whole directory are read by different calls and by one rule: a group's members are those
//! that its own `members` says, accounts are recognised by their immutable `id`, and an address that two accounts claim
//! names neither. A list counts as read only when it came to its end and holds as many resources as it states. What a
//! login asks by a filter is believed only after the server's filters were tried on something known ([`trial`]); where
//! they can't be believed, a login's answer is taken from a reading of the whole ([`whole`]).
//!
//! The `groups` attribute of a user is never read: servers may leave it out, or put more into it than `members` says.
//!
//! [`service`] (one call) → [`list`] (pages) → [`census`] (everybody) or [`lookup`] (one user). Imports the client,
//! config and the model.

mod accounts;
mod census;
#[cfg(any(test, feature = "fuzzing"))]
mod decoders;
mod features;
mod filter;
mod list;
mod lookup;
mod scope;
mod service;
#[cfg(test)]
mod tests;
mod trial;
mod versions;
mod whole;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use entitled_model::observation::{Census, UserAnswer};
use entitled_model::{ErrorClass, Failure};
use reqwest::header::InvalidHeaderValue;

use super::client::Client;
use super::{GroupSource, Person, Progress, Urgency};
use crate::config::{Nested, ScimConfig};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use decoders::DECODERS;
use scope::Scope;
use service::Service;
use trial::Trials;
use whole::Wholes;

pub(super) struct Scim {
    service: Service,
    scope: Scope,
    nested: Nested,
    /// Resources read alone at once.
    concurrency: usize,
    trials: Trials,
    wholes: Wholes,
}

impl Scim {
    /// # Errors
    /// When the token can't be sent in a header.
    pub fn new(name: &str, settings: &ScimConfig, client: Arc<Client>) -> Result<Self, InvalidHeaderValue> {
        Ok(Self {
            service: Service::new(name, settings, client)?,
            scope: Scope::new(settings),
            nested: settings.nested,
            concurrency: settings.concurrency.max(1),
            trials: Trials::default(),
            wholes: Wholes::default(),
        })
    }
}

#[async_trait]
impl GroupSource for Scim {
    async fn groups_of(&self, person: &Person, urgency: Urgency) -> Result<UserAnswer, Failure> {
        lookup::groups_of(self, person, urgency).await
    }

    async fn census(&self, progress: &dyn Progress) -> Result<Census, Failure> {
        census::read(self, progress, Urgency::Background).await?.census(self.nested)
    }
}

fn incomplete(why: impl Into<String>) -> Failure {
    Failure::new(ErrorClass::Incomplete, why)
}

fn malformed(why: impl Into<String>) -> Failure {
    Failure::new(ErrorClass::Malformed, why)
}
