//! Administration over HTTP: groups, their members and grants, resources made by hand, who has access. What is decided stands in `crate::admin`.

pub(super) mod access;
pub(super) mod accesses;
#[cfg(any(test, feature = "fuzzing"))]
mod decoders;
pub(super) mod due;
pub(super) mod entitlements;
pub(super) mod grants;
pub(super) mod groups;
pub(super) mod members;
pub(super) mod plans;
pub(super) mod resources;
pub(super) mod roles;
pub(super) mod sources;
mod tag;
pub(super) mod tokens;
pub(super) mod users;

use axum::http::StatusCode;
use entitled_model::{GroupId, UserId};
use serde::de::DeserializeOwned;
use uuid::Uuid;

#[cfg(any(test, feature = "fuzzing"))]
pub(super) use decoders::DECODERS;

use super::auth::Principal;
use super::observe::RequestId;
use super::{Problem, Service};
use crate::admin::{Admin, AdminError};
use crate::json::Object;

/// How many rows a page holds unless asked otherwise, and at most.
const PAGE_ROWS: u64 = 100;
pub(super) const PAGE_ROWS_MAX: u64 = 1_000;
/// The longest text of a parameter, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// The hand of a caller who was let in.
fn admin(service: &Service, principal: &Principal, RequestId(id): RequestId) -> Admin {
    Admin {
        store: service.store.clone(),
        features: std::sync::Arc::clone(&service.features),
        actor: principal.actor(),
        correlation_id: Some(id),
        person: principal.person_of(),
    }
}

fn refused(service: &Service, error: AdminError) -> Problem {
    let status = match &error {
        AdminError::Store(error) => return Problem::of_store(&service.reports, error),
        AdminError::Name(_)
        | AdminError::ReservedName
        | AdminError::Description
        | AdminError::Permission(_)
        | AdminError::ResourceId(_)
        | AdminError::NoResourceType
        | AdminError::Reason
        | AdminError::Scopes(_)
        | AdminError::TokenName
        | AdminError::Lifetime
        | AdminError::Expiry
        | AdminError::OwnRole
        | AdminError::ExpiresAt => StatusCode::BAD_REQUEST,
        AdminError::NoGroup
        | AdminError::NoUser
        | AdminError::NoGrant
        | AdminError::NotByAdmin(_)
        | AdminError::NoPlan
        | AdminError::NoToken
        | AdminError::NoOrphan => StatusCode::NOT_FOUND,
        AdminError::NameTaken
        | AdminError::SystemGroup(_)
        | AdminError::SourceManaged(_)
        | AdminError::HeldByOthers(_)
        | AdminError::AlreadyMember
        | AdminError::NotActive(_)
        | AdminError::TooManyTokens
        | AdminError::AddressTaken
        | AdminError::AlreadyGranted
        | AdminError::LastOwner
        | AdminError::Superseded(_)
        | AdminError::SourceConfigured(_)
        | AdminError::LastAdministrator => StatusCode::CONFLICT,
        AdminError::FeatureOff(_) | AdminError::AboveOwnRole => StatusCode::FORBIDDEN,
        AdminError::Changed => StatusCode::PRECONDITION_FAILED,
    };
    let problem = Problem::new(status, error.to_string());
    match error {
        AdminError::Name(_) | AdminError::ReservedName | AdminError::NameTaken => problem.field("name"),
        AdminError::Description => problem.field("description"),
        AdminError::Permission(_) => problem.field("permission"),
        AdminError::ResourceId(_) => problem.field("resource_id"),
        AdminError::NoResourceType => problem.field("resource_type"),
        AdminError::NoUser => problem.field("user_id"),
        AdminError::Reason => problem.field("reason"),
        AdminError::Expiry => problem.field("expires_in"),
        AdminError::Scopes(_) => problem.field("scopes"),
        AdminError::TokenName => problem.field("name"),
        AdminError::Lifetime => problem.field("expires_in_days"),
        AdminError::AddressTaken => problem.field("email"),
        AdminError::TooManyTokens => problem.code("too_many_tokens"),
        AdminError::ExpiresAt => problem.field("expires_at"),
        AdminError::SourceManaged(_) => problem.code("source_managed"),
        AdminError::FeatureOff(_) => problem.code("feature_off"),
        AdminError::LastAdministrator => problem.code("last_administrator"),
        AdminError::LastOwner => problem.code("last_owner"),
        AdminError::AboveOwnRole => problem.code("above_own_role"),
        AdminError::OwnRole => problem.code("own_role"),
        _ => problem,
    }
}

/// A JSON object of exactly these fields.
pub(super) fn object<T: DeserializeOwned>(body: &[u8], form: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map(|Object(value)| value).map_err(|error| {
        // serde's text quotes what was given, which may be an address.
        let place = format!("line {} column {}", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not a JSON object of {form} ({place})"))
    })
}

fn user_id(text: &str) -> Result<UserId, Problem> {
    let id = Uuid::parse_str(text).map_err(|_| Problem::new(StatusCode::NOT_FOUND, "there is no such user"))?;
    Ok(UserId(id))
}

/// A text to compare with what is stored.
fn plain(field: &'static str, text: String) -> Result<String, Problem> {
    if text.contains('\0') || text.len() > TEXT_BYTES_MAX {
        let detail = format!("{field} must be free of NUL characters and at most {TEXT_BYTES_MAX} bytes long");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).field(field));
    }
    Ok(text)
}

fn group_id(text: &str) -> Result<GroupId, Problem> {
    let id = Uuid::parse_str(text).map_err(|_| Problem::new(StatusCode::NOT_FOUND, "there is no such group"))?;
    Ok(GroupId(id))
}

/// How many rows a page is to hold.
pub(super) fn limit(asked: Option<u64>) -> Result<u64, Problem> {
    let limit = asked.unwrap_or(PAGE_ROWS);
    if (1..=PAGE_ROWS_MAX).contains(&limit) { Ok(limit) } else { Err(bad_limit()) }
}

/// Cuts what was read, one row more than a page holds; the place of its last row, where more follow.
pub(super) fn next_of<T, P>(found: &mut Vec<T>, limit: u64, place: impl FnOnce(&T) -> P) -> Option<P> {
    let more = found.len() as u64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    found.last().filter(|_| more).map(place)
}

pub(super) fn bad_limit() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("limit must be a number from 1 to {PAGE_ROWS_MAX}")).field("limit")
}
