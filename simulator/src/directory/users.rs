//! `users.list` and `users.get`, with the fields of `projection=basic`.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::access::{self, Resource};
use super::page::{Page, PageRequest, PageSize};
use super::{CUSTOMER_ID, GoogleError, answer, check_customer, etag, in_domain, search};
use crate::organisation::{DirectoryId, User, UserState, Workspace, folded};
use crate::world::World;

const PAGE_SIZE: PageSize = PageSize { rows_default: 100, rows_max: 500 };

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListParameters {
    customer: Option<String>,
    domain: Option<String>,
    query: Option<String>,
    fields: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserList<'a> {
    kind: &'static str,
    etag: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<UserEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserEntry<'a> {
    kind: &'static str,
    id: String,
    etag: String,
    primary_email: &'a str,
    name: UserName<'a>,
    is_admin: bool,
    is_delegated_admin: bool,
    creation_time: &'static str,
    suspended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspension_reason: Option<&'static str>,
    archived: bool,
    emails: Vec<UserEmail<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    aliases: &'a [String],
    customer_id: &'static str,
    org_unit_path: &'static str,
    is_mailbox_setup: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserName<'a> {
    given_name: &'a str,
    family_name: &'a str,
    full_name: String,
}

#[derive(Debug, Serialize)]
struct UserEmail<'a> {
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary: Option<bool>,
}

pub(super) async fn list(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Query(parameters): Query<ListParameters>,
) -> Result<Response, GoogleError> {
    access::check(&world, &headers, Resource::Users)?;
    let request = PageRequest::of(&uri, PAGE_SIZE, world.clock.unix_seconds())?;
    let ListParameters { customer, domain, query, fields } = &parameters;
    match (customer, domain) {
        (Some(customer), None) => check_customer(customer)?,
        (None, Some(_)) => {}
        (Some(_), Some(_)) | (None, None) => return Err(GoogleError::bad_request()),
    }
    let organisation = world.organisation();
    let workspace = &organisation.workspace;
    let domain = domain.as_deref().map(folded);
    let prefix = search::prefix(query.as_deref())?;
    let wanted = |address: &str| domain.as_deref().is_none_or(|domain| in_domain(address, domain));
    let users = workspace.users_after(&prefix, request.after()).filter(|(address, _)| wanted(address));
    answer(&listed(workspace, request.take(users)), fields.as_deref())
}

pub(super) async fn get(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(user_key): Path<String>,
    Query(parameters): Query<ListParameters>,
) -> Result<Response, GoogleError> {
    access::check(&world, &headers, Resource::Users)?;
    let organisation = world.organisation();
    let workspace = &organisation.workspace;
    let found = workspace.user_id(&user_key).and_then(|id| workspace.user(id).map(|user| entry(id, user)));
    answer(&found.ok_or_else(|| GoogleError::not_found("userKey"))?, parameters.fields.as_deref())
}

fn listed(workspace: &Workspace, page: Page<DirectoryId>) -> UserList<'_> {
    let users: Vec<_> = page.rows.into_iter().filter_map(|id| workspace.user(id).map(|user| entry(id, user))).collect();
    let etags: Vec<_> = users.iter().map(|user| &user.etag).collect();
    UserList { kind: "admin#directory#users", etag: etag(etags), users, next_page_token: page.next_page_token }
}

fn entry(id: DirectoryId, user: &User) -> UserEntry<'_> {
    let User { email, aliases, given_name, family_name, state, is_admin, .. } = user;
    let suspended = *state == UserState::Suspended;
    let primary = UserEmail { address: email, primary: Some(true) };
    let others = aliases.iter().map(|alias| UserEmail { address: alias, primary: None });
    UserEntry {
        kind: "admin#directory#user",
        id: id.to_string(),
        etag: etag((id, email, aliases, given_name, family_name, suspended, is_admin)),
        primary_email: email,
        name: UserName { given_name, family_name, full_name: format!("{given_name} {family_name}") },
        is_admin: *is_admin,
        is_delegated_admin: false,
        creation_time: "2024-01-01T08:00:00.000Z",
        suspended,
        suspension_reason: suspended.then_some("ADMIN"),
        archived: false,
        emails: std::iter::once(primary).chain(others).collect(),
        aliases,
        customer_id: CUSTOMER_ID,
        org_unit_path: "/",
        is_mailbox_setup: true,
    }
}
