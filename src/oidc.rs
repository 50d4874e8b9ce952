//! OpenID Connect: whether a bearer token is a provider's word about a person. Discovery, its keys, and the checks.
//!
//! May import: the clock, config. The provider is asked for its keys only, within limits of time and size, and seldom: an
//! unknown key makes it be asked at most every [`ASK_EVERY`].
//!
//! Invariant: only algorithms with a public key are taken; issuer, audience and expiry are required and checked.

mod keys;

use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::config::OidcConfig;
use keys::{KeySet, Provider};

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The provider is asked no more often than this.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How long keys are used that can't be fetched anew.
const STALE_MAX: Duration = Duration::from_hours(24);

/// Those with a private key at the provider and a public one here: never a shared secret, never none.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What a provider says of a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Vouched {
    pub sub: String,
    /// Only when the provider says that it has verified it.
    pub email: Option<String>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// Not a valid token of this provider for us.
    #[error("the token is not a valid one of the provider for this audience")]
    Invalid,
    /// The provider's keys can't be had.
    #[error("the provider's keys can't be had")]
    Unavailable,
}

/// Checks tokens of one provider.
pub struct Verifier {
    settings: OidcConfig,
    provider: Provider,
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: Option<KeySet>,
    /// When the keys were fetched, and when the provider was last asked: monotonic.
    fetched: Duration,
    asked: Option<Duration>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_verified: Value,
}

impl Verifier {
    #[must_use]
    pub fn new(settings: &OidcConfig, clock: Clock) -> Self {
        let provider = Provider::new(settings);
        Self { settings: settings.clone(), provider, clock, known: Mutex::default() }
    }

    /// Whether a credential may be meant for a verifier: three parts.
    #[must_use]
    pub fn takes(given: &str) -> bool {
        given.len() <= TOKEN_BYTES_MAX && given.split('.').count() == 3
    }

    /// Whom the token is about.
    ///
    /// # Errors
    /// When it is not valid, or the provider's keys can't be had.
    pub async fn verify(&self, token: &str) -> Result<Vouched, OidcError> {
        if !Self::takes(token) {
            return Err(OidcError::Invalid);
        }
        let header = decode_header(token).map_err(|_| OidcError::Invalid)?;
        // `crit` names extensions that must be understood, and none is.
        if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
            return Err(OidcError::Invalid);
        }
        let keys = self.keys(header.kid.as_deref()).await?;
        let key = keys.find(header.kid.as_deref(), header.alg).ok_or(OidcError::Invalid)?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Our own clock looks at it below.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, key, &validation).map_err(|_| OidcError::Invalid)?.claims;
        self.in_time(&claims)?;
        // Anything but a plain yes is a no.
        let verified = claims.email_verified == Value::Bool(true);
        let email = claims.email.as_str().filter(|_| verified).map(str::to_owned);
        Ok(Vouched { sub: claims.sub, email })
    }

    fn in_time(&self, claims: &Claims) -> Result<(), OidcError> {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
        let (now, leeway) = (self.clock.now().timestamp() as f64, self.settings.leeway.as_secs_f64());
        let over = claims.exp + leeway <= now;
        let early = claims.nbf.is_some_and(|nbf| nbf - leeway > now);
        if over || early { Err(OidcError::Invalid) } else { Ok(()) }
    }

    /// The provider's keys: fetched when there are none, when they are old, or when none of them is the one that is meant.
    async fn keys(&self, kid: Option<&str>) -> Result<KeySet, OidcError> {
        // Whoever comes meanwhile waits for the one who asks.
        let mut known = self.known.lock().await;
        let now = self.clock.monotonic();
        let fresh = known.keys.as_ref().filter(|_| now.saturating_sub(known.fetched) < self.settings.keys_ttl);
        if let Some(keys) = fresh.filter(|keys| keys.has(kid)) {
            return Ok(keys.clone());
        }
        if known.asked.is_none_or(|asked| now.saturating_sub(asked) >= ASK_EVERY) {
            known.asked = Some(now);
            match self.provider.fetch().await {
                Ok(keys) => (known.keys, known.fetched) = (Some(keys), self.clock.monotonic()),
                Err(why) => tracing::warn!(detail = why, "the identity provider's keys were not fetched"),
            }
        }
        let usable = known.keys.as_ref().filter(|_| now.saturating_sub(known.fetched) < STALE_MAX);
        usable.cloned().ok_or(OidcError::Unavailable)
    }
}
