//! Against `scim2-server`, which shares no code and no author with entitled: a process of its own, filled over HTTP.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::on_both_stores;
use crate::support::{PATIENCE, World};
use crate::{configure, expect, groups_of, sync};

const TOKEN: &str = "a-token-of-the-peer";
const ANN: &str = "ann@example.org";

/// The module that is started, and how often a free port is looked for.
const MODULE: &str = "scim2_server.testserver.cli";
const STARTS_MAX: usize = 5;

/// A running server. Dropped, it is killed.
struct Peer {
    base: String,
    _process: Child,
}

/// How the server says that its lists are to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offers {
    Index,
    Cursor,
}

impl Peer {
    /// `None`, and said so, where there are no peers.
    async fn start(folder: &Path, offers: Offers) -> Option<Self> {
        let Some(peers) = std::env::var_os("ENTITLED_TEST_PEERS") else {
            eprintln!("NOT CHECKED against scim2-server: ENTITLED_TEST_PEERS names no folder (scripts/test makes one)");
            return None;
        };
        let config = folder.join("provider.json");
        let supported = json!({"supported": true});
        let provider = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": supported, "sort": supported, "etag": supported, "changePassword": supported,
            "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
            "filter": {"supported": true, "maxResults": 1000},
            "pagination": {"index": true, "cursor": offers == Offers::Cursor},
        });
        std::fs::write(&config, provider.to_string()).expect("written");
        for _ in 0..STARTS_MAX {
            let port = free_port();
            let mut command = Command::new(Path::new(&peers).join("bin/python"));
            command.args(["-m", MODULE, "--port", &port.to_string(), "--bearer-token", TOKEN]);
            command.arg("--service-provider-config").arg(&config);
            let process = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn();
            let mut process = process.expect("the peers hold scim2-server: see scripts/peers.txt");
            let mut said = BufReader::new(process.stdout.take().expect("stdout")).lines();
            let ready = tokio::time::timeout(PATIENCE, said.next_line()).await.expect("it starts").expect("text");
            // Otherwise somebody else took the port.
            if ready.is_some_and(|line| line.starts_with("Serving SCIM on")) {
                return Some(Self { base: format!("http://127.0.0.1:{port}/v2"), _process: process });
            }
        }
        panic!("scim2-server did not start");
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let mut request = reqwest::Client::new().request(method, format!("{}{path}", self.base)).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        let (status, text) = (response.status(), response.text().await.expect("a body"));
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn user(&self, name: &str, email: &str) -> String {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"];
        let emails = json!([{"value": format!("other-{email}")}, {"value": email, "primary": true}]);
        let user = json!({"schemas": schemas, "userName": name, "emails": emails, "active": true});
        id(&self.send(reqwest::Method::POST, "/Users", Some(user)).await)
    }

    async fn group(&self, name: &str, members: &[(&str, &str)]) -> String {
        id(&self.send(reqwest::Method::POST, "/Groups", Some(described(name, members))).await)
    }

    async fn change_group(&self, id: &str, name: &str, members: &[(&str, &str)]) {
        self.send(reqwest::Method::PUT, &format!("/Groups/{id}"), Some(described(name, members))).await;
    }
}

/// Members by their id and their type, which may be empty.
fn described(name: &str, members: &[(&str, &str)]) -> Value {
    let members = members.iter().map(|(id, kind)| match *kind {
        "" => json!({"value": id}),
        kind => json!({"value": id, "type": kind}),
    });
    let members: Vec<Value> = members.collect();
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members})
}

fn id(created: &Value) -> String {
    created["id"].as_str().expect("an id").to_owned()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

async fn reads_what_somebody_else_serves(mut world: World, offers: Offers) {
    let Some(peer) = Peer::start(world.path(), offers).await else { return };
    let settings = "prefix = \"acme-\"\nadmin_group = \"Acme Bosses\"\npage_size = 3";
    configure(&mut world, &peer.base, TOKEN, settings);
    let ann = peer.user("Ann", "Ann@Example.org").await;
    let mut everybody = vec![ann.clone()];
    for number in 0..10 {
        everybody.push(peer.user(&format!("user{number}"), &format!("user{number}@example.org")).await);
    }
    let everybody: Vec<(&str, &str)> = everybody.iter().map(|id| (id.as_str(), "")).collect();
    peer.group("Acme-All", &everybody).await;
    let inner = peer.group("Inner", &[(&ann, "User")]).await;
    let outer = peer.group("acme-outer", &[(&inner, "Group")]).await;
    peer.change_group(&inner, "Inner", &[(&ann, "User"), (&outer, "Group")]).await;
    peer.group("ACME BOSSES", &[(&ann, "User"), (everybody[1].0, "User")]).await;
    let empty = peer.group("acme-empty", &[]).await;

    expect(&sync(&world, &[]).await, 0, "applied");
    assert_eq!(groups_of(&world, ANN).await, ["Admin", "acme-all", "acme-outer"]);
    assert_eq!(world.members("acme-all", "directory").await.len(), 11);
    expect(&sync(&world, &[]).await, 0, "unchanged");
    expect(&sync(&world, &["--user", ANN]).await, 0, "unchanged");

    peer.change_group(&empty, "acme-empty", &[(&ann, "")]).await;
    peer.change_group(&inner, "Inner", &[(&outer, "Group")]).await;
    let refreshed = sync(&world, &["--user", ANN]).await;
    expect(&refreshed, 0, "applied");
    assert_eq!(refreshed.source("directory")["counts"], json!({"created": 1, "removed": 1, "kept": 0}));
    assert_eq!(groups_of(&world, ANN).await, ["Admin", "acme-all", "acme-empty"]);
    expect(&sync(&world, &[]).await, 0, "unchanged");
    expect(&sync(&world, &["--user", "user3@example.org"]).await, 0, "unchanged");

    peer.send(reqwest::Method::DELETE, &format!("/Groups/{empty}"), None).await;
    // A whole group is believed to be gone when the next list agrees.
    expect(&sync(&world, &[]).await, 0, "unchanged");
    expect(&sync(&world, &[]).await, 0, "applied");
    assert_eq!(groups_of(&world, ANN).await, ["Admin", "acme-all"]);
    expect(&sync(&world, &[]).await, 0, "unchanged");
    let nobody = sync(&world, &["--user", "nobody@example.org"]).await;
    assert_eq!(nobody.code, 2, "{nobody:?}");
}

on_both_stores! {
    async fn scim2_server_is_read_by_index(world: World) {
        // G1, G3, G4, S3, S14
        reads_what_somebody_else_serves(world, Offers::Index).await;
    }

    async fn scim2_server_is_read_by_cursor(world: World) {
        // G1, G3, G4, S3, S14
        reads_what_somebody_else_serves(world, Offers::Cursor).await;
    }

    async fn a_token_that_scim2_server_refuses_removes_nothing(world: World) {
        // S5
        let mut world = world;
        let Some(peer) = Peer::start(world.path(), Offers::Index).await else { return };
        configure(&mut world, &peer.base, TOKEN, "");
        let ann = peer.user("Ann", ANN).await;
        peer.group("Devs", &[(&ann, "")]).await;
        expect(&sync(&world, &[]).await, 0, "applied");
        world.environment.push(("SCIM_TOKEN".to_owned(), "another".to_owned()));
        for arguments in [&[][..], &["--user", ANN]] {
            let refused = sync(&world, arguments).await;
            expect(&refused, 3, "unavailable");
            assert_eq!(refused.source("directory")["error"]["class"], "unauthorized");
        }
        assert_eq!(groups_of(&world, ANN).await, ["devs"]);
    }
}
