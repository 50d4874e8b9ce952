//! The entitlements backend that speaks DeployCenter's language: one call answers for one account.
//!
//! Wire facts: `GET {base_url}?service_id=&account_type=&account_email=&<claims>` with `X-Service-Auth: Bearer <key>`, and
//! never `Authorization`, which is examined first and makes a valid call fail. Matching is exact and case-sensitive, so the
//! address goes out as given. Absent keys say nothing; unknown keys are kept. A 200 without an `entitlements` object is
//! malformed. Imports the client, config and the model.
//!
//! Invariant: the query carries the fixed parameters and the configured claims that the person has, and nothing else.

#[cfg(any(test, feature = "fuzzing"))]
mod decoders;
mod derive;
mod lists;
mod management;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use entitled_model::observation::UserAnswer;
use entitled_model::{ErrorClass, Failure, MapRule};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::client::{Call, Client, Content, Credential, Reply};
use super::{EntitlementsBackend, Enumerator, Person, Urgency, answer};
use crate::config::{DeployCenterConfig, QueryMethod};

#[cfg(any(test, feature = "fuzzing"))]
pub(super) use decoders::DECODERS;
pub(super) use management::Management;

const KEY_HEADER: HeaderName = HeaderName::from_static("x-service-auth");

pub(super) struct DeployCenter {
    name: String,
    settings: DeployCenterConfig,
    rules: Vec<MapRule>,
    key: ServiceKey,
    client: Arc<Client>,
    management: Option<Management>,
}

/// The service's key. There is no other to try when it is refused.
struct ServiceKey(HeaderValue);

#[async_trait]
impl Credential for ServiceKey {
    async fn header(&self) -> Result<(HeaderName, HeaderValue), Failure> {
        Ok((KEY_HEADER, self.0.clone()))
    }

    async fn refused(&self, _header: &HeaderValue) -> bool {
        false
    }
}

#[async_trait]
impl EntitlementsBackend for DeployCenter {
    async fn answer(&self, person: &Person, urgency: Urgency) -> Result<UserAnswer, Failure> {
        let call = self.call(person)?.urgency(urgency);
        let stated = self.client.ask(&call, &self.key, |reply| self.entitlements(reply)).await?;
        answer::read(&stated, &self.rules)
    }

    fn enumerator(&self) -> Option<&dyn Enumerator> {
        self.management.as_ref().map(|management| management as &dyn Enumerator)
    }
}

impl DeployCenter {
    /// # Errors
    /// When the key can't be sent in a header.
    pub fn new(
        name: &str,
        settings: &DeployCenterConfig,
        rules: Vec<MapRule>,
        client: Arc<Client>,
    ) -> Result<Self, reqwest::header::InvalidHeaderValue> {
        let mut key = HeaderValue::from_str(&format!("Bearer {}", settings.token.expose()))?;
        key.set_sensitive(true);
        let (name, settings, key) = (name.to_owned(), settings.clone(), ServiceKey(key));
        Ok(Self { name, settings, rules, key, client, management: None })
    }

    /// The same, with the management API to read many users from.
    pub fn with(self, management: Management) -> Self {
        Self { management: Some(management), ..self }
    }

    fn call(&self, person: &Person) -> Result<Call, Failure> {
        let url = self.address(person)?;
        Ok(match self.settings.method {
            QueryMethod::Get => Call::get(url),
            QueryMethod::Post => Call::post(url, Content::Json(json!({ "usage_metrics": [] }))),
        })
    }

    fn address(&self, person: &Person) -> Result<Url, Failure> {
        let Self { settings, .. } = self;
        let missing = settings.required_claims().find(|claim| claim_text(person, claim).is_none());
        if let Some(claim) = missing {
            return Err(missing_claim(claim));
        }
        let account = match (&person.email, &person.sub) {
            (Some(email), _) => ("account_email", email.as_given()),
            (None, Some(sub)) => ("account_id", sub.as_str()),
            (None, None) => return Err(missing_claim("email")),
        };
        let mut url = settings.base_url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("service_id", &settings.service_id.to_string());
        query.append_pair("account_type", &settings.account_type);
        query.append_pair(account.0, account.1);
        for claim in settings.sent_claims() {
            if let Some(text) = claim_text(person, claim) {
                query.append_pair(claim, &text);
            }
        }
        drop(query);
        Ok(url)
    }

    fn entitlements(&self, reply: &Reply) -> Result<BTreeMap<String, Value>, Failure> {
        if reply.status != StatusCode::OK {
            return Err(self.refusal(reply));
        }
        stated(reply)
    }

    /// Names the setting that an operator would have to look at.
    fn refusal(&self, reply: &Reply) -> Failure {
        let Self { name, .. } = self;
        let hint = match reply.status {
            StatusCode::UNAUTHORIZED => format!(
                "the service's key was refused, or it is not the key of this service: see sources.{name}.token and \
                 sources.{name}.service_id"
            ),
            StatusCode::METHOD_NOT_ALLOWED => {
                format!("{} is not supported there: see sources.{name}.method", self.method())
            }
            StatusCode::BAD_REQUEST => {
                format!("a parameter is missing or was refused: see sources.{name}.claims and .account_type")
            }
            status if status.is_redirection() => {
                format!("redirects are not followed; is a trailing slash missing in sources.{name}.base_url?")
            }
            _ => return reply.refusal(),
        };
        let Failure { class, message, retry } = reply.refusal();
        Failure { class, message: format!("{message}: {hint}"), retry }
    }

    fn method(&self) -> Method {
        match self.settings.method {
            QueryMethod::Get => Method::GET,
            QueryMethod::Post => Method::POST,
        }
    }
}

/// What an answer states.
pub(super) fn stated(reply: &Reply) -> Result<BTreeMap<String, Value>, Failure> {
    let mut answer: Map<String, Value> = reply.json()?;
    match answer.remove("entitlements") {
        Some(Value::Object(stated)) => Ok(stated.into_iter().collect()),
        _ => Err(Failure::new(ErrorClass::Malformed, "the answer has no object `entitlements`")),
    }
}

/// A claim as a query parameter; only texts, numbers and booleans have such a form.
fn claim_text(person: &Person, claim: &str) -> Option<String> {
    match person.claims.get(claim)? {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn missing_claim(claim: &str) -> Failure {
    Failure::new(ErrorClass::MissingClaim, format!("the user has no {claim}, so the source was not asked"))
}
