//! `members.list`, `members.get` and `members.hasMember`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::access::{self, Resource};
use super::page::{Page, PageRequest, PageSize};
use super::{GoogleError, answer, etag};
use crate::organisation::{DirectoryId, MemberKind, Role, UserState, Workspace};
use crate::world::World;

const PAGE_SIZE: PageSize = PageSize { rows_default: 200, rows_max: 200 };

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListParameters {
    include_derived_membership: Option<bool>,
    roles: Option<String>,
    fields: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberList<'a> {
    kind: &'static str,
    etag: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<MemberEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct MemberEntry<'a> {
    kind: &'static str,
    etag: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    role: Role,
    #[serde(rename = "type")]
    member_kind: MemberKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

pub(super) async fn list(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Path(group_key): Path<String>,
    Query(parameters): Query<ListParameters>,
) -> Result<Response, GoogleError> {
    access::check(&world, &headers, Resource::Members)?;
    let request = PageRequest::of(&uri, PAGE_SIZE, world.clock.unix_seconds())?;
    let organisation = world.organisation();
    let workspace = &organisation.workspace;
    let id = workspace.group_id(&group_key).ok_or_else(|| GoogleError::not_found("groupKey"))?;
    let group = workspace.group(id).ok_or_else(|| GoogleError::not_found("groupKey"))?;
    let ListParameters { include_derived_membership, roles, fields } = &parameters;
    let roles = asked_roles(roles.as_deref())?;
    let page = match include_derived_membership {
        Some(true) => page_of(&workspace.derived_members(id), &roles, &request),
        Some(false) | None => page_of(&group.members, &roles, &request),
    };
    answer(&listed(workspace, page), fields.as_deref())
}

pub(super) async fn get(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path((group_key, member_key)): Path<(String, String)>,
) -> Result<Response, GoogleError> {
    access::check(&world, &headers, Resource::Members)?;
    let organisation = world.organisation();
    let workspace = &organisation.workspace;
    let group_id = workspace.group_id(&group_key).ok_or_else(|| GoogleError::not_found("groupKey"))?;
    let member_id = workspace.member_id(&member_key);
    let group = workspace.group(group_id);
    let membership = member_id.zip(group).and_then(|(id, group)| group.members.get(&id).map(|role| (id, *role)));
    let (id, role) = membership.ok_or_else(|| GoogleError::not_found("memberKey"))?;
    answer(&entry(workspace, id, role), None)
}

pub(super) async fn has_member(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Path((group_key, member_key)): Path<(String, String)>,
) -> Result<Response, GoogleError> {
    access::check(&world, &headers, Resource::Members)?;
    let organisation = world.organisation();
    let workspace = &organisation.workspace;
    let group = workspace.group_id(&group_key).ok_or_else(|| GoogleError::not_found("groupKey"))?;
    let member = workspace.member_id(&member_key).ok_or_else(|| GoogleError::not_found("memberKey"))?;
    Ok(Json(json!({ "isMember": workspace.is_member(group, member) })).into_response())
}

/// The roles asked for; none named means all.
fn asked_roles(roles: Option<&str>) -> Result<Vec<Role>, GoogleError> {
    let named = |name: &str| match name.trim() {
        "OWNER" => Ok(Role::Owner),
        "MANAGER" => Ok(Role::Manager),
        "MEMBER" => Ok(Role::Member),
        _ => Err(GoogleError::invalid("roles")),
    };
    let names = roles.into_iter().flat_map(|roles| roles.split(',')).filter(|name| !name.trim().is_empty());
    names.map(named).collect()
}

fn page_of(members: &BTreeMap<DirectoryId, Role>, roles: &[Role], request: &PageRequest) -> Page<(DirectoryId, Role)> {
    let after = request.after().and_then(DirectoryId::parse).map_or(Bound::Unbounded, Bound::Excluded);
    let wanted = members.range((after, Bound::Unbounded)).filter(|(_, role)| roles.is_empty() || roles.contains(role));
    request.take(wanted.map(|(id, role)| (id.to_string(), (*id, *role))))
}

fn listed(workspace: &Workspace, page: Page<(DirectoryId, Role)>) -> MemberList<'_> {
    let members: Vec<_> = page.rows.into_iter().map(|(id, role)| entry(workspace, id, role)).collect();
    let etags: Vec<_> = members.iter().map(|member| &member.etag).collect();
    MemberList { kind: "admin#directory#members", etag: etag(etags), members, next_page_token: page.next_page_token }
}

fn entry(workspace: &Workspace, id: DirectoryId, role: Role) -> MemberEntry<'_> {
    let member_kind = workspace.member_kind(id);
    let (email, status) = match member_kind {
        MemberKind::User => workspace.user(id).map(|user| (user.email.as_str(), status(user.state))).unzip(),
        MemberKind::Group => workspace.group(id).map(|group| (group.email.as_str(), "ACTIVE")).unzip(),
        MemberKind::External => workspace.external(id).map(|email| (email, "ACTIVE")).unzip(),
        MemberKind::Customer => (None, None),
    };
    let id_on_the_wire =
        if member_kind == MemberKind::Customer { super::CUSTOMER_ID.to_owned() } else { id.to_string() };
    let kind = "admin#directory#member";
    MemberEntry { kind, etag: etag((id, email, role, status)), id: id_on_the_wire, email, role, member_kind, status }
}

fn status(state: UserState) -> &'static str {
    match state {
        UserState::Active => "ACTIVE",
        UserState::Suspended => "SUSPENDED",
        UserState::Deleted => "UNKNOWN",
    }
}
