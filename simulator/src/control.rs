//! The control endpoint under `/_control`: the handle's operations for whoever is not in this process, in JSON. It is
//! neither recorded nor subject to faults. What it can't read it refuses with 422 and a message.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::call::System;
use crate::change::{Change, ChangeError};
use crate::deploycenter::PostSupport;
use crate::fault::{Fault, Target};
use crate::handle::Handle;
use crate::world::World;

/// A request that makes no sense.
#[derive(Debug)]
struct Refused(String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": self.0 }))).into_response()
    }
}

impl From<ChangeError> for Refused {
    fn from(error: ChangeError) -> Refused {
        Refused(error.to_string())
    }
}

type Answer = Result<Response, Refused>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstalledFault {
    target: Target,
    fault: Fault,
}

#[derive(Debug, Deserialize)]
struct OfSystem {
    system: Option<System>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PostRequest {
    post: PostSupport,
}

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/_control/state", get(state))
        .route("/_control/people", get(people))
        .route("/_control/requests", get(requests).delete(clear_requests))
        .route("/_control/users", post(|world, body| change(world, body, Change::User)))
        .route("/_control/groups", post(|world, body| change(world, body, Change::Group)))
        .route("/_control/memberships", post(|world, body| change(world, body, Change::Membership)))
        .route("/_control/deploycenter/organisation", post(|world, body| change(world, body, Change::Organisation)))
        .route("/_control/deploycenter/account", post(|world, body| change(world, body, Change::Account)))
        .route("/_control/deploycenter/post", post(set_post))
        .route("/_control/faults", get(faults).post(install).delete(clear_faults))
        .route("/_control/release/{name}", post(release))
        .route("/_control/tokens", axum::routing::delete(revoke_tokens))
}

async fn state(State(world): State<Arc<World>>) -> Response {
    Json(Handle::new(world).state()).into_response()
}

async fn people(State(world): State<Arc<World>>) -> Response {
    Json(Handle::new(world).people()).into_response()
}

async fn change<C: DeserializeOwned>(State(world): State<Arc<World>>, body: Bytes, wrap: fn(C) -> Change) -> Answer {
    let change = wrap(read(&body)?);
    Handle::new(world).apply(&change)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn set_post(State(world): State<Arc<World>>, body: Bytes) -> Answer {
    let PostRequest { post } = read(&body)?;
    Handle::new(world).set_post_support(post);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn faults(State(world): State<Arc<World>>) -> Response {
    let installed = Handle::new(world).faults().into_iter().map(|(target, fault)| InstalledFault { target, fault });
    Json(installed.collect::<Vec<_>>()).into_response()
}

async fn install(State(world): State<Arc<World>>, body: Bytes) -> Answer {
    let InstalledFault { target, fault } = read(&body)?;
    Handle::new(world).fault(target, fault);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn clear_faults(State(world): State<Arc<World>>) -> StatusCode {
    Handle::new(world).clear_faults();
    StatusCode::NO_CONTENT
}

async fn release(State(world): State<Arc<World>>, Path(name): Path<String>) -> Answer {
    if Handle::new(world).release(&name) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Refused(format!("nothing is held under the name {name:?}")))
    }
}

async fn requests(State(world): State<Arc<World>>, asked: Query<OfSystem>) -> Response {
    let handle = Handle::new(world);
    let systems = asked.0.system.map_or_else(|| System::ALL.to_vec(), |system| vec![system]);
    let mut requests: Vec<_> = systems.into_iter().flat_map(|system| handle.requests(system)).collect();
    requests.sort_by_key(|request| request.number);
    Json(requests).into_response()
}

async fn clear_requests(State(world): State<Arc<World>>) -> StatusCode {
    Handle::new(world).clear_requests();
    StatusCode::NO_CONTENT
}

async fn revoke_tokens(State(world): State<Arc<World>>) -> StatusCode {
    Handle::new(world).revoke_tokens();
    StatusCode::NO_CONTENT
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused(error.to_string()))
}
