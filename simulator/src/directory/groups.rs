//! `groups.list` and `groups.get`.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::access::{self, Resource};
use super::page::{Page, PageRequest, PageSize};
use super::{GoogleError, answer, check_customer, etag, in_domain, search};
use crate::organisation::{DirectoryId, Principal, Workspace, folded};
use crate::world::World;

const PAGE_SIZE: PageSize = PageSize { rows_default: 200, rows_max: 200 };

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListParameters {
    customer: Option<String>,
    domain: Option<String>,
    user_key: Option<String>,
    query: Option<String>,
    fields: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupList<'a> {
    kind: &'static str,
    etag: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupEntry<'a> {
    kind: &'static str,
    id: String,
    etag: String,
    email: &'a str,
    name: &'a str,
    direct_members_count: String,
    description: &'a str,
    admin_created: bool,
}

/// Which groups are asked for.
#[derive(Debug)]
enum Scope {
    Customer,
    Domain(String),
    Of(DirectoryId),
}

pub(super) async fn list(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Query(parameters): Query<ListParameters>,
) -> Result<Response, GoogleError> {
    access::check(&world, &headers, Resource::Groups)?;
    let request = PageRequest::of(&uri, PAGE_SIZE, world.clock.unix_seconds())?;
    let organisation = world.organisation();
    let workspace = &organisation.workspace;
    let scope = scope(&parameters, workspace)?;
    let prefix = search::prefix(parameters.query.as_deref())?;
    let page = page_of(workspace, &scope, &prefix, &request);
    answer(&listed(workspace, page), parameters.fields.as_deref())
}

pub(super) async fn get(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path(group_key): Path<String>,
    Query(parameters): Query<ListParameters>,
) -> Result<Response, GoogleError> {
    access::check(&world, &headers, Resource::Groups)?;
    let organisation = world.organisation();
    let workspace = &organisation.workspace;
    let id = workspace.group_id(&group_key).ok_or_else(|| GoogleError::not_found("groupKey"))?;
    let entry = entry(workspace, id).ok_or_else(|| GoogleError::not_found("groupKey"))?;
    answer(&entry, parameters.fields.as_deref())
}

/// `userKey` may be a group: then its own parents are asked for. A deleted user is an answer of its own kind.
fn scope(parameters: &ListParameters, workspace: &Workspace) -> Result<Scope, GoogleError> {
    match (&parameters.customer, &parameters.domain, &parameters.user_key) {
        (None, _, Some(user_key)) => match workspace.principal(user_key) {
            Some(Principal::User(id) | Principal::Group(id)) => Ok(Scope::Of(id)),
            Some(Principal::DeletedUser(_)) => Err(GoogleError::user_is_deleted()),
            None => Err(GoogleError::not_found("userKey")),
        },
        (Some(customer), None, None) => check_customer(customer).map(|()| Scope::Customer),
        (None, Some(domain), None) => Ok(Scope::Domain(folded(domain))),
        _ => Err(GoogleError::bad_request()),
    }
}

fn page_of(workspace: &Workspace, scope: &Scope, prefix: &str, request: &PageRequest) -> Page<DirectoryId> {
    let after = request.after();
    match scope {
        Scope::Customer => request.take(workspace.groups_after(prefix, after)),
        Scope::Domain(domain) => {
            let groups = workspace.groups_after(prefix, after);
            request.take(groups.filter(|(address, _)| in_domain(address, domain)))
        }
        Scope::Of(member) => {
            let mut groups = workspace.groups_of(*member);
            groups
                .retain(|address, _| address.starts_with(prefix) && after.is_none_or(|after| address.as_str() > after));
            request.take(groups.into_iter())
        }
    }
}

fn listed(workspace: &Workspace, page: Page<DirectoryId>) -> GroupList<'_> {
    let groups: Vec<_> = page.rows.into_iter().filter_map(|id| entry(workspace, id)).collect();
    let etags: Vec<_> = groups.iter().map(|group| &group.etag).collect();
    GroupList { kind: "admin#directory#groups", etag: etag(etags), groups, next_page_token: page.next_page_token }
}

fn entry(workspace: &Workspace, id: DirectoryId) -> Option<GroupEntry<'_>> {
    let group = workspace.group(id)?;
    let members = group.direct_members_count();
    Some(GroupEntry {
        kind: "admin#directory#group",
        id: id.to_string(),
        etag: etag((id, &group.email, &group.name, &group.description, members)),
        email: &group.email,
        name: &group.name,
        direct_members_count: members.to_string(),
        description: &group.description,
        admin_created: true,
    })
}
