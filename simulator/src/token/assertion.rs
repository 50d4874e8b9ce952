//! The signed assertion a service account exchanges for a token, checked as Google checks it.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use super::{PUBLIC_KEY_PEM, SERVICE_ACCOUNT};

/// Seconds between `iat` and `exp`, at most.
const LIFETIME_SECONDS_MAX: i64 = 3600;
/// Seconds by which the two clocks may differ.
const CLOCK_SKEW_SECONDS_MAX: i64 = 300;

const TIMEFRAME: &str = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
                         Check your iat and exp values in the JWT claim.";

/// What a service account claims.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    pub scope: String,
    sub: String,
}

/// Why no token is issued: `error` and `error_description` of RFC 6749.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invalid {
    pub error: &'static str,
    pub description: String,
}

impl Invalid {
    pub(super) fn request(description: &str) -> Invalid {
        Invalid { error: "invalid_request", description: description.to_owned() }
    }

    pub(super) fn grant_type(grant_type: &str) -> Invalid {
        Invalid { error: "unsupported_grant_type", description: format!("Invalid grant_type: {grant_type}") }
    }

    /// What Google says when one of the scopes asked for is not delegated, whatever the others are.
    pub(super) fn client() -> Invalid {
        let description = "Client is unauthorized to retrieve access tokens using this method, or client not authorized \
                           for any of the scopes requested.";
        Invalid { error: "unauthorized_client", description: description.to_owned() }
    }

    fn grant(description: impl Into<String>) -> Invalid {
        Invalid { error: "invalid_grant", description: description.into() }
    }
}

/// Checks signature, issuer, audience, times, scope and subject.
pub(super) fn verify(assertion: &str, audiences: &[String], now: i64) -> Result<Claims, Invalid> {
    let key =
        DecodingKey::from_rsa_pem(PUBLIC_KEY_PEM.as_bytes()).map_err(|error| Invalid::grant(error.to_string()))?;
    let claims = decode::<Claims>(assertion, &key, &signature_only()).map_err(explained)?.claims;
    if claims.iss != SERVICE_ACCOUNT {
        return Err(Invalid::grant("Invalid grant: account not found"));
    }
    if !audiences.contains(&claims.aud) {
        let token_uri = audiences.first().map_or("", String::as_str);
        let description = format!("Invalid JWT: Failed audience check. The right audience is {token_uri}");
        return Err(Invalid::grant(description));
    }
    let lifetime = claims.exp.saturating_sub(claims.iat);
    let begun = claims.iat <= now.saturating_add(CLOCK_SKEW_SECONDS_MAX);
    let expired = claims.exp.saturating_add(CLOCK_SKEW_SECONDS_MAX) <= now;
    if !begun || expired || !(1..=LIFETIME_SECONDS_MAX).contains(&lifetime) {
        return Err(Invalid::grant(TIMEFRAME));
    }
    if claims.scope.trim().is_empty() {
        return Err(Invalid { error: "invalid_scope", description: "Empty or missing scope not allowed.".to_owned() });
    }
    if claims.sub.trim().is_empty() {
        return Err(Invalid::grant("Invalid email or User ID"));
    }
    Ok(claims)
}

/// The library checks the signature; the claims are ours, against the simulator's clock.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

fn explained(error: jsonwebtoken::errors::Error) -> Invalid {
    match error.kind() {
        ErrorKind::InvalidSignature => Invalid::grant("Invalid JWT Signature."),
        ErrorKind::InvalidAlgorithm => Invalid::grant("Invalid JWT: algorithm must be RS256."),
        ErrorKind::Json(error) => Invalid::grant(format!("Invalid JWT: {error}")),
        _ => Invalid::grant("Invalid JWT"),
    }
}
