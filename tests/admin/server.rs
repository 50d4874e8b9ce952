//! `--server URL`: the commands of administration say the same over HTTP as on the database, and the others are refused.

use std::collections::BTreeSet;

use entitled_model::UserId;
use entitled_model::event::{Cause, Event};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use crate::hand::{ANN, BOB, admin, ask, grant, group, head, id_of, serve};
use crate::on_both_stores;
use crate::plans::held;
use crate::support::{Daemon, Ended, Kind, PATIENCE, SIRET, World};

const STAFF: &str = "grp_acme_staff@example.com";

/// Commands that a server answers, as `--help` names them.
const REMOTE: &[&str] = &[
    "user show",
    "user create",
    "user deactivate",
    "user reactivate",
    "user erase",
    "user access",
    "user list",
    "group list",
    "group members",
    "group create",
    "group delete",
    "group add-member",
    "group remove-member",
    "token create",
    "token list",
    "token revoke",
    "grant list",
    "grant create",
    "grant delete",
    "grant resource-types",
    "role list",
    "role set",
    "role remove",
    "plan list",
    "plan show",
    "plan due",
    "plan approve",
    "plan reject",
    "history",
    "audit",
    "members",
    "diff",
    "why",
    "events tail",
    "source list",
];

/// Commands that work on the database only, each with arguments that it would take.
const REFUSED: &[(&str, &[&str])] = &[
    ("serve", &[]),
    ("sync", &[]),
    ("migrate up", &[]),
    ("migrate down", &[]),
    ("migrate status", &[]),
    ("migrate readonly-role up", &[]),
    ("migrate readonly-role down", &[]),
    ("migrate readonly-role status", &[]),
    ("break-glass grant-admin", &[ANN]),
    ("source forget", &["elsewhere"]),
    ("snapshot record", &["google_sync"]),
    ("verify", &[]),
    ("rebuild", &[]),
    ("config check", &[]),
    ("config show", &[]),
    ("doctor", &[]),
    ("simulate", &[]),
    ("demo", &[]),
];

/// With `--server`, and this token.
async fn far(world: &World, base: &str, token: Option<&str>, arguments: &[&str]) -> Ended {
    let mut command = world.command(arguments);
    command.env("ENTITLED_SERVER", base).env_remove("ENTITLED_TOKEN");
    if let Some(token) = token {
        command.env("ENTITLED_TOKEN", token);
    }
    let ended = tokio::time::timeout(2 * PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    Ended::from(ended)
}

/// Both faces answer the same.
async fn same(world: &World, daemon: &Daemon, arguments: &[&str]) -> Ended {
    let (near, far) = (world.run(arguments).await, far(world, &daemon.base, Some("admin-key"), arguments).await);
    assert_eq!((near.code, &near.stdout), (far.code, &far.stdout), "{arguments:?}\n{near:?}\n{far:?}");
    far
}

async fn done(world: &World, daemon: &Daemon, arguments: &[&str]) -> String {
    let ended = far(world, &daemon.base, Some("admin-key"), arguments).await;
    assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
    ended.stdout.trim().to_owned()
}

/// Each of these as a table and as JSON.
async fn same_in_both_forms(world: &World, daemon: &Daemon, questions: &[&[&str]]) {
    for question in questions {
        let table = same(world, daemon, question).await;
        let json = same(world, daemon, &[question, &["--output", "json"][..]].concat()).await;
        assert_eq!((table.code, json.code), (0, 0), "{question:?}: {table:?}");
        assert_ne!(table.stdout, json.stdout);
    }
}

/// The commands below one, as its help lists them.
async fn below(world: &World, path: &[&str]) -> Vec<String> {
    let help = world.run(&[path, &["--help"]].concat()).await;
    assert_eq!(help.code, 0, "{help:?}");
    let Some((_, listed)) = help.stdout.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every command that can be run.
async fn commands(world: &World) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![Vec::<String>::new()]);
    while let Some(path) = open.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let names = below(world, &words).await;
        if names.is_empty() {
            found.insert(path.join(" "));
        }
        open.extend(names.into_iter().map(|name| [path.clone(), vec![name]].concat()));
    }
    found
}

on_both_stores! {
    async fn what_is_asked_of_a_server_is_told_as_on_the_database(world: World) {
        let mut world = world;
        world.org().set_domains(ANN, SIRET, ["ville-a.fr"]).add_member(STAFF, BOB);
        let daemon = serve(&mut world).await;
        let (press, readers) = (group(&daemon, "press").await, group(&daemon, "readers").await);
        let ann = done(&world, &daemon, &["user", "create", ANN]).await;
        let bob = done(&world, &daemon, &["user", "create", BOB]).await;
        for (group, user, more) in [
            ("press", ANN, &["--expires-at", "2100-01-01T00:00:00Z"][..]),
            (&id_of(&press), &bob, &[]),
            ("readers", ANN, &[]),
        ] {
            assert_eq!(done(&world, &daemon, &[&["group", "add-member", group, user][..], more].concat()).await, "");
        }
        assert_eq!(done(&world, &daemon, &["group", "remove-member", "press", BOB]).await, "");
        daemon.login(&json!({"email": ANN, "sub": "sub-ann", "claims": {"siret": SIRET}})).await;
        daemon.login(&json!({"email": BOB})).await;
        let made = done(&world, &daemon, &["grant", "create", "press", "admin", "maildomain", "commune-a.fr"]).await;
        grant(&daemon, &readers, "read", "commune-a.fr").await;
        done(&world, &daemon, &["role", "set", "manage", "--user", ANN]).await;
        done(&world, &daemon, &["role", "set", "viewer", "--group", "readers"]).await;
        done(&world, &daemon, &["user", "deactivate", BOB]).await;
        let secret = done(&world, &daemon, &["token", "create", "--user", ANN, "--name", "laptop"]).await;
        assert!(secret.starts_with("ent_"), "{secret}");

        same_in_both_forms(&world, &daemon, &[
            &["group", "list"],
            &["group", "members", "press"],
            &["group", "members", "Everyone"],
            &["grant", "list"],
            &["grant", "list", "--group", "press", "--resource-type", "maildomain", "--resource-id", "commune-a.fr"],
            &["grant", "resource-types"],
            &["user", "list"],
            &["user", "access", ANN],
            &["user", "access", &ann],
            &["user", "show", ANN],
            &["user", "show", &ann],
            &["user", "show", "sub-ann"],
            &["user", "show", BOB],
            &["plan", "due"],
            &["plan", "due", "--source", "admin"],
            &["plan", "due", "--source", "google_sync"],
            &["plan", "due", "--source", "elsewhere"],
            &["source", "list"],
            &["role", "list"],
            &["token", "list"],
            &["token", "list", "--user", ANN],
            &["plan", "list"],
            &["history", "--user", ANN],
            &["history", "--user", ANN, "--limit", "2", "--since", "@1"],
            &["history", "--group", "press"],
            &["members"],
            &["members", "--user", ANN, "--limit", "1"],
            &["members", "--as-of", "@5"],
            &["diff", "@0", "@12"],
            &["diff", "@0", "@12", "--limit", "1"],
            &["why", ANN, "press"],
            &["why", BOB, "press"],
            &["events", "tail"],
            &["events", "tail", "--after", "3"],
        ]).await;
        for given in [None, Some("wrong"), Some("read-key")] {
            assert!(ask(&daemon, "POST", "/admin/groups", given, Some(json!({"name": "x"}))).await.0 > 400);
        }
        world.wait_for_count("SELECT count(*) FROM access_log WHERE verdict <> 'valid'", 3).await;
        let shown = same(&world, &daemon, &["user", "show", ANN, "--output", "json"]).await.json();
        assert_eq!((&shown["sub"], &shown["claims"]), (&json!("sub-ann"), &json!({"siret": SIRET})));
        let of_press = shown["memberships"].as_array().expect("a list").iter().find(|row| row["group"] == "press");
        assert_eq!(of_press.expect("press")["due_at"], "2100-01-01T00:00:00.000000Z");
        let stated = shown["entitlements"].as_array().expect("a list").iter().find(|row| row["key"] == "can_admin_maildomains");
        let stated = stated.expect("an entitlement");
        assert_eq!((&stated["source"], &stated["value"]), (&json!("deploycenter"), &json!(["ville-a.fr"])));
        assert!(stated["observed_at"].is_string(), "{stated}");
        let due = same(&world, &daemon, &["plan", "due", "--output", "json"]).await.json();
        let expected = json!([{"due_at": "2100-01-01T00:00:00.000000Z", "user": ann, "email": ANN, "group": "press", "source": "admin"}]);
        assert_eq!(due, expected);
        let sources = same(&world, &daemon, &["source", "list", "--output", "json"]).await.json();
        let kinds: Vec<_> = sources.as_array().expect("a list").iter().map(|row| (row["source"].clone(), row["kind"].clone())).collect();
        let kind = |source: &str, kind: &str| (json!(source), json!(kind));
        assert!(kinds.contains(&kind("admin", "reserved")) && kinds.contains(&kind("google_sync", "google_workspace")), "{sources}");
        for form in ["table", "json", "jsonl", "csv"] {
            same(&world, &daemon, &["audit", "--output", form]).await;
            same(&world, &daemon, &["audit", "--action", "group.*", "--limit", "2", "--output", form]).await;
            let refusals = same(&world, &daemon, &["audit", "--refusals", "--output", form]).await;
            assert!(refusals.stdout.contains("forbidden"), "{refusals:?}");
            same(&world, &daemon, &["audit", "--refusals", "--limit", "2", "--output", form]).await;
        }

        done(&world, &daemon, &["user", "reactivate", BOB]).await;
        done(&world, &daemon, &["grant", "delete", &made]).await;
        done(&world, &daemon, &["role", "remove", "--user", ANN]).await;
        let token = done(&world, &daemon, &["token", "create", "--service", "--scope", "read", "--output", "json"]).await;
        let token: serde_json::Value = serde_json::from_str(&token).expect("JSON");
        done(&world, &daemon, &["token", "revoke", token["id"].as_str().expect("an id")]).await;
        done(&world, &daemon, &["group", "create", "guests", "--description", "whoever comes"]).await;
        done(&world, &daemon, &["group", "delete", "guests"]).await;
        same_in_both_forms(&world, &daemon, &[
            &["group", "list"], &["grant", "list"], &["role", "list"], &["token", "list"], &["user", "list"],
        ]).await;
        assert_eq!(done(&world, &daemon, &["user", "erase", BOB, "--reason", "they asked for it"]).await, format!("erased: {bob}"));
        same_in_both_forms(&world, &daemon, &[&["user", "list"], &["user", "show", &bob]]).await;
        assert_eq!(same(&world, &daemon, &["user", "show", BOB]).await.code, 2);
        // What was done over HTTP has the caller's name.
        let audit = world.run(&["audit", "--action", "group.deleted", "--output", "jsonl"]).await;
        assert!(audit.stdout.contains("key:office"), "{audit:?}");
    }

    async fn lists_longer_than_a_page_are_whole(world: World) {
        const MEMBERS: usize = 1_005;
        let mut world = world;
        let rules = "removal = { grace = \"72h\" }\nguard = { max_removal_ratio = 1.0, max_removals = 10000 }";
        world.configure("retry = { attempts = 1 }", &format!("retry = {{ attempts = 1 }}\n{rules}"));
        for number in 0..MEMBERS {
            world.org().add_member(STAFF, &format!("m{number:04}@example.org"));
        }
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let store = world.store().await;
        let mut unit = store.begin().await.expect("a unit");
        let (at, cause) = (unit.at(), Cause { actor: "operator".to_owned(), ..Cause::default() });
        let created: Vec<Event> = (0..MEMBERS).map(|_| Event::users_created(vec![UserId(store.clock().new_id())])).collect();
        unit.record(&cause, at, created).await.expect("recorded");
        unit.commit().await.expect("committed");
        for number in 0..MEMBERS {
            world.org().remove_member(STAFF, &format!("m{number:04}@example.org"));
        }
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let head = format!("@{}", head(&world).await);
        for (question, rows) in [
            (&["user", "list"][..], ""),
            (&["plan", "due"], ""),
            (&["group", "members", STAFF], ""),
            (&["members", "--group", STAFF], "/memberships"),
            (&["diff", "@0", &head], "/changes"),
            (&["history", "--group", STAFF, "--limit", "1004"], "/entries"),
        ] {
            let told = same(&world, &daemon, &[question, &["--output", "json"][..]].concat()).await.json();
            let rows = told.pointer(rows).and_then(serde_json::Value::as_array).expect("a list").len();
            assert!(rows > 1_000, "{question:?}: {rows}");
        }
        let log = same(&world, &daemon, &["events", "tail", "--after", "0", "--output", "json"]).await;
        let audit = same(&world, &daemon, &["audit", "--output", "jsonl"]).await;
        assert!(log.stdout.lines().count() > MEMBERS && audit.stdout.lines().count() > MEMBERS);
        let cut = same(&world, &daemon, &["audit", "--output", "csv", "--limit", "1001"]).await;
        assert_eq!(cut.stdout.lines().count(), 1 + 1_001);
        let new_id = match world.database.kind() {
            Kind::Sqlite => "randomblob(16)",
            Kind::Postgres => "gen_random_uuid()",
        };
        world.database.execute(&format!(
            "INSERT INTO access_log (id, at, verdict, method, route, status, request_id)
             SELECT {new_id}, (SELECT max(recorded_at) FROM event), 'missing', 'GET', '/x', 401, 'r' FROM event LIMIT 1005"
        )).await;
        let refusals = same(&world, &daemon, &["audit", "--refusals", "--output", "jsonl"]).await;
        assert_eq!(refusals.stdout.lines().count(), 1_005);
        let cut = same(&world, &daemon, &["audit", "--refusals", "--output", "csv", "--limit", "1001"]).await;
        assert_eq!(cut.stdout.lines().count(), 1 + 1_001);
    }

    async fn held_plans_are_told_and_approved_on_a_server(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let hash = held(&world, 10).await;
        same_in_both_forms(&world, &daemon, &[&["plan", "list"], &["plan", "show", &hash], &["plan", "show", &hash[..12]]]).await;
        let approved = done(&world, &daemon, &["plan", "approve", &hash[..12], "--reason", "right", "--expires-in", "4h"]).await;
        assert_eq!(approved, format!("approved: {hash}\nthe next run of google_sync applies it, if it is still the same plan"));
        same_in_both_forms(&world, &daemon, &[&["plan", "list"], &["plan", "show", &hash]]).await;
        let rejected = done(&world, &daemon, &["plan", "reject", &hash, "--reason", "wrong"]).await;
        assert_eq!(rejected, format!("rejected: {hash}"));
        same_in_both_forms(&world, &daemon, &[&["plan", "list"]]).await;
        for unknown in ["00", "..", "", "a/b", "%2e%2e"] {
            let ended = same(&world, &daemon, &["plan", "show", unknown]).await;
            assert_eq!(ended.code, 2, "{ended:?}");
            for word in ["approve", "reject"] {
                let ended = same(&world, &daemon, &["plan", word, unknown, "--reason", "right"]).await;
                assert_eq!(ended.code, 2, "{ended:?}");
            }
        }
    }

    async fn the_log_of_a_server_is_followed(world: World) {
        // E3
        let mut world = world;
        let daemon = serve(&mut world).await;
        let begin = head(&world).await;
        let mut command = world.command(&["events", "tail", "--follow", "--after", &begin.to_string(), "--output", "json"]);
        command.env("ENTITLED_SERVER", &daemon.base).env("ENTITLED_TOKEN", "read-key");
        let mut tail = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(tail.stdout.take().expect("stdout")).lines();
        for name in ["press", "readers"] {
            group(&daemon, name).await;
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("a line");
            let event: serde_json::Value = serde_json::from_str(&line.expect("it goes on")).expect("JSON");
            assert_eq!((&event["type"], &event["payload"]["name"]), (&json!("group.created"), &json!(name)));
        }
        let id = tail.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").arg("-TERM").arg(id).status().expect("kill").success());
        let ended = tokio::time::timeout(PATIENCE, tail.wait()).await.expect("it ends").expect("it ends");
        assert_eq!(ended.code(), Some(0));
    }

    async fn what_a_server_refuses_ends_as_on_the_database(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        group(&daemon, "press").await;
        admin(&daemon, "POST", "/admin/users", json!({"email": ANN})).await;
        for wrong in [
            &["group", "members", "nowhere"][..],
            &["group", "delete", "Everyone"],
            &["group", "delete", "nowhere"],
            &["group", "create", "press"],
            &["group", "create", ""],
            &["group", "add-member", "press", "nobody@example.org"],
            &["group", "add-member", "press", ANN, "--expires-at", "2001-01-01T00:00:00Z"],
            &["group", "remove-member", "press", ANN],
            &["grant", "create", "nowhere", "admin", "maildomain", "commune-a.fr"],
            &["grant", "create", "press", "Admin!", "maildomain", "commune-a.fr"],
            &["grant", "create", "press", "admin", "moon", "commune-a.fr"],
            &["grant", "delete", "0198c0de-0000-7000-8000-000000000001"],
            &["grant", "list", "--resource-type", "moon"],
            &["user", "create", "no address"],
            &["user", "create", ANN],
            &["user", "access", "nobody@example.org"],
            &["user", "show", "nobody@example.org"],
            &["user", "show", "0198c0de-0000-7000-8000-000000000001"],
            &["user", "show", ""],
            &["user", "erase", "nobody@example.org", "--reason", "they asked for it"],
            &["user", "erase", ANN, "--reason", " "],
            &["user", "erase", ANN, "--reason", "a\nb"],
            &["user", "deactivate", "nobody@example.org"],
            &["role", "remove", "--user", ANN],
            &["role", "set", "viewer", "--group", "nowhere"],
            &["token", "create", "--service"],
            &["token", "create", "--user", "nobody@example.org"],
            &["token", "revoke", "0198c0de-0000-7000-8000-000000000001"],
            &["history", "--user", "nobody@example.org"],
            &["members", "--as-of", "@999999"],
            &["diff", "@2", "@1"],
            &["why", ANN, "nowhere"],
            &["events", "tail", "--after", "999999"],
        ] {
            let ended = same(&world, &daemon, wrong).await;
            assert_eq!(ended.stdout, "", "{wrong:?}");
            let expected = if wrong[0] == "events" { ended.code } else { 2 };
            assert_eq!(ended.code, expected, "{wrong:?}: {ended:?}");
        }
    }

    async fn a_command_that_has_no_route_is_refused_with_a_server(world: World) {
        let known: BTreeSet<String> =
            REMOTE.iter().copied().chain(REFUSED.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
        assert_eq!(known.len(), REMOTE.len() + REFUSED.len());
        assert_eq!(commands(&world).await, known);
        for (name, arguments) in REFUSED {
            let words: Vec<&str> = name.split(' ').chain(arguments.iter().copied()).collect();
            let ended = far(&world, "http://127.0.0.1:9", Some("ent_x"), &words).await;
            assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{name}: {ended:?}");
            assert!(ended.stderr.contains("works on the database only"), "{name}: {ended:?}");
        }
        // Nothing was made, and nothing is opened: there is not even a schema.
        for name in REMOTE.iter().filter(|name| name.ends_with("list")) {
            let ended = far(&world, "http://127.0.0.1:9", None, &name.split(' ').collect::<Vec<_>>()).await;
            assert_eq!(ended.code, 1, "{name}: {ended:?}");
            assert!(ended.stderr.contains("127.0.0.1:9 does not answer"), "{name}: {ended:?}");
        }
    }

    async fn a_token_lets_one_in_or_its_lack_is_told(world: World) {
        // T2
        let mut world = world;
        let daemon = serve(&mut world).await;
        let list = ["group", "list"];
        let create = ["group", "create", "press"];
        for (token, arguments, told) in [
            (None, &list[..], "set ENTITLED_TOKEN to a token"),
            (Some("ent_wrong"), &list, "is not valid"),
            (Some("read-key"), &create, "may not do this"),
            (Some("check-key"), &list, "may not do this"),
            (Some("two words"), &list, "one word of printable ASCII"),
            (Some(""), &list, "one word of printable ASCII"),
        ] {
            let ended = far(&world, &daemon.base, token, arguments).await;
            assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
            assert!(ended.stderr.contains(told), "{ended:?}");
            assert!(token.is_none_or(|token| token.is_empty() || !ended.stderr.contains(token)), "{ended:?}");
        }
        let file = world.path().join("token");
        std::fs::write(&file, "read-key\n").expect("written");
        let with = |path: &std::path::Path| {
            let mut command = world.command(&["--server", &daemon.base, "group", "list"]);
            command.env("ENTITLED_TOKEN_FILE", path);
            command
        };
        assert_eq!(with(&file).output().await.expect("it ends").status.code(), Some(0));
        assert_eq!(with(&world.path().join("none")).output().await.expect("it ends").status.code(), Some(2));
        let both = with(&file).env("ENTITLED_TOKEN", "read-key").output().await.expect("it ends");
        assert_eq!(both.status.code(), Some(2));
        // A person's token does what their role allows.
        let made = world.run(&["user", "create", ANN]).await;
        assert_eq!(made.code, 0);
        world.run(&["role", "set", "viewer", "--user", ANN]).await;
        let token = world.run(&["token", "create", "--user", ANN, "--scope", "read", "--scope", "admin"]).await;
        let token = token.stdout.trim();
        assert_eq!(far(&world, &daemon.base, Some(token), &list).await.code, 0);
        for command in [&create[..], &["role", "set", "owner", "--user", ANN], &["token", "create", "--user", ANN]] {
            let ended = far(&world, &daemon.base, Some(token), command).await;
            assert_eq!(ended.code, 2, "{ended:?}");
            assert!(ended.stderr.contains("may not do this"), "{ended:?}");
        }
    }
}

/// Answers every connection with this, and then no more.
async fn answering(answer: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    base
}

fn http(status: &str, kind: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_entitled_is_not_taken_for_one() {
    // S4
    let world = World::new(Kind::Sqlite).await;
    let json = "application/json";
    let problem = r#"{"title":"Not Found","detail":"it \u001b[31mis\u0007 gone"}"#;
    let endless = r#"{"users":[{"id":"a","sub":null,"email":null,"status":"active"}],"next":"a"}"#;
    for (answer, code, told) in [
        (http("200 OK", "text/html", "", "<html>welcome</html>"), 1, "does not answer as entitled does"),
        (http("404 Not Found", "text/html", "", "<b>no</b>"), 2, "answers 404, and not as entitled does"),
        (http("502 Bad Gateway", "text/html", "", "<b>no</b>"), 1, "answers 502"),
        (http("404 Not Found", "application/problem+json", "", problem), 2, "it [31mis gone"),
        (http("302 Found", json, "location: https://user:pw@elsewhere.example/x\r\n", ""), 1, "elsewhere.example"),
        // A list that is cut, left out, or does not say what follows is no empty list.
        (http("200 OK", json, "", "{}"), 1, "does not answer as entitled does"),
        (http("200 OK", json, "", r#"{"users":[]}"#), 1, "does not answer as entitled does"),
        (http("200 OK", json, "", "[[], null]"), 1, "does not answer as entitled does"),
        (http("200 OK", json, "", r#"{"users":[[null,null,null,null]],"next":null}"#), 1, "does not answer as"),
        (http("200 OK", json, "", endless), 1, "does not end"),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{".to_owned(),
            1,
            "does not answer",
        ),
        (String::new(), 1, "does not answer"),
    ] {
        let base = answering(answer.clone()).await;
        let ended = far(&world, &base, Some("ent_secret"), &["user", "list"]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{answer}: {ended:?}");
        assert!(ended.stderr.contains(told), "{answer}: {ended:?}");
        assert!(!ended.stderr.contains("ent_secret") && !ended.stderr.contains("pw"), "{ended:?}");
    }
    for wrong in ["http://user:pw@127.0.0.1:9", "ftp://127.0.0.1", "127.0.0.1:9", "http://127.0.0.1/?pw", ""] {
        let ended = far(&world, wrong, None, &["user", "list"]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{wrong}: {ended:?}");
        assert!(ended.stderr.contains("--server takes") && !ended.stderr.contains("pw"), "{wrong}: {ended:?}");
    }
    let ended = far(&world, "http://entitled.invalid", Some("ent_secret"), &["user", "list"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("in clear") && ended.stderr.contains("entitled.invalid:80"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_a_server_is_asked_without_a_token() {
    let world = World::new(Kind::Sqlite).await;
    let daemon = world.serve().await;
    assert_eq!(far(&world, &daemon.base, None, &["healthcheck"]).await.code, 0);
    let base = answering(http("503 Service Unavailable", "application/problem+json", "", "{}")).await;
    assert_eq!(far(&world, &base, None, &["healthcheck"]).await.code, 1);
}
