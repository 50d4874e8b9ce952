//! The routes under one address, what happens to each call on its way, and the accept loop.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::call::{Call, System};
use crate::connection::{self, Cut};
use crate::world::World;
use crate::{control, deploycenter, directory, fault, token};

/// Bytes of a request's body that are read.
const REQUEST_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Everything the simulator answers.
pub(crate) fn routes(world: Arc<World>) -> Router {
    Router::new()
        .merge(deploycenter::routes())
        .merge(directory::routes())
        .merge(token::routes())
        .merge(control::routes())
        .layer(from_fn_with_state(world.clone(), attend))
        .with_state(world)
}

/// Serves connections until asked to stop; then drops them all at once, held answers too.
pub(crate) async fn run(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, routes.clone()));
                }
                Err(error) => tracing::warn!(%error, "could not accept a connection"),
            },
        }
    }
}

/// Records a call to a simulated system and lets the faults have it. The control endpoint is left alone.
async fn attend(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let Some(system) = System::of_path(request.uri().path()) else { return next.run(request).await };
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path_params = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let call = Call::new(system, &parts, path_params.as_ref(), body.clone());
    let cut = parts.extensions.get::<Cut>().cloned();
    let in_flight = world.recorder.record(&call);
    let answered = next.run(Request::from_parts(parts, Body::from(body)));
    let response = fault::answer(&world, &call, cut.as_ref(), answered).await;
    in_flight.answered(response.body().size_hint().lower());
    response
}
