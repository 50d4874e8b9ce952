//! A provider's keys, and how they are fetched.

use std::sync::Arc;

use futures_util::StreamExt as _;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::OidcConfig;

/// The largest document, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// The most keys that are kept.
const KEYS_MAX: usize = 64;

const DISCOVERY_PATH: &str = ".well-known/openid-configuration";

/// Keys that check signatures. Clones share them.
#[derive(Clone)]
pub struct KeySet(Arc<Vec<Key>>);

struct Key {
    id: Option<String>,
    algorithm: Option<KeyAlgorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// Whether there is a key of that id; without one, whether there is any.
    pub fn has(&self, id: Option<&str>) -> bool {
        self.0.iter().any(|key| id.is_none() || key.id.as_deref() == id)
    }

    /// The key of that id that may be used so. A token that names none must be of a provider with one such key.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let suits = |key: &&Key| {
            (id.is_none() || key.id.as_deref() == id)
                && key.key.family() == algorithm.family()
                && key.algorithm.is_none_or(|of| of == KeyAlgorithm::from(algorithm))
        };
        let mut suitable = self.0.iter().filter(suits);
        let first = suitable.next()?;
        (id.is_some() || suitable.next().is_none()).then_some(&first.key)
    }

    /// Those of a document that are of a kind we know and are for signatures.
    fn read(keys: Vec<Value>) -> Self {
        let known = keys.into_iter().take(KEYS_MAX).filter_map(|value| serde_json::from_value::<Jwk>(value).ok());
        let signing = known.filter(|jwk| matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)));
        let read = |jwk: Jwk| {
            let key = DecodingKey::from_jwk(&jwk).ok()?;
            Some(Key { id: jwk.common.key_id, algorithm: jwk.common.key_algorithm, key })
        };
        Self(Arc::new(signing.filter_map(read).collect()))
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

/// Where keys come from.
pub struct Provider {
    issuer: String,
    discovery: Option<Url>,
    client: Option<Client>,
}

impl Provider {
    pub fn new(settings: &OidcConfig) -> Self {
        let client = Client::builder().timeout(settings.timeout).redirect(Policy::none()).build();
        Self {
            issuer: settings.issuer.clone(),
            discovery: settings.base.join(DISCOVERY_PATH).ok(),
            client: client.ok(),
        }
    }

    /// Asks for the discovery document, and for the keys that it names.
    ///
    /// # Errors
    /// What went wrong, in words that name neither address nor body.
    pub async fn fetch(&self) -> Result<KeySet, &'static str> {
        let discovery = self.discovery.clone().ok_or("the issuer is no address to which a path can be appended")?;
        let secure = discovery.scheme() == "https";
        let Discovery { issuer, jwks_uri } = self.document(discovery).await?;
        if issuer != self.issuer {
            return Err("the discovery document names another issuer");
        }
        let keys = Url::parse(&jwks_uri).map_err(|_| "jwks_uri is no address")?;
        if !matches!(keys.scheme(), "https" | "http") || (secure && keys.scheme() != "https") {
            return Err("jwks_uri is an address of another kind than the issuer");
        }
        let Keys { keys } = self.document(keys).await?;
        Ok(KeySet::read(keys))
    }

    async fn document<T: DeserializeOwned>(&self, address: Url) -> Result<T, &'static str> {
        let client = self.client.as_ref().ok_or("there is no client")?;
        let response = client.get(address).send().await.map_err(|_| "the provider did not answer")?;
        if response.status() != reqwest::StatusCode::OK {
            return Err("the provider answered with another status than 200");
        }
        let (mut body, mut parts) = (Vec::new(), response.bytes_stream());
        while let Some(part) = parts.next().await {
            body.extend_from_slice(&part.map_err(|_| "the provider's answer broke off")?);
            if body.len() > BODY_BYTES_MAX {
                return Err("the provider's answer is too large");
            }
        }
        serde_json::from_slice(&body).map_err(|_| "the provider's answer is not the document it should be")
    }
}
