//! The management API: an operator's organisations, and the accounts of those whose subscription is active.
//!
//! Wire facts: `GET {management_base}operators/{id}/organizations/?service=` and, below each organisation, `accounts/`,
//! with `Authorization: Bearer <operator key>`.

use std::sync::Arc;

use async_trait::async_trait;
use entitled_model::enumeration::Enumerated;
use entitled_model::{ErrorClass, Failure, MapRule};
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, InvalidHeaderValue};
use url::Url;

use super::derive::{self, Account, Organization, Subscribed};
use super::lists::{List, Next, Row};
use crate::config::EnumerateConfig;
use crate::source::client::{Call, Client, Credential, Reply};
use crate::source::{Enumerator, Person};

/// Organisations whose accounts are read at once.
const ORGANIZATIONS_AT_ONCE_MAX: usize = 4;

pub struct Management {
    name: String,
    service_id: u64,
    settings: EnumerateConfig,
    rules: Vec<MapRule>,
    key: OperatorKey,
    client: Arc<Client>,
}

/// The operator's key. There is no other to try when it is refused.
struct OperatorKey(HeaderValue);

#[async_trait]
impl Credential for OperatorKey {
    async fn header(&self) -> Result<(HeaderName, HeaderValue), Failure> {
        Ok((AUTHORIZATION, self.0.clone()))
    }

    async fn refused(&self, _header: &HeaderValue) -> bool {
        false
    }
}

#[async_trait]
impl Enumerator for Management {
    fn sample(&self) -> usize {
        self.settings.sample
    }

    async fn enumerate(&self, people: &[Person]) -> Result<Enumerated, Failure> {
        let mut organizations = Vec::new();
        for organization in self.rows::<Organization>(self.organizations()?).await? {
            organizations.extend(organization.subscribed(self.service_id)?);
        }
        let ids: Vec<String> = organizations.iter().map(|organization: &Subscribed| organization.id.clone()).collect();
        let reading = futures_util::stream::iter(ids).map(|id| self.accounts(id));
        let accounts = reading.buffered(ORGANIZATIONS_AT_ONCE_MAX).try_collect().await?;
        derive::derive(people, &organizations, accounts, self.service_id, &self.rules)
    }
}

impl Management {
    /// # Errors
    /// When the key can't be sent in a header.
    pub fn new(
        name: &str,
        service_id: u64,
        settings: &EnumerateConfig,
        rules: Vec<MapRule>,
        client: Arc<Client>,
    ) -> Result<Self, InvalidHeaderValue> {
        let mut key = HeaderValue::from_str(&format!("Bearer {}", settings.operator_key.expose()))?;
        key.set_sensitive(true);
        let (name, settings, key) = (name.to_owned(), settings.clone(), OperatorKey(key));
        Ok(Self { name, service_id, settings, rules, key, client })
    }

    fn organizations(&self) -> Result<Url, Failure> {
        let mut url = self.address(&[])?;
        url.query_pairs_mut().append_pair("service", &self.service_id.to_string());
        Ok(url)
    }

    async fn accounts(&self, organization: String) -> Result<Vec<Account>, Failure> {
        self.rows(self.address(&[&organization, "accounts"])?).await
    }

    /// The address of something below the operator's organisations; ends in `/`.
    fn address(&self, below: &[&str]) -> Result<Url, Failure> {
        let mut url = self.settings.management_base.clone();
        let mut path = url.path_segments_mut().map_err(|()| {
            let Self { name, .. } = self;
            let message = format!("sources.{name}.enumerate.management_base has no path");
            Failure::new(ErrorClass::Malformed, message)
        })?;
        path.pop_if_empty().extend(["operators", &self.settings.operator_id, "organizations"]).extend(below).push("");
        drop(path);
        Ok(url)
    }

    /// A list, read to its end, page after page.
    async fn rows<R: Row>(&self, first: Url) -> Result<Vec<R>, Failure> {
        let mut list = List::new(first.clone());
        let mut url = first;
        loop {
            let page = self.client.ask(&Call::get(url), &self.key, |reply| self.read(reply)).await?;
            match list.take(page)? {
                Next::Ask(next) => url = next,
                Next::Done => return Ok(list.into_rows()),
            }
        }
    }

    /// Names the setting that an operator would have to look at.
    fn read<T: serde::de::DeserializeOwned>(&self, reply: &Reply) -> Result<T, Failure> {
        let Self { name, .. } = self;
        reply.ok_json().map_err(|failure| {
            let hint = match failure.class {
                ErrorClass::Unauthorized | ErrorClass::Forbidden => "operator_key and .operator_id",
                ErrorClass::Malformed => "management_base and .operator_id",
                _ => return failure,
            };
            let Failure { class, message, retry } = failure;
            let message = format!("the management API {message}: see sources.{name}.enumerate.{hint}");
            Failure { class, message, retry }
        })
    }
}
