//! Accounts of an organisation and their roles. Only those of type `user` are played: no other counts for mail domains.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::{Answered, OPERATOR_KEY, Pairs, answered, authorized, created, fields, organization, page, service_of};
use crate::change::{AccountChange, Change, ChangeError};
use crate::deploycenter::refusal::{INVALID_EMAIL, Refusal};
use crate::deploycenter::webhook::{self, Event};
use crate::deploycenter::{dressed, row};
use crate::organisation::Grant;
use crate::world::World;

/// Capture 80.
pub(super) async fn list(
    State(world): State<Arc<World>>,
    Path((operator, id)): Path<(String, String)>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    query: Pairs,
) -> Response {
    answered(authorized(&headers, &[OPERATOR_KEY]).and_then(|()| {
        let service = service_of(&world, None)?;
        let organisation = world.organisation();
        let subscriptions = &organisation.subscriptions;
        let (siret, _) = organization(subscriptions, &operator, &id)?;
        let rows = subscriptions.accounts().filter_map(|(email, account)| {
            let grant = account.grants.get(siret)?;
            Some(row::account(siret, email, account, grant, service))
        });
        page(&world, rows.collect(), &headers, &uri, &query)
    }))
}

/// Capture 81: 201 for a new account, 200 for one that was there. Its webhook follows the change.
pub(super) async fn upsert(
    State(world): State<Arc<World>>,
    Path((operator, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match upserted(&world, &operator, &id, &headers, &body) {
        Err(refusal) => dressed(refusal.into_response()),
        Ok((siret, row, is_new)) => {
            webhook::send(&world, Event::AccountUpdated, &siret, None).await;
            if is_new { created(row) } else { answered(Ok(row)) }
        }
    }
}

fn upserted(
    world: &World,
    operator: &str,
    id: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(String, Value, bool), Refusal> {
    authorized(headers, &[OPERATOR_KEY])?;
    let fields = fields(body)?;
    let email = fields.get("email").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (siret, is_new) = {
        let organisation = world.organisation();
        let (siret, _) = organization(&organisation.subscriptions, operator, id)?;
        let mut accounts = organisation.subscriptions.accounts();
        let is_new = !accounts.any(|(known, account)| *known == email && account.grants.contains_key(siret));
        (siret.clone(), is_new)
    };
    let roles = texts(fields.get("roles"));
    apply(world, AccountChange::SetRoles { email: email.clone(), siret: siret.clone(), roles })?;
    if let Some(account_id) = fields.get("external_id").and_then(Value::as_str).filter(|id| !id.is_empty()) {
        apply(world, AccountChange::SetAccountId { email: email.clone(), account_id: account_id.to_owned() })?;
    }
    let row = show(world, &siret, &email)?;
    Ok((siret, row, is_new))
}

/// Captures 96 and 120: revoking roles sends no webhook.
pub(super) async fn change(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answered(authorized(&headers, &[OPERATOR_KEY]).and_then(|()| {
        let (siret, email) = account_of(&world, &id)?;
        if let Some(roles) = fields(&body)?.get("roles") {
            let roles = texts(Some(roles));
            apply(&world, AccountChange::SetRoles { email: email.clone(), siret: siret.clone(), roles })?;
        }
        show(&world, &siret, &email)
    }))
}

/// Capture 97: the webhook's receiver still sees the old roles.
pub(super) async fn link(
    State(world): State<Arc<World>>,
    Path((id, service_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = || {
        authorized(&headers, &[OPERATOR_KEY])?;
        service_of(&world, Some(&service_id))?;
        let (siret, email) = account_of(&world, &id)?;
        let roles = fields(&body)?.get("roles").and_then(Value::as_object).cloned();
        Ok((siret, email, roles.unwrap_or_default()))
    };
    match read() {
        Err(refusal) => answered(Err(refusal)),
        Ok((siret, email, roles)) => {
            webhook::send(&world, Event::AccountUpdated, &siret, None).await;
            answered(linked(&world, siret, email, roles, &service_id))
        }
    }
}

fn linked(world: &World, siret: String, email: String, roles: Map<String, Value>, service_id: &str) -> Answered {
    let row = row::service_link(&roles, service_of(world, Some(service_id))?);
    apply(world, AccountChange::SetServiceRoles { email, siret, roles })?;
    Ok(row)
}

fn account_of(world: &World, id: &str) -> Result<(String, String), Refusal> {
    let organisation = world.organisation();
    let accounts = organisation.subscriptions.accounts();
    let mut all = accounts.flat_map(|(email, account)| account.grants.keys().map(move |siret| (siret, email)));
    let found = all.find(|(siret, email)| row::account_id(siret, email) == id);
    found.map(|(siret, email)| (siret.clone(), email.clone())).ok_or(Refusal::NotFound)
}

fn show(world: &World, siret: &str, email: &str) -> Answered {
    let organisation = world.organisation();
    let mut accounts = organisation.subscriptions.accounts();
    let (email, account) = accounts.find(|(known, _)| *known == email).ok_or(Refusal::NotFound)?;
    let grant = account.grants.get(siret).cloned().unwrap_or_else(Grant::default);
    Ok(row::account(siret, email, account, &grant, service_of(world, None)?))
}

fn apply(world: &World, change: AccountChange) -> Result<(), Refusal> {
    let applied = world.organisation_mut().apply(&Change::Account(change));
    applied.map_err(|error| match error {
        ChangeError::NotAnAddress(_) => Refusal::Invalid(vec![("email", INVALID_EMAIL)]),
        _ => Refusal::ServerError,
    })
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let entries = value.and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(Value::as_str).map(str::to_owned).collect()
}
