//! The HTTP client of one source: the only owner of a `reqwest::Client`, and the only place where waiting is decided.
//!
//! A question passes, in this order: the [`Gate`] (circuit breaker), the pause a source asked for, the rate limit, one
//! [`Transport`] attempt (deadlines, size limit), the caller's reading of the [`Reply`], and perhaps another attempt.
//!
//! Invariant: every wait and every loop here has a limit; no failure names more of a question than its source's settings.

mod gate;
mod heard;
mod jitter;
mod pace;
mod patience;
mod reply;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use entitled_model::observation::Retry;
use entitled_model::{ErrorClass, Failure};
use reqwest::StatusCode;
use reqwest::header::{HeaderName, HeaderValue};

use crate::clock::Clock;
use crate::config::CommonSource;
use crate::source::Urgency;

pub(super) use gate::Gate;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use heard::Heard;
pub(super) use reply::Reply;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use reply::{PAUSE_MAX, http_date, retry_after};
pub(super) use transport::{Call, Content, Transport};

use gate::{About, Permit};
use pace::Pace;
use patience::Patience;

/// How a call shows that it may ask.
#[async_trait]
pub(super) trait Credential: Send + Sync {
    /// The header that carries it. Its value is marked sensitive.
    ///
    /// # Errors
    /// When it could not be fetched.
    async fn header(&self) -> Result<(HeaderName, HeaderValue), Failure>;

    /// The source answered 401 to `header`: whether a fresh one is worth one more attempt.
    async fn refused(&self, header: &HeaderValue) -> bool;
}

/// Asks one source, with patience and manners.
pub(super) struct Client {
    /// The source's name, for messages.
    name: String,
    clock: Clock,
    transport: Arc<Transport>,
    gate: Arc<Gate>,
    pace: Pace,
    settings: CommonSource,
}

/// One attempt's result, and whether the source or the question is to blame for a failure.
struct Attempt<T> {
    result: Result<T, Failure>,
    about: About,
}

impl Client {
    /// # Errors
    /// When the TLS provider can't be set up.
    pub fn new(name: &str, settings: &CommonSource, clock: Clock) -> Result<Self, reqwest::Error> {
        let transport = Transport::new(settings.timeout, settings.body_bytes_max, clock.clone())?;
        let gate = Gate::hearing(clock.clone(), transport.heard());
        Ok(Self {
            name: name.to_owned(),
            transport: Arc::new(transport),
            gate: Arc::new(gate),
            pace: Pace::new(settings.rate, clock.clone()),
            settings: settings.clone(),
            clock,
        })
    }

    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// For what must be asked while another question is on its way: a credential's token.
    pub fn transport(&self) -> Arc<Transport> {
        Arc::clone(&self.transport)
    }

    /// Asks, and asks again when that can help. `read` turns a reply into a value or a failure, and decides with it
    /// whether another attempt is worth it.
    ///
    /// # Errors
    /// The last attempt's failure, or at once the source's last one while its circuit is open.
    pub async fn ask<T, R>(&self, call: &Call, credential: &dyn Credential, read: R) -> Result<T, Failure>
    where
        T: Send,
        R: Fn(&Reply) -> Result<T, Failure> + Send + Sync,
    {
        let permit = self.gate.admit().await?;
        let Attempt { result, about } = self.attempts(&permit, call, credential, &read).await;
        permit.settle(result.as_ref().err(), about);
        result
    }

    async fn attempts<T, R>(
        &self,
        permit: &Permit<'_>,
        call: &Call,
        credential: &dyn Credential,
        read: &R,
    ) -> Attempt<T>
    where
        T: Send,
        R: Fn(&Reply) -> Result<T, Failure> + Send + Sync,
    {
        let attempts_max = if permit.is_probe() { 1 } else { self.settings.retry.attempts };
        let mut patience = Patience::new(self.settings.retry, attempts_max, self.clock.clone());
        loop {
            if let Err(failure) = self.clearance(call.urgency, &mut patience).await {
                return Attempt { result: Err(failure), about: About::Ourselves };
            }
            let timeout = patience.timeout(self.settings.timeout);
            let attempt = self.attempt(call, credential, timeout, read).await;
            let Err(failure) = &attempt.result else { return attempt };
            if let Retry::After(pause) = failure.retry {
                self.gate.pause(pause);
            }
            let Some(wait) = patience.next_wait(failure) else { return attempt };
            permit.attempted();
            self.clock.sleep(wait).await;
        }
    }

    /// Waits for the source's pause and for the rate limit.
    async fn clearance(&self, urgency: Urgency, patience: &mut Patience) -> Result<(), Failure> {
        loop {
            if let Some(pause) = self.gate.paused_for() {
                if !patience.allows(pause) {
                    let message = format!("the source asked for a pause of {} s more", pause.as_secs() + 1);
                    return Err(Failure::new(ErrorClass::RateLimited, message).retry(Retry::After(pause)));
                }
                self.clock.sleep(jitter::lengthened(pause)).await;
                continue;
            }
            match self.pace.wait_for_turn(urgency).await {
                None => return Err(self.too_many_waiting()),
                Some(waited) if waited.is_zero() => return Ok(()),
                // A pause may have begun meanwhile. The wait for our own limit is not the source's fault.
                Some(waited) => patience.extend(waited),
            }
            if self.gate.paused_for().is_none() {
                return Ok(());
            }
        }
    }

    fn too_many_waiting(&self) -> Failure {
        let Self { name, .. } = self;
        let message = format!("too many questions wait for entitled's own limit, sources.{name}.rate");
        Failure::new(ErrorClass::RateLimited, message).retry(Retry::Soon)
    }

    async fn attempt<T, R>(&self, call: &Call, credential: &dyn Credential, timeout: Duration, read: &R) -> Attempt<T>
    where
        R: Fn(&Reply) -> Result<T, Failure>,
    {
        let reply = match self.fetch(call, credential, timeout).await {
            Ok(reply) => reply,
            Err(failure) => return Attempt { result: Err(failure), about: About::TheSource },
        };
        let result = read(&reply);
        let about = result.as_ref().err().map_or(About::TheSource, |failure| About::of(reply.status, failure.class));
        Attempt { result, about }
    }

    async fn fetch(&self, call: &Call, credential: &dyn Credential, timeout: Duration) -> Result<Reply, Failure> {
        let (name, value) = credential.header().await?;
        let reply = self.transport.fetch(call, Some((&name, &value)), timeout).await?;
        if reply.status != StatusCode::UNAUTHORIZED || !credential.refused(&value).await {
            return Ok(reply);
        }
        let (name, value) = credential.header().await?;
        self.transport.fetch(call, Some((&name, &value)), timeout).await
    }
}
