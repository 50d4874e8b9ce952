//! Google's words: pages, entries and errors (discovery document `admin:directory_v1`). Only the fields that are used.
//!
//! Invariant: a field of a wrong type, or a group without `id` or `email`, makes the whole page malformed.

use entitled_model::observation::{Account, Standing};
use entitled_model::{EmailAddress, ErrorClass, Failure};
use reqwest::StatusCode;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::json::{self, Object};
use crate::source::client::Reply;

/// Reasons under which a 403 is a rate limit.
const RATE_REASONS: [&str; 3] = ["userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded"];

/// The end of the address that the directory gives every account beside its own.
const TEST_DOMAIN_SUFFIX: &str = ".test-google-a.com";

/// Letters of an error's reason that are shown.
const REASON_BYTES_MAX: usize = 40;

/// An answer that may say what it is.
pub trait Kinded: DeserializeOwned + Send {
    const KIND: &'static str;
    fn kind(&self) -> Option<&str>;
    fn has_error(&self) -> bool;
}

/// A list's page. A missing list is an empty page; a missing token ends the list.
pub trait Page: Kinded {
    type Entry;
    /// The most rows of a page that the API allows.
    const ROWS_MAX: &str;
    fn into_parts(self) -> (Vec<Self::Entry>, Option<String>);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupsPage {
    kind: Option<String>,
    error: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "json::objects")]
    groups: Vec<Group>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MembersPage {
    kind: Option<String>,
    error: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "json::objects")]
    members: Vec<Member>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsersPage {
    kind: Option<String>,
    error: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "json::objects")]
    users: Vec<User>,
    next_page_token: Option<String>,
}

/// A person's account. One that is archived can't be used either.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    kind: Option<String>,
    error: Option<IgnoredAny>,
    /// Immutable.
    id: String,
    primary_email: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    non_editable_aliases: Vec<String>,
    #[serde(default)]
    suspended: bool,
    #[serde(default)]
    archived: bool,
    /// A super administrator.
    is_admin: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Immutable.
    pub id: String,
    pub email: String,
    #[serde(default, deserialize_with = "count")]
    pub direct_members_count: Option<u64>,
}

/// What a group asked for alone is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupCount {
    kind: Option<String>,
    error: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "count")]
    pub direct_members_count: Option<u64>,
}

#[derive(Deserialize)]
pub struct Member {
    pub id: Option<String>,
    pub email: Option<String>,
    #[serde(rename = "type")]
    pub kind: MemberKind,
}

/// Read from a text alone: serde takes `{"USER": null}` for a variant too.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(from = "String")]
pub enum MemberKind {
    User,
    Group,
    /// Everybody of a customer, people of other organisations, and what is yet to come.
    Other,
}

impl From<String> for MemberKind {
    fn from(word: String) -> Self {
        match word.as_str() {
            "USER" => Self::User,
            "GROUP" => Self::Group,
            _ => Self::Other,
        }
    }
}

impl Kinded for GroupsPage {
    const KIND: &'static str = "admin#directory#groups";

    fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    fn has_error(&self) -> bool {
        self.error.is_some()
    }
}

impl Page for GroupsPage {
    type Entry = Group;
    const ROWS_MAX: &str = "200";

    fn into_parts(self) -> (Vec<Group>, Option<String>) {
        (self.groups, self.next_page_token)
    }
}

impl Kinded for MembersPage {
    const KIND: &'static str = "admin#directory#members";

    fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    fn has_error(&self) -> bool {
        self.error.is_some()
    }
}

impl Page for MembersPage {
    type Entry = Member;
    const ROWS_MAX: &str = "200";

    fn into_parts(self) -> (Vec<Member>, Option<String>) {
        (self.members, self.next_page_token)
    }
}

impl Kinded for UsersPage {
    const KIND: &'static str = "admin#directory#users";

    fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    fn has_error(&self) -> bool {
        self.error.is_some()
    }
}

impl Page for UsersPage {
    type Entry = User;
    const ROWS_MAX: &str = "500";

    fn into_parts(self) -> (Vec<User>, Option<String>) {
        (self.users, self.next_page_token)
    }
}

impl Kinded for User {
    const KIND: &'static str = "admin#directory#user";

    fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    fn has_error(&self) -> bool {
        self.error.is_some()
    }
}

impl User {
    /// The account, in the model's words; none when its first address or its id is unusable.
    pub fn account(self) -> Option<Account> {
        let Self { kind: _, error: _, id, primary_email, aliases, non_editable_aliases, .. } = self;
        let Self { suspended, archived, is_admin, .. } = self;
        if id.is_empty() || id.chars().any(char::is_control) {
            return None;
        }
        let further = aliases.into_iter().chain(non_editable_aliases);
        // Every account has one, and nobody is known by it.
        let further = further.filter(|alias| !alias.ends_with(TEST_DOMAIN_SUFFIX));
        Some(Account {
            external_id: id,
            address: EmailAddress::parse(&primary_email).ok()?,
            aliases: further.filter_map(|alias| EmailAddress::parse(&alias).ok()).collect(),
            standing: if suspended || archived { Standing::Suspended } else { Standing::Active },
            is_administrator: is_admin,
        })
    }
}

impl Kinded for GroupCount {
    const KIND: &'static str = "admin#directory#group";

    fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    fn has_error(&self) -> bool {
        self.error.is_some()
    }
}

/// What was asked for, or the word that there is no such user or group.
pub enum Answered<T> {
    With(T),
    NoSuchKey,
}

/// Reads a reply. A 404 or 412 counts as "no such key" only in Google's own words: a wrong base address answers 404 too,
/// and proves nothing.
pub fn read<T: Kinded>(reply: &Reply, source: &str) -> Result<Answered<T>, Failure> {
    let error = if reply.status == StatusCode::OK { None } else { GoogleError::of(reply) };
    match (reply.status, error.as_ref().and_then(GoogleError::reason)) {
        (StatusCode::OK, _) => {
            let answer: T = reply.json()?;
            match answer.kind() {
                // It must not read as an empty list.
                _ if answer.has_error() => {
                    Err(Failure::new(ErrorClass::Malformed, "answered HTTP 200 with an error in it"))
                }
                Some(kind) if kind != T::KIND => {
                    Err(Failure::new(ErrorClass::Malformed, format!("the answer is not of kind {}", T::KIND)))
                }
                _ => Ok(Answered::With(answer)),
            }
        }
        (StatusCode::NOT_FOUND | StatusCode::PRECONDITION_FAILED, _)
            if error.as_ref().is_some_and(|error| error.denies_key(reply.status)) =>
        {
            Ok(Answered::NoSuchKey)
        }
        (StatusCode::FORBIDDEN, Some(reason)) if RATE_REASONS.contains(&reason) => {
            let message = format!("answered HTTP 403 ({reason}): see sources.{source}.rate");
            Err(Failure::new(ErrorClass::RateLimited, message).retry(reply.retry()))
        }
        (_, reason) => Err(refusal(reply, reason, source)),
    }
}

fn refusal(reply: &Reply, reason: Option<&str>, source: &str) -> Failure {
    let Failure { class, message, retry } = reply.refusal();
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let hint = match reply.status {
        StatusCode::UNAUTHORIZED => {
            format!(": the token was refused: see sources.{source}.credentials and sources.{source}.subject")
        }
        StatusCode::FORBIDDEN => format!(
            ": may sources.{source}.subject read groups and users, and are the scopes {} delegated to the service account?",
            super::token::SCOPES.join(" ")
        ),
        StatusCode::NOT_FOUND => format!(": see sources.{source}.api_base"),
        StatusCode::BAD_REQUEST => format!(": see sources.{source}.customer or .domain"),
        _ => String::new(),
    };
    Failure { class, message: format!("{message}{reason}{hint}"), retry }
}

/// Google's error body: `{"error": {"message": ..., "errors": [{"reason": ...}]}}`. Its message is read, never shown.
#[derive(Deserialize)]
struct GoogleError {
    #[serde(default)]
    message: String,
    #[serde(default, deserialize_with = "json::objects")]
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    reason: String,
}

impl GoogleError {
    fn of(reply: &Reply) -> Option<Self> {
        #[derive(Deserialize)]
        struct Body {
            error: Object<GoogleError>,
        }
        reply.json().ok().map(|Body { error: Object(error) }| error)
    }

    fn reason(&self) -> Option<&str> {
        let reason = self.errors.first()?.reason.as_str();
        let plain = reason.len() <= REASON_BYTES_MAX && reason.bytes().all(|byte| byte.is_ascii_alphabetic());
        plain.then_some(reason)
    }

    /// Whether it says that the very user or group that was asked about is not there: `notFound` of a key, but not of a
    /// domain; `conditionNotMet` of a deleted user, but of nothing else.
    fn denies_key(&self, status: StatusCode) -> bool {
        let says = |word| self.message.to_lowercase().contains(word);
        match self.reason() {
            Some("notFound") => status == StatusCode::NOT_FOUND && !says("domain"),
            Some("conditionNotMet") => status == StatusCode::PRECONDITION_FAILED && says("deleted"),
            _ => false,
        }
    }
}

/// An int64 in a string, as Google writes it; a plain number means the same.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Count {
        Text(String),
        Number(u64),
    }
    match Count::deserialize(deserializer)? {
        Count::Number(count) => Ok(Some(count)),
        Count::Text(text) => text.parse().map(Some).map_err(|_| serde::de::Error::custom("not a count")),
    }
}
