//! SCIM's words: lists, resources, errors (RFC 7643, RFC 7644, section 3.12). Only the attributes that are used. Pure.
//!
//! Invariant: an attribute of a wrong type, or a resource without what names it, makes the whole answer malformed, and no
//! error reads as a list.

use std::fmt;

use entitled_model::{ErrorClass, Failure};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{incomplete, malformed};
use crate::json::{self, Object};
use crate::source::client::Reply;

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Letters of an error's `scimType` that are shown.
const SCIM_TYPE_BYTES_MAX: usize = 40;

/// A resource's immutable `id` (RFC 7643, 3.1). Never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Id(String);

impl Id {
    /// The longest `id` that is taken, in bytes.
    pub const BYTES_MAX: usize = 512;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Id {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        let usable = !id.is_empty() && id.len() <= Self::BYTES_MAX && !id.chars().any(char::is_control);
        if usable { Ok(Self(id)) } else { Err("not an id") }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Id(…)")
    }
}

/// What a list lists.
pub trait Resource: DeserializeOwned + Send {
    /// The endpoint, below the root.
    const ENDPOINT: &'static str;
    /// For the progress: `pages of users`.
    const PAGES: &'static str;
    fn id(&self) -> &Id;
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub id: Id,
    pub user_name: Option<String>,
    #[serde(default, deserialize_with = "json::objects_or_none")]
    pub emails: Option<Vec<Email>>,
    pub active: Option<bool>,
}

#[derive(Clone, Deserialize)]
pub struct Email {
    pub value: Option<String>,
    pub primary: Option<bool>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    pub id: Id,
    pub display_name: String,
    /// `None` when the answer leaves them out: no word about them in a list, no members in a group read alone.
    #[serde(default, deserialize_with = "json::objects_or_none")]
    pub members: Option<Vec<Member>>,
}

#[derive(Clone, Deserialize)]
pub struct Member {
    pub value: Option<Id>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "$ref")]
    reference: Option<String>,
}

/// What a member says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind {
    User,
    Group,
    /// Says nothing: to be told by its id.
    Unsaid,
    /// Neither a user nor a group.
    Other,
}

impl Member {
    pub fn kind(&self) -> MemberKind {
        match (&self.kind, &self.reference) {
            (Some(kind), _) if kind.eq_ignore_ascii_case("User") => MemberKind::User,
            (Some(kind), _) if kind.eq_ignore_ascii_case("Group") => MemberKind::Group,
            (Some(_), _) => MemberKind::Other,
            (None, Some(reference)) => referenced(reference),
            (None, None) => MemberKind::Unsaid,
        }
    }
}

/// `https://directory.example/v2/Users/2819c223` is a user's.
fn referenced(reference: &str) -> MemberKind {
    match reference.trim_end_matches('/').rsplit('/').nth(1) {
        Some(User::ENDPOINT) => MemberKind::User,
        Some(Group::ENDPOINT) => MemberKind::Group,
        _ => MemberKind::Unsaid,
    }
}

impl Resource for User {
    const ENDPOINT: &'static str = "Users";
    const PAGES: &'static str = "pages of users";

    fn id(&self) -> &Id {
        &self.id
    }
}

impl Resource for Group {
    const ENDPOINT: &'static str = "Groups";
    const PAGES: &'static str = "pages of groups";

    fn id(&self) -> &Id {
        &self.id
    }
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<R> {
    pub total: Option<u64>,
    /// `None` when the answer has no `Resources`.
    pub resources: Option<Vec<R>>,
    pub next_cursor: Option<String>,
}

/// Reads a page of a list.
///
/// # Errors
/// `malformed` when it is no `ListResponse`.
pub fn page<R: Resource>(reply: &Reply) -> Result<Page<R>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", bound(deserialize = "R: Deserialize<'de>"))]
    struct List<R> {
        #[serde(default)]
        schemas: Vec<String>,
        total_results: Option<u64>,
        #[serde(default, rename = "Resources", deserialize_with = "json::objects_or_none")]
        resources: Option<Vec<R>>,
        next_cursor: Option<String>,
    }
    let List { schemas, total_results, resources, next_cursor } = reply.json::<List<R>>()?;
    of_schema(&schemas, LIST)?;
    Ok(Page { total: total_results, resources, next_cursor })
}

/// Reads a resource asked for alone.
///
/// # Errors
/// `malformed` when it is none, or another one.
pub fn resource<R: Resource>(reply: &Reply, id: &Id) -> Result<R, Failure> {
    let resource: R = reply.json()?;
    if resource.id() == id { Ok(resource) } else { Err(malformed("the answer is about another resource")) }
}

/// What `ServiceProviderConfig` says (RFC 7643, 5, and RFC 9865, 4). What it does not mention is not supported.
#[derive(Deserialize)]
pub struct ProviderConfig {
    #[serde(default)]
    schemas: Vec<String>,
    etag: Option<Object<Supported>>,
    pagination: Option<Object<Pagination>>,
    filter: Option<Object<Supported>>,
}

#[derive(Deserialize)]
struct Supported {
    supported: bool,
}

#[derive(Deserialize)]
struct Pagination {
    cursor: Option<bool>,
}

impl ProviderConfig {
    const SCHEMA: &'static str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

    /// # Errors
    /// `malformed` when it is something else.
    pub fn read(reply: &Reply) -> Result<Self, Failure> {
        let config: Self = reply.json()?;
        of_schema(&config.schemas, Self::SCHEMA)?;
        Ok(config)
    }

    pub fn offers_cursor(&self) -> bool {
        self.pagination.as_ref().and_then(|Object(pagination)| pagination.cursor).unwrap_or(false)
    }

    pub fn offers_etag(&self) -> bool {
        self.etag.as_ref().is_some_and(|Object(etag)| etag.supported)
    }

    /// Whether it says in so many words that it has no filters.
    pub fn denies_filters(&self) -> bool {
        self.filter.as_ref().is_some_and(|Object(filter)| !filter.supported)
    }
}

fn of_schema(schemas: &[String], schema: &str) -> Result<(), Failure> {
    let has = |urn: &str| schemas.iter().any(|schema| schema.eq_ignore_ascii_case(urn));
    match (has(ERROR), has(schema)) {
        // It must not read as an empty list.
        (true, _) => Err(malformed("answered HTTP 200 with an error in it")),
        (false, true) => Ok(()),
        (false, false) => {
            let wanted = schema.rsplit(':').next().unwrap_or_default();
            Err(malformed(format!("the answer's schemas do not name {wanted}")))
        }
    }
}

/// SCIM's error body. Its `detail` is never read: it may quote the question.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ScimError {
    schemas: Vec<String>,
    scim_type: Option<String>,
}

impl ScimError {
    fn of(reply: &Reply) -> Option<Self> {
        reply.json().ok().filter(|Self { schemas, .. }| schemas.iter().any(|urn| urn.eq_ignore_ascii_case(ERROR)))
    }

    fn scim_type(&self) -> Option<&str> {
        let kind = self.scim_type.as_deref()?;
        (kind.len() <= SCIM_TYPE_BYTES_MAX && kind.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some(kind)
    }
}

/// Whether a refusal may speak of the filter alone: a bad request, one that is not implemented, or one for which
/// personal data must not stand in an address (`sensitive`).
pub fn refuses_filter(reply: &Reply) -> bool {
    matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::NOT_IMPLEMENTED)
        && ScimError::of(reply).is_none_or(|error| error.scim_type() != Some("tooMany"))
}

/// The failure that a status other than 200 stands for, with the setting that an operator would have to look at.
pub fn refusal(reply: &Reply, source: &str) -> Failure {
    let Failure { class, message, retry } = reply.refusal();
    let error = ScimError::of(reply);
    let reason = error.as_ref().and_then(ScimError::scim_type);
    let said = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let hint = match (reply.status, reason) {
        (StatusCode::BAD_REQUEST, Some("tooMany")) => {
            return incomplete(format!("{message}{said}: the server does not give a list that long"));
        }
        (StatusCode::BAD_REQUEST, Some("expiredCursor" | "invalidCursor")) => {
            return incomplete(format!(
                "{message}{said}: the list was not read to its end: see sources.{source}.paging"
            ));
        }
        (StatusCode::BAD_REQUEST, Some("invalidCount")) => format!(": see sources.{source}.page_size"),
        (StatusCode::UNAUTHORIZED, _) => format!(": the token was refused: see sources.{source}.token"),
        (StatusCode::FORBIDDEN, _) => format!(": may sources.{source}.token read users and groups?"),
        (StatusCode::NOT_FOUND, _) => format!(": see sources.{source}.base_url"),
        (StatusCode::NOT_IMPLEMENTED | StatusCode::BAD_REQUEST, _) => format!(": see sources.{source}.paging"),
        (status, _) if status.is_redirection() => {
            format!(": redirects are not followed: see sources.{source}.base_url")
        }
        _ => String::new(),
    };
    let class = if reply.status == StatusCode::NOT_IMPLEMENTED { ErrorClass::Malformed } else { class };
    let failure = Failure::new(class, format!("{message}{said}{hint}"));
    if reply.status == StatusCode::NOT_IMPLEMENTED { failure } else { failure.retry(retry) }
}
