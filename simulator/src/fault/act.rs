//! Carries faults out on one call: waits, answers instead of the system, or hands its answer on to be reshaped.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde_json::json;

use super::installed::{Befalling, Wait};
use super::{Fault, reshape};
use crate::call::Call;
use crate::connection::{Cut, Ending};
use crate::directory::GoogleError;
use crate::world::World;

/// Bytes of an answer that can be reshaped; the simulator makes none that long.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of blanks sent at once.
const PADDING_CHUNK_BYTES: usize = 64 * 1024;

/// Answers a call: through `system` when no fault answers instead.
pub(crate) async fn answer(
    world: &World,
    call: &Call,
    cut: Option<&Cut>,
    system: impl Future<Output = Response>,
) -> Response {
    let Befalling { waits, instead, reshaping } = world.faults.befalling(call, &world.organisation());
    for wait in &waits {
        if let Wait::CallGate(gate) = wait {
            gate.cancelled().await;
        }
    }
    let made = match &instead {
        Some(_) => None,
        None => Some(system.await),
    };
    for wait in &waits {
        match wait {
            Wait::Delay { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Wait::AnswerGate(gate) => gate.cancelled().await,
            Wait::CallGate(_) => {}
        }
    }
    match (made, instead) {
        (Some(made), _) if reshaping.is_empty() => made,
        (Some(made), _) => reshaped(made, &reshaping, call, world.clock.unix_seconds()).await,
        (None, Some(fault)) => answer_instead(&fault, cut).await,
        (None, None) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn answer_instead(fault: &Fault, cut: Option<&Cut>) -> Response {
    match fault {
        Fault::Status { code, body, retry_after } => status(*code, body.as_deref(), retry_after.as_deref()),
        Fault::GoogleError { code, reason } => GoogleError::new(*code, reason).into_response(),
        Fault::Reset => end(cut, Ending::Reset).await,
        Fault::Close => end(cut, Ending::Close).await,
        Fault::Html => Html("<!doctype html><title>Maintenance</title><h1>Back soon</h1>").into_response(),
        Fault::InvalidJson => json_text("{\"organization\": {\"id\": ").into_response(),
        Fault::Redirect { location } => {
            let location = location.as_deref().unwrap_or("/redirected");
            (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
        }
        other => unreachable!("invariant: {other:?} does not answer instead of the system"),
    }
}

fn status(code: u16, body: Option<&str>, retry_after: Option<&str>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        Some(body) => (status, json_text(body)).into_response(),
        None => (status, Json(json!({ "detail": format!("simulated {status}") }))).into_response(),
    };
    if let Some(value) = retry_after.and_then(|text| HeaderValue::from_str(text).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn json_text(text: &str) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], text.to_owned())
}

/// Without a connection to end (a call that did not come by TCP) the fault is an error the test sees.
async fn end(cut: Option<&Cut>, ending: Ending) -> Response {
    match cut {
        Some(cut) => cut.end(ending).await,
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn reshaped(made: Response, faults: &[Fault], call: &Call, now: i64) -> Response {
    let (mut parts, body) = made.into_parts();
    let mut body = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap_or_default();
    for fault in faults {
        body = reshape::body(fault, body, call, now);
        reshape::headers(fault, &mut parts.headers);
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    let truncate = faults.contains(&Fault::Truncate);
    let oversize_bytes = faults.iter().find_map(|fault| match fault {
        Fault::Oversize { bytes } => Some(*bytes),
        _ => None,
    });
    let body = match (truncate, oversize_bytes) {
        (true, _) => {
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len().max(2)));
            truncated(&body)
        }
        (false, Some(bytes)) => padded(body, bytes),
        (false, None) => Body::from(body),
    };
    Response::from_parts(parts, body)
}

/// Half of the body; then, once that is on the wire, an error that ends the connection.
fn truncated(body: &Bytes) -> Body {
    let half = body.slice(..body.len() / 2);
    let part = stream::once(async move { Ok(half) });
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    });
    Body::from_stream(part.chain(end))
}

/// The body followed by blanks, up to so many bytes, chunked.
fn padded(body: Bytes, bytes: u64) -> Body {
    let missing = bytes.saturating_sub(body.len() as u64);
    let blanks = Bytes::from(vec![b' '; PADDING_CHUNK_BYTES]);
    let padding = stream::unfold(missing, move |left| {
        let chunk_bytes = left.min(PADDING_CHUNK_BYTES as u64);
        let chunk = blanks.slice(..usize::try_from(chunk_bytes).unwrap_or(PADDING_CHUNK_BYTES));
        async move { (left > 0).then(|| (Ok::<_, Infallible>(chunk), left - chunk_bytes)) }
    });
    Body::from_stream(stream::once(async move { Ok(body) }).chain(padding))
}
