//! `POST /access/v1/search/subject`, `/access/v1/search/resource` and `/access/v1/search/action`, page by page.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use entitled_model::access::{ResourceRef, UserRef};
use entitled_model::{Permission, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    AuthzenActionBody, AuthzenResourceBody, AuthzenSubjectBody, AuthzenTypeBody, Maybe, USER, freshness, object,
    permission, resource_of, text, user,
};
use crate::access::{self, AtLeast};
use crate::http::check::unanswered;
use crate::http::problem::Refusals;
use crate::http::{Problem, Service, whole_body};
use crate::json::Object;
use crate::store::{Seen, StoreError};

/// How many results a page holds unless asked otherwise, and at most.
const PAGE_ROWS: u64 = 100;
const PAGE_ROWS_MAX: u64 = 1_000;
/// How much of a query's digest stands in the token of its next page.
const DIGEST_BYTES: usize = 8;

/// Who may do this with the resource?
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"subject": {"type": "user"}, "action": {"name": "admin"},
    "resource": {"type": "maildomain", "id": "commune-a.fr"}}))]
pub(in crate::http) struct SubjectSearchBody {
    #[schema(value_type = AuthzenTypeBody)]
    subject: Object<AuthzenTypeBody>,
    #[schema(value_type = AuthzenActionBody)]
    action: Object<AuthzenActionBody>,
    #[schema(value_type = AuthzenResourceBody)]
    resource: Object<AuthzenResourceBody>,
    context: Option<Map<String, Value>>,
    #[schema(value_type = Option<SearchPageBody>)]
    page: Maybe<SearchPageBody>,
}

/// With which resources may the user do this?
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"subject": {"type": "user", "id": "ann@commune-a.fr"}, "action": {"name": "admin"},
    "resource": {"type": "maildomain"}}))]
pub(in crate::http) struct ResourceSearchBody {
    #[schema(value_type = AuthzenSubjectBody)]
    subject: Object<AuthzenSubjectBody>,
    #[schema(value_type = AuthzenActionBody)]
    action: Object<AuthzenActionBody>,
    #[schema(value_type = AuthzenTypeBody)]
    resource: Object<AuthzenTypeBody>,
    context: Option<Map<String, Value>>,
    #[schema(value_type = Option<SearchPageBody>)]
    page: Maybe<SearchPageBody>,
}

/// What may the user do with the resource?
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"subject": {"type": "user", "id": "ann@commune-a.fr"},
    "resource": {"type": "maildomain", "id": "commune-a.fr"}}))]
pub(in crate::http) struct ActionSearchBody {
    #[schema(value_type = AuthzenSubjectBody)]
    subject: Object<AuthzenSubjectBody>,
    #[schema(value_type = AuthzenResourceBody)]
    resource: Object<AuthzenResourceBody>,
    context: Option<Map<String, Value>>,
    #[schema(value_type = Option<SearchPageBody>)]
    page: Maybe<SearchPageBody>,
}

#[derive(Deserialize, Default, ToSchema)]
struct SearchPageBody {
    /// `next_token` of the page before; empty for the first.
    token: Option<String>,
    /// How many results at most; a page never holds more than 1,000. Default: 100.
    #[schema(format = "uint64")]
    limit: Option<u64>,
    #[allow(dead_code, reason = "must be an object where it is given")]
    properties: Option<Map<String, Value>>,
}

/// A page of what was found.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SearchView {
    page: SearchPageView,
    context: SearchContextView,
    results: Vec<FoundView>,
}

#[derive(Serialize, ToSchema)]
struct SearchPageView {
    /// Empty on the last page.
    next_token: String,
    count: usize,
}

#[derive(Serialize, ToSchema)]
struct SearchContextView {
    /// The position of the log that this page is true at.
    position: i64,
}

#[derive(Serialize, ToSchema)]
struct FoundView {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

/// A page of what may be done.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ActionSearchView {
    page: SearchPageView,
    context: SearchContextView,
    results: Vec<FoundActionView>,
}

#[derive(Serialize, ToSchema)]
struct FoundActionView {
    /// A permission.
    name: String,
}

/// A search, with what can't be found here as none.
pub(in crate::http) struct Search<T> {
    pub wanted: Option<T>,
    pub at_least: AtLeast,
    page: Page,
}

/// Where a page begins, and what its query is.
struct Page {
    digest: String,
    after: String,
    rows: u64,
}

impl Page {
    fn read(query: &Value, page: Maybe<SearchPageBody>) -> Result<Self, Problem> {
        let SearchPageBody { token, limit, properties: _ } = page.map(|Object(page)| page).unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(query.to_string()).into();
        let digest: String = digest[..DIGEST_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        let after = match token.as_deref() {
            None | Some("") => String::new(),
            Some(token) => match token.split_once('.') {
                Some((of, after)) if of == digest && (after.is_empty() || text("page", after).is_ok()) => {
                    after.to_owned()
                }
                _ => {
                    let detail = "page.token is not of this query: its other parts must stay as they were";
                    return Err(Problem::new(StatusCode::BAD_REQUEST, detail).field("page"));
                }
            },
        };
        Ok(Self { digest, after, rows: limit.unwrap_or(PAGE_ROWS).min(PAGE_ROWS_MAX) })
    }

    fn view(&self, kind: &str, seen: Seen<Vec<String>>) -> SearchView {
        let (page, context, found) = self.cut(seen);
        let results = found.into_iter().map(|id| FoundView { kind: kind.to_owned(), id }).collect();
        SearchView { page, context, results }
    }

    fn actions(&self, seen: Seen<Vec<String>>) -> ActionSearchView {
        let (page, context, found) = self.cut(seen);
        ActionSearchView { page, context, results: found.into_iter().map(|name| FoundActionView { name }).collect() }
    }

    /// Of one result more than the page holds.
    fn cut(&self, Seen { position, mut found }: Seen<Vec<String>>) -> (SearchPageView, SearchContextView, Vec<String>) {
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let more = found.len() > rows;
        found.truncate(rows);
        // A page without room ends where it began.
        let last = found.last().unwrap_or(&self.after);
        let next_token = if more { format!("{}.{last}", self.digest) } else { String::new() };
        let page = SearchPageView { next_token, count: found.len() };
        (page, SearchContextView { position: position.0 }, found)
    }
}

/// The users who may do something with a resource, by id.
#[utoipa::path(
    post, path = "/access/v1/search/subject", tag = "asking", request_body = SubjectSearchBody,
    security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = SearchView),
        (status = 400, description = "The body is malformed, or the token is not of this query", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn subjects(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SearchView>, Problem> {
    let Search { wanted, at_least, page } = parse_subjects(&whole_body(body)?)?;
    access::reached(&service.store, at_least).await.map_err(|error| unanswered(&service, error))?;
    let (store, conn) = (&service.store, service.store.reader());
    let found = async {
        let Some((permission, resource)) = wanted else { return nothing(&service).await };
        let after = UserId(Uuid::parse_str(&page.after).unwrap_or_default());
        let Seen { position, found } = store.users_with(conn, &permission, &resource, after, page.rows + 1).await?;
        Ok(Seen { position, found: found.iter().map(ToString::to_string).collect() })
    };
    let found = found.await.map_err(|error: StoreError| Problem::of_store(&service.reports, &error))?;
    Ok(Json(page.view(USER, found)))
}

/// The resources of a type with which a user may do something, by id.
#[utoipa::path(
    post, path = "/access/v1/search/resource", tag = "asking", request_body = ResourceSearchBody,
    security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = SearchView),
        (status = 400, description = "The body is malformed, or the token is not of this query", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn resources(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SearchView>, Problem> {
    let (kind, Search { wanted, at_least, page }) = parse_resources(&whole_body(body)?)?;
    access::reached(&service.store, at_least).await.map_err(|error| unanswered(&service, error))?;
    let found = async {
        let Some((user, permission)) = wanted else { return nothing(&service).await };
        resources_of(&service, &user, (&kind, &permission), &page).await
    };
    let found = found.await.map_err(|error: StoreError| Problem::of_store(&service.reports, &error))?;
    Ok(Json(page.view(&kind, found)))
}

/// The permissions that a user has on a resource, by name.
#[utoipa::path(
    post, path = "/access/v1/search/action", tag = "asking", request_body = ActionSearchBody,
    security(("bearer" = ["read", "admin"])),
    responses(
        (status = 200, body = ActionSearchView),
        (status = 400, description = "The body is malformed, or the token is not of this query", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub(in crate::http) async fn actions(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ActionSearchView>, Problem> {
    let Search { wanted, at_least, page } = parse_actions(&whole_body(body)?)?;
    access::reached(&service.store, at_least).await.map_err(|error| unanswered(&service, error))?;
    let (store, conn) = (&service.store, service.store.reader());
    let found = async {
        let Some((user, resource)) = wanted else { return nothing(&service).await };
        let Some(user) = store.user_meant(conn, &user).await? else { return nothing(&service).await };
        store.permissions_of(conn, user.id, &resource, &page.after, page.rows + 1).await
    };
    let found = found.await.map_err(|error: StoreError| Problem::of_store(&service.reports, &error))?;
    Ok(Json(page.actions(found)))
}

async fn resources_of(
    service: &Service,
    user: &UserRef,
    only: (&str, &Permission),
    page: &Page,
) -> Result<Seen<Vec<String>>, StoreError> {
    let (store, conn) = (&service.store, service.store.reader());
    let Some(user) = store.user_meant(conn, user).await? else { return nothing(service).await };
    let after = ResourceRef { resource_type: only.0.to_owned(), resource_id: page.after.clone() };
    let seen = store.access_of_user(conn, user.id, Some(only), &after, page.rows + 1).await?;
    let Some(Seen { position, found: (_, rows) }) = seen else { return nothing(service).await };
    let mut found: Vec<String> =
        rows.into_iter().filter(|row| row.permission == only.1.as_str()).map(|row| row.resource.resource_id).collect();
    found.dedup();
    Ok(Seen { position, found })
}

async fn nothing(service: &Service) -> Result<Seen<Vec<String>>, StoreError> {
    let (position, _) = service.store.head(service.store.reader()).await?;
    Ok(Seen { position, found: Vec::new() })
}

pub(in crate::http) fn parse_subjects(body: &[u8]) -> Result<Search<(Permission, ResourceRef)>, Problem> {
    let form = "subject {type}, action {name}, resource {type, id}, context and page";
    let body: SubjectSearchBody = object(body, form)?;
    let SubjectSearchBody { subject: Object(subject), action: Object(action), resource: Object(resource), .. } = &body;
    text("subject", &subject.kind)?;
    let (permission, resource_ref) = (permission(action)?, resource_of(resource)?);
    let query = json!(["subject", subject.kind, action.name, resource.kind, resource.id]);
    let wanted = match (permission, resource_ref) {
        (Ok(permission), Ok(resource)) if subject.kind == USER => Some((permission, resource)),
        _ => None,
    };
    let at_least = freshness(body.context.as_ref())?;
    Ok(Search { wanted, at_least, page: Page::read(&query, body.page)? })
}

pub(in crate::http) fn parse_resources(body: &[u8]) -> Result<(String, Search<(UserRef, Permission)>), Problem> {
    let form = "subject {type, id}, action {name}, resource {type}, context and page";
    let body: ResourceSearchBody = object(body, form)?;
    let ResourceSearchBody { subject: Object(subject), action: Object(action), resource: Object(resource), .. } = &body;
    text("resource", &resource.kind)?;
    let (user, permission) = (user(subject)?, permission(action)?);
    let query = json!(["resource", subject.kind, subject.id, action.name, resource.kind]);
    let kind = resource.kind.clone();
    let at_least = freshness(body.context.as_ref())?;
    let wanted = user.ok().zip(permission.ok());
    Ok((kind, Search { wanted, at_least, page: Page::read(&query, body.page)? }))
}

pub(in crate::http) fn parse_actions(body: &[u8]) -> Result<Search<(UserRef, ResourceRef)>, Problem> {
    let form = "subject {type, id}, resource {type, id}, context and page";
    let body: ActionSearchBody = object(body, form)?;
    let ActionSearchBody { subject: Object(subject), resource: Object(resource), .. } = &body;
    let (user, resource_ref) = (user(subject)?, resource_of(resource)?);
    let query = json!(["action", subject.kind, subject.id, resource.kind, resource.id]);
    let at_least = freshness(body.context.as_ref())?;
    Ok(Search { wanted: user.ok().zip(resource_ref.ok()), at_least, page: Page::read(&query, body.page)? })
}
