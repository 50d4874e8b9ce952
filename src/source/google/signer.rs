//! Who vouches for us: a service account's key, or the instance's own identity (keyless domain-wide delegation).

use std::sync::Arc;

use entitled_model::{ErrorClass, Failure};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::config::{GoogleCredentials, GoogleWorkspaceConfig};
use crate::source::client::{Call, Content, Transport};

/// The path of an instance's own token (Compute Engine metadata, v1).
const INSTANCE_TOKEN_PATH: &str = "computeMetadata/v1/instance/service-accounts/default/token";

/// Without this header the metadata server answers nobody.
const METADATA_FLAVOR: (HeaderName, HeaderValue) =
    (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));

/// What the assertion says (RFC 7523).
#[derive(Serialize)]
pub struct Claims<'c> {
    pub iss: &'c str,
    /// The impersonated administrator.
    pub sub: &'c str,
    pub scope: &'c str,
    pub aud: &'c str,
    pub iat: i64,
    pub exp: i64,
}

pub enum Signer {
    Key { key: Box<EncodingKey>, header: Box<Header>, service_account: String },
    Keyless { source: String, service_account: String, metadata: Url, sign: Url, transport: Arc<Transport> },
}

impl Signer {
    /// # Errors
    /// When the private key is none.
    pub fn new(
        source: &str,
        settings: &GoogleWorkspaceConfig,
        transport: Arc<Transport>,
    ) -> Result<Self, &'static str> {
        match &settings.credentials {
            GoogleCredentials::Key(key) => {
                let pem = key.private_key.expose_secret();
                let encoding = EncodingKey::from_rsa_pem(pem.as_bytes())
                    .map_err(|_| "expected a service account's key: `private_key` is not an RSA key in PEM form")?;
                let header = Header { kid: key.private_key_id.clone(), ..Header::new(Algorithm::RS256) };
                let service_account = key.client_email.clone();
                Ok(Self::Key { key: Box::new(encoding), header: Box::new(header), service_account })
            }
            GoogleCredentials::Keyless { service_account } => {
                let wrong = "expected base addresses to which paths can be appended";
                let metadata = settings.metadata_base.join(INSTANCE_TOKEN_PATH).map_err(|_| wrong)?;
                let mut sign = settings.iam_base.clone();
                let method = format!("{service_account}:signJwt");
                let path = ["v1", "projects", "-", "serviceAccounts", &method];
                sign.path_segments_mut().map_err(|()| wrong)?.pop_if_empty().extend(path);
                let (source, service_account) = (source.to_owned(), service_account.clone());
                Ok(Self::Keyless { source, service_account, metadata, sign, transport })
            }
        }
    }

    pub fn service_account(&self) -> &str {
        match self {
            Self::Key { service_account, .. } | Self::Keyless { service_account, .. } => service_account,
        }
    }

    /// Signs `claims` as a JWT.
    ///
    /// # Errors
    /// Keyless: when the instance has no token, or may not sign.
    pub async fn sign(&self, claims: &Claims<'_>) -> Result<String, Failure> {
        match self {
            Self::Key { key, header, .. } => jsonwebtoken::encode(header, claims, key)
                .map_err(|_| Failure::new(ErrorClass::Unauthorized, "the service account's key can't sign")),
            Self::Keyless { source, metadata, sign, transport, .. } => {
                let instance = instance_token(metadata, transport).await?;
                sign_remotely(source, sign, transport, &instance, claims).await
            }
        }
    }
}

/// The metadata server's answer.
#[derive(Deserialize)]
pub struct InstanceToken {
    pub access_token: String,
}

/// What `signJwt` answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    pub signed_jwt: String,
}

async fn instance_token(metadata: &Url, transport: &Transport) -> Result<String, Failure> {
    let call = Call { headers: vec![METADATA_FLAVOR], ..Call::get(metadata.clone()) };
    let reply = transport.fetch_once(&call).await.map_err(|failure| at("the metadata server", failure))?;
    let token: InstanceToken = reply.ok_json().map_err(|failure| at("the metadata server", failure))?;
    Ok(token.access_token)
}

async fn sign_remotely(
    source: &str,
    sign: &Url,
    transport: &Transport,
    instance: &str,
    claims: &Claims<'_>,
) -> Result<String, Failure> {
    let payload = json!(claims).to_string();
    let headers = vec![(AUTHORIZATION, bearer(instance)?)];
    let call = Call { headers, ..Call::post(sign.clone(), Content::Json(json!({ "payload": payload }))) };
    let reply = transport.fetch_once(&call).await.map_err(|failure| at("signJwt", failure))?;
    let signed: Signed = match reply.status {
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            let message = format!(
                "signJwt answered HTTP {}: may the instance sign for sources.{source}.credentials.service_account \
                 (Service Account Token Creator)?",
                reply.status.as_u16()
            );
            return Err(Failure::new(ErrorClass::Forbidden, message));
        }
        _ => reply.ok_json().map_err(|failure| at("signJwt", failure))?,
    };
    Ok(signed.signed_jwt)
}

/// An `Authorization` value that no log shows.
pub fn bearer(token: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| Failure::new(ErrorClass::Malformed, "a token can't be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Says where a failure happened.
pub fn at(place: &str, failure: Failure) -> Failure {
    let Failure { class, message, retry } = failure;
    Failure { class, message: format!("{place}: {message}"), retry }
}
