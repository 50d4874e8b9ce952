//! A bare client of a Google-like directory: the pages that a full read needs, parsed, counted, and dropped.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use clap::Args;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use crate::connection::Connection;

const SCOPE: &str = "https://www.googleapis.com/auth/admin.directory.group.readonly \
    https://www.googleapis.com/auth/admin.directory.group.member.readonly \
    https://www.googleapis.com/auth/admin.directory.user.readonly";

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    base: Url,
    /// The service account's key, as Google gives it out
    #[arg(long)]
    key_file: PathBuf,
    #[arg(long)]
    subject: String,
    /// Member lists read at once
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
}

#[derive(Deserialize)]
struct Key {
    client_email: String,
    private_key: String,
    token_uri: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
    #[serde(default, alias = "groups", alias = "users", alias = "members")]
    entries: Vec<Entry>,
}

/// What a reader of memberships can't do without.
#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(alias = "primaryEmail")]
    email: Option<String>,
}

/// What was read so far.
#[derive(Default)]
struct Count {
    pages: u64,
    bytes: u64,
    entries: u64,
}

struct Client {
    base: Url,
    token: String,
    count: Mutex<Count>,
}

pub async fn run(options: Options) -> anyhow::Result<Value> {
    let began = Instant::now();
    let token = granted(&options).await?;
    let client = Arc::new(Client { base: options.base, token, count: Mutex::default() });
    let mut connection = Connection::open(&client.base).await?;
    let mut groups = Vec::new();
    client.list(&mut connection, "groups?customer=my_customer&maxResults=200", |group| groups.push(group.id)).await?;
    client.list(&mut connection, "users?customer=my_customer&projection=basic&maxResults=500", drop).await?;
    let groups = Arc::new(Mutex::new(groups));
    let mut readers = JoinSet::new();
    for _ in 0..options.concurrency {
        readers.spawn(read_members(client.clone(), groups.clone()));
    }
    while let Some(reader) = readers.join_next().await {
        reader??;
    }
    let count = client.count.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(
        json!({ "seconds": began.elapsed().as_secs_f64(), "pages": count.pages, "bytes": count.bytes, "entries": count.entries }),
    )
}

async fn read_members(client: Arc<Client>, groups: Arc<Mutex<Vec<String>>>) -> anyhow::Result<()> {
    let mut connection = Connection::open(&client.base).await?;
    loop {
        let Some(group) = groups.lock().unwrap_or_else(PoisonError::into_inner).pop() else { return Ok(()) };
        client.list(&mut connection, &format!("groups/{group}/members?maxResults=200"), drop).await?;
    }
}

impl Client {
    async fn list(&self, connection: &mut Connection, what: &str, mut each: impl FnMut(Entry)) -> anyhow::Result<()> {
        let first = format!("/admin/directory/v1/{what}");
        let mut path = first.clone();
        loop {
            let request = Request::get(&path).header("authorization", format!("Bearer {}", self.token));
            let body = connection.send(request.body(Full::default())?).await?;
            ensure!(body.status().is_success(), "{path} answered {}", body.status());
            let page: Page = serde_json::from_slice(body.body())?;
            {
                let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
                count.pages += 1;
                count.bytes += body.body().len() as u64;
                count.entries += page.entries.iter().filter(|entry| entry.email.is_some()).count() as u64;
            }
            page.entries.into_iter().for_each(&mut each);
            let Some(next) = page.next else { return Ok(()) };
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            path = format!("{first}&pageToken={next}");
        }
    }
}

/// The exchange of a signed assertion for a token (RFC 7523), as Google has it.
async fn granted(options: &Options) -> anyhow::Result<String> {
    let text = std::fs::read(&options.key_file).with_context(|| options.key_file.display().to_string())?;
    let key: Key = serde_json::from_slice(&text)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({
        "iss": key.client_email, "sub": options.subject, "scope": SCOPE, "aud": key.token_uri, "iat": now, "exp": now + 3600,
    });
    let secret = EncodingKey::from_rsa_pem(key.private_key.as_bytes())?;
    let assertion = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &secret)?;
    let form = format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    let request = Request::post("/token").header("content-type", "application/x-www-form-urlencoded");
    let answer = Connection::open(&options.base).await?.send(request.body(Full::from(form))?).await?;
    Ok(parsed::<Token>(&answer)?.access_token)
}

fn parsed<T: DeserializeOwned>(answer: &hyper::Response<Bytes>) -> anyhow::Result<T> {
    serde_json::from_slice(answer.body())
        .with_context(|| format!("{}: {}", answer.status(), String::from_utf8_lossy(answer.body())))
}
