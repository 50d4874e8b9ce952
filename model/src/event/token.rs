//! Tokens: made and revoked. Their secrets, hashes and names stand elsewhere.

use serde::{Deserialize, Serialize};

use super::{Payload, Stream};
use crate::identity::{TokenId, UserId};
use crate::instant::{Instant, text};

/// A token was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenCreated {
    pub token: TokenId,
    /// Whose it is; none for a service's.
    pub owner: Option<UserId>,
    pub scopes: Vec<String>,
    #[serde(with = "text")]
    pub expires_at: Instant,
}

impl Payload for TokenCreated {
    fn stream(&self) -> Stream {
        Stream("token", self.token.to_string())
    }
}

/// A token counts no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRevoked {
    pub token: TokenId,
}

impl Payload for TokenRevoked {
    fn stream(&self) -> Stream {
        Stream("token", self.token.to_string())
    }
}
