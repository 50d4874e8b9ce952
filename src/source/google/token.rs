//! The access token: fetched once for many calls, renewed before it expires, one fetch at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use entitled_model::{ErrorClass, Failure};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::signer::{Claims, Signer, at, bearer};
use crate::clock::Clock;
use crate::config::GoogleWorkspaceConfig;
use crate::source::client::{Call, Content, Credential, Reply, Transport};

/// What the deployment must delegate to the service account.
pub const SCOPES: [&str; 2] = [GROUPS_SCOPE, USERS_SCOPE];

/// Opens groups and their members.
pub const GROUPS_SCOPE: &str = "https://www.googleapis.com/auth/admin.directory.group.readonly";

/// Opens users.
pub const USERS_SCOPE: &str = "https://www.googleapis.com/auth/admin.directory.user.readonly";

/// A token is not used in the last part of its life: this long, or half of a shorter one.
const MARGIN: Duration = Duration::from_secs(60);

/// The longest life of a token that is believed: Google's longest.
pub const LIFE_MAX: Duration = Duration::from_secs(12 * 3600);

/// How long an assertion is valid, the most Google allows.
const ASSERTION_SECONDS: i64 = 3600;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub struct Tokens {
    source: String,
    subject: String,
    token_uri: Url,
    signer: Signer,
    transport: Arc<Transport>,
    clock: Clock,
    /// Held while a token is fetched, so that others wait for that one.
    held: Mutex<Held>,
    /// Counts the fetches that have ended.
    fetches: AtomicU64,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    /// Why the last fetch failed.
    failure: Option<Failure>,
}

pub struct Token {
    header: HeaderValue,
    /// On the monotonic clock.
    usable_until: Duration,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// In seconds.
    expires_in: u64,
}

#[async_trait]
impl Credential for Tokens {
    async fn header(&self) -> Result<(HeaderName, HeaderValue), Failure> {
        let fetches = self.fetches.load(Ordering::Acquire);
        let mut held = self.held.lock().await;
        if let Some(token) = held.token.as_ref().filter(|token| self.clock.monotonic() < token.usable_until) {
            return Ok((AUTHORIZATION, token.header.clone()));
        }
        // Whoever waited for a fetch that failed shares its failure: fifty callers are not fifty fetches.
        if self.fetches.load(Ordering::Acquire) != fetches
            && let Some(failure) = &held.failure
        {
            return Err(failure.clone());
        }
        let fetched = self.fetch(&SCOPES.join(" ")).await;
        self.fetches.fetch_add(1, Ordering::Release);
        held.failure = fetched.as_ref().err().cloned();
        let token = fetched?;
        let header = token.header.clone();
        held.token = Some(token);
        Ok((AUTHORIZATION, header))
    }

    async fn refused(&self, header: &HeaderValue) -> bool {
        let mut held = self.held.lock().await;
        if held.token.as_ref().is_some_and(|token| token.header == header) {
            held.token = None;
        }
        true
    }
}

impl Tokens {
    pub fn new(
        source: &str,
        settings: &GoogleWorkspaceConfig,
        signer: Signer,
        transport: Arc<Transport>,
        clock: Clock,
    ) -> Self {
        Self {
            source: source.to_owned(),
            subject: settings.subject.clone(),
            token_uri: settings.effective_token_uri(),
            signer,
            transport,
            clock,
            held: Mutex::default(),
            fetches: AtomicU64::new(0),
        }
    }

    /// A token for one scope alone, not kept: one scope too many refuses the whole token, so only this tells which.
    ///
    /// # Errors
    /// `unauthorized` when that scope is not delegated, or nothing is.
    pub async fn header_for(&self, scope: &str) -> Result<HeaderValue, Failure> {
        Ok(self.fetch(scope).await?.header)
    }

    async fn fetch(&self, scope: &str) -> Result<Token, Failure> {
        let assertion = self.assertion(scope).await?;
        let fields = vec![("grant_type", GRANT_TYPE.to_owned()), ("assertion", assertion)];
        let call = Call::post(self.token_uri.clone(), Content::Form(fields));
        // Its life counts from before it was asked for.
        let asked_at = self.clock.monotonic();
        let reply = self.transport.fetch_once(&call).await.map_err(|failure| at("the token endpoint", failure))?;
        self.granted(&reply, asked_at)
    }

    async fn assertion(&self, scope: &str) -> Result<String, Failure> {
        let issued_at = self.clock.now().timestamp();
        let claims = Claims {
            iss: self.signer.service_account(),
            sub: &self.subject,
            scope,
            aud: self.token_uri.as_str(),
            iat: issued_at,
            exp: issued_at + ASSERTION_SECONDS,
        };
        self.signer.sign(&claims).await
    }

    /// The token endpoint says 400 or 401 when it doesn't believe the assertion (RFC 6749, 5.2).
    fn granted(&self, reply: &Reply, asked_at: Duration) -> Result<Token, Failure> {
        let Self { source, .. } = self;
        match reply.status {
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
                let message = format!(
                    "the token endpoint answered HTTP {}: see sources.{source}.credentials, sources.{source}.subject \
                     and the scopes delegated to the service account",
                    reply.status.as_u16()
                );
                Err(Failure::new(ErrorClass::Unauthorized, message))
            }
            _ => read(reply, asked_at).map_err(|failure| at("the token endpoint", failure)),
        }
    }
}

impl Token {
    /// On the monotonic clock.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn usable_until(&self) -> Duration {
        self.usable_until
    }
}

/// The token of an answer to a question asked at `asked_at`.
pub fn read(reply: &Reply, asked_at: Duration) -> Result<Token, Failure> {
    let Granted { access_token, expires_in } = reply.ok_json()?;
    let life = Duration::from_secs(expires_in).min(LIFE_MAX);
    let usable_until = asked_at + life.saturating_sub(MARGIN.min(life / 2));
    Ok(Token { header: bearer(&access_token)?, usable_until })
}
