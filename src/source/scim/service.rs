//! The server: one list read to its end, or one resource read alone.

use std::sync::Arc;

use async_trait::async_trait;
use entitled_model::Failure;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, IF_NONE_MATCH, InvalidHeaderValue};
use tokio::sync::OnceCell;
use url::Url;

use super::features::Features;
use super::filter::Filter;
use super::incomplete;
use super::list::{At, Progressed, Then};
use super::versions::Versions;
use super::wire::{self, Group, Id, Page, Resource};
use crate::config::{Paging, ScimConfig};
use crate::source::Urgency;
use crate::source::client::{Call, Client, Credential, Reply};

/// What SCIM servers answer in (RFC 7644, 3.1), and what some of them only understand.
const MEDIA_TYPES: &str = "application/scim+json, application/json";

pub struct Service {
    source: String,
    client: Arc<Client>,
    token: Token,
    base_url: Url,
    paging: Paging,
    page_size: u32,
    pages_max: u32,
    features: OnceCell<Features>,
    versions: Versions,
}

/// Whether a list was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    ToTheEnd,
    /// The server does not take such a filter.
    FilterRefused,
}

/// What was asked for alone.
pub enum Alone<R> {
    There(R),
    /// The server says that there is no such resource. Nothing is ever removed by it: what pointed there is in doubt.
    Gone,
}

/// The token, as it is sent.
struct Token(HeaderValue);

#[async_trait]
impl Credential for Token {
    async fn header(&self) -> Result<(HeaderName, HeaderValue), Failure> {
        Ok((AUTHORIZATION, self.0.clone()))
    }

    async fn refused(&self, _header: &HeaderValue) -> bool {
        false
    }
}

enum Answered<T> {
    With(T),
    FilterRefused,
}

impl Service {
    /// # Errors
    /// When the token can't be sent in a header.
    pub fn new(source: &str, settings: &ScimConfig, client: Arc<Client>) -> Result<Self, InvalidHeaderValue> {
        let mut token = HeaderValue::from_str(&format!("Bearer {}", settings.token.expose()))?;
        token.set_sensitive(true);
        Ok(Self {
            source: source.to_owned(),
            client,
            token: Token(token),
            base_url: settings.base_url.clone(),
            paging: settings.paging,
            page_size: settings.page_size,
            pages_max: settings.page_cap,
            features: OnceCell::new(),
            versions: Versions::default(),
        })
    }

    /// Whether the source's circuit is open.
    pub fn is_unreachable(&self) -> bool {
        self.client.gate().is_open()
    }

    pub async fn features(&self, urgency: Urgency) -> Result<Features, Failure> {
        let read = async {
            match Features::decided(self.paging) {
                Some(features) => Ok(features),
                None => {
                    let call = self.call(self.address(&["ServiceProviderConfig"]), urgency);
                    self.ask(&call, |reply| Features::read(reply, &self.source)).await
                }
            }
        };
        self.features.get_or_try_init(|| read).await.copied()
    }

    /// Reads a list to its end, page by page; `each` is told how many resources the list states. A resource that comes
    /// twice is given once.
    pub async fn list<R: Resource>(
        &self,
        filter: Option<&Filter>,
        urgency: Urgency,
        mut each: impl FnMut(Vec<R>, Option<u64>) + Send,
    ) -> Result<Listed, Failure> {
        let mut list = Progressed::new(self.features(urgency).await?.paging);
        for _ in 0..self.pages_max {
            let page = match self.page(filter, list.at(), urgency).await? {
                Answered::With(page) => page,
                Answered::FilterRefused => return Ok(Listed::FilterRefused),
            };
            let (fresh, then) = list.take(page)?;
            each(fresh, list.total());
            if then == Then::End {
                return Ok(Listed::ToTheEnd);
            }
        }
        let Self { source, pages_max, .. } = self;
        Err(incomplete(format!("a list has more than {pages_max} pages: see sources.{source}.page_cap")))
    }

    /// The first page of a list, whatever follows it.
    pub async fn first_page<R: Resource>(&self, urgency: Urgency) -> Result<Vec<R>, Failure> {
        let mut list = Progressed::new(self.features(urgency).await?.paging);
        match self.page(None, list.at(), urgency).await? {
            Answered::With(page) => list.take(page).map(|(resources, _)| resources),
            Answered::FilterRefused => Ok(Vec::new()),
        }
    }

    /// A user, whose list did not hold them.
    pub async fn user(&self, id: &Id, urgency: Urgency) -> Result<Alone<wire::User>, Failure> {
        let call = self.call(self.address(&[wire::User::ENDPOINT, id.as_str()]), urgency);
        self.ask(&call, |reply| self.alone(reply, id)).await
    }

    /// A group with its members, asked for by name: some servers leave them out otherwise. Members that are still left
    /// out are none (RFC 7643, 2.5). A group whose version was read before is not sent again.
    pub async fn group(&self, id: &Id, urgency: Urgency) -> Result<Alone<Arc<Group>>, Failure> {
        let known = match self.features(urgency).await?.etag {
            true => self.versions.of(id),
            false => None,
        };
        let mut url = self.address(&[Group::ENDPOINT, id.as_str()]);
        url.query_pairs_mut().append_pair("attributes", "displayName,members");
        let mut call = self.call(url, urgency);
        call.headers.extend(known.as_ref().map(|known| (IF_NONE_MATCH, known.etag.clone())));
        let read = |reply: &Reply| match (&known, reply.status) {
            (Some(known), StatusCode::NOT_MODIFIED) => Ok(Alone::There(Arc::clone(&known.group))),
            _ => match self.alone(reply, id)? {
                Alone::There(group) => Ok(Alone::There(self.versions.keep(reply.etag.as_ref(), group))),
                Alone::Gone => Ok(Alone::Gone),
            },
        };
        self.ask(&call, read).await
    }

    fn alone<R: Resource>(&self, reply: &Reply, id: &Id) -> Result<Alone<R>, Failure> {
        match reply.status {
            StatusCode::OK => wire::resource(reply, id).map(Alone::There),
            StatusCode::NOT_FOUND => Ok(Alone::Gone),
            _ => Err(wire::refusal(reply, &self.source)),
        }
    }

    async fn page<R: Resource>(
        &self,
        filter: Option<&Filter>,
        at: &At,
        urgency: Urgency,
    ) -> Result<Answered<Page<R>>, Failure> {
        let url = self.page_address(R::ENDPOINT, filter, at);
        let read = |reply: &Reply| match reply.status {
            StatusCode::OK => wire::page(reply).map(Answered::With),
            _ if filter.is_some() && wire::refuses_filter(reply) => Ok(Answered::FilterRefused),
            _ => Err(wire::refusal(reply, &self.source)),
        };
        self.ask(&self.call(url, urgency), read).await
    }

    async fn ask<T: Send>(
        &self,
        call: &Call,
        read: impl Fn(&Reply) -> Result<T, Failure> + Send + Sync,
    ) -> Result<T, Failure> {
        self.client.ask(call, &self.token, read).await
    }

    fn call(&self, url: Url, urgency: Urgency) -> Call {
        Call { accept: MEDIA_TYPES, urgency, ..Call::get(url) }
    }

    fn page_address(&self, endpoint: &str, filter: Option<&Filter>, at: &At) -> Url {
        let mut url = self.address(&[endpoint]);
        let mut query = url.query_pairs_mut();
        query.extend_pairs(filter.map(|filter| ("filter", filter.as_str())));
        match at {
            At::Index(from) => query.append_pair("startIndex", &from.to_string()),
            At::Cursor(cursor) => query.append_pair("cursor", cursor),
        };
        query.append_pair("count", &self.page_size.to_string());
        drop(query);
        url
    }

    fn address(&self, below: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(below);
        }
        url
    }
}
