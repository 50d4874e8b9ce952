//! The Google Workspace directory (Admin SDK, `directory_v1`): groups, members and users, read only. Held to the
//! discovery document in `wire/google`.

mod access;
mod error;
mod fields;
mod groups;
mod members;
mod page;
mod search;
mod users;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::world::World;

pub(crate) use error::GoogleError;
pub(crate) use page::{PageToken, Start, list_of};

/// The customer id that `my_customer` stands for.
pub(crate) const CUSTOMER_ID: &str = "C0simulated";

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/admin/directory/v1/groups", get(groups::list))
        .route("/admin/directory/v1/groups/{group_key}", get(groups::get))
        .route("/admin/directory/v1/groups/{group_key}/members", get(members::list))
        .route("/admin/directory/v1/groups/{group_key}/members/{member_key}", get(members::get))
        .route("/admin/directory/v1/groups/{group_key}/hasMember/{member_key}", get(members::has_member))
        .route("/admin/directory/v1/users", get(users::list))
        .route("/admin/directory/v1/users/{user_key}", get(users::get))
}

/// A 200 with the fields asked for.
fn answer(body: &impl Serialize, fields: Option<&str>) -> Result<Response, GoogleError> {
    let json = match fields {
        None => serde_json::to_vec(body),
        Some(mask) => serde_json::to_value(body).and_then(|body| serde_json::to_vec(&fields::masked(body, mask)?)),
    };
    let json = json.map_err(|_| GoogleError::invalid("fields"))?;
    Ok(([(header::CONTENT_TYPE, "application/json; charset=UTF-8")], json).into_response())
}

/// An etag that changes when what it is made of does.
fn etag(of: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    format!("\"simulated/{:016x}\"", hasher.finish())
}

/// The customer asked for must be the one there is.
fn check_customer(customer: &str) -> Result<(), GoogleError> {
    let known = ["my_customer", CUSTOMER_ID].contains(&customer);
    if known { Ok(()) } else { Err(GoogleError::invalid("customer")) }
}

fn in_domain(folded_address: &str, domain: &str) -> bool {
    folded_address.rsplit_once('@').is_some_and(|(_, of_address)| of_address == domain)
}
