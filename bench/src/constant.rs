//! The floor of a question over HTTP: a handler that knows the answer.

use axum::Router;
use axum::http::header;
use axum::routing::post;
use tokio::net::TcpListener;

/// What `/api/v1/check` answers, one path long.
const ANSWER: &str = r#"{"allowed":true,"reason":null,"user_id":"01990000-0000-7000-8000-000000000000","paths":[{"group_id":"01990000-0000-7000-8000-000000000001","group":"grp_acme_team-1@example.com","by":"grant","grant_id":"01990000-0000-7000-8000-000000000002","sources":["directory"]}],"position":123456}"#;

/// Until it is killed.
pub async fn serve() -> anyhow::Result<()> {
    let answer = || async { ([(header::CONTENT_TYPE, "application/json")], ANSWER) };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", serde_json::json!({ "address": listener.local_addr()?.to_string() }));
    // The body is read, as the one who answers in earnest must.
    let app = Router::new().fallback(post(move |_: axum::body::Bytes| answer()));
    axum::serve(listener, app).await?;
    Ok(())
}
