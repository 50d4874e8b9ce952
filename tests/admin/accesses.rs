//! The access log: what was done with each token, who was refused, and for how long it is kept.

use std::time::Duration;

use serde_json::{Value, json};

use crate::hand::{ANN, admin, ask, head, serve, user};
use crate::on_both_stores;
use crate::support::{Daemon, PATIENCE};
use crate::tokens::token;

/// The access log at a path, once it has so many rows; oldest first.
async fn rows(daemon: &Daemon, path: &str, count: usize) -> Vec<Value> {
    let polled = async {
        loop {
            let (status, page) = admin(daemon, "GET", &format!("{path}?limit=1000"), Value::Null).await;
            assert_eq!(status, 200, "{page}");
            let mut rows = page["accesses"].as_array().expect("rows").clone();
            if rows.len() >= count {
                rows.reverse();
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polled).await.unwrap_or_else(|_| panic!("{path} never has {count} rows"))
}

fn told(rows: &[Value]) -> Vec<(String, String, String, u64)> {
    let text = |row: &Value, field: &str| row[field].as_str().expect("a text").to_owned();
    rows.iter()
        .map(|row| {
            (text(row, "verdict"), text(row, "method"), text(row, "route"), row["status"].as_u64().expect("a number"))
        })
        .collect()
}

fn row(verdict: &str, method: &str, route: &str, status: u64) -> (String, String, String, u64) {
    (verdict.to_owned(), method.to_owned(), route.to_owned(), status)
}

on_both_stores! {
    async fn every_answer_to_a_token_is_on_record_and_outlives_it(world: World) {
        // T3, T6
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let (id, secret) = token(&daemon, json!({"owner": ann, "scopes": ["admin"]})).await;
        let before = head(&world).await;
        for (method, path) in [
            ("GET", "/me/tokens".to_owned()),
            ("GET", "/me/tokens?limit=0".to_owned()),
            ("GET", "/admin/groups".to_owned()),
            ("GET", format!("/me/tokens/{}/access-log", "x")),
            ("PUT", "/me/tokens".to_owned()),
            ("GET", "/nowhere/at/all".to_owned()),
        ] {
            ask(&daemon, method, &path, Some(&secret), None).await;
        }
        let path = format!("/admin/tokens/{id}/access-log");
        let found = rows(&daemon, &path, 6).await;
        assert_eq!(told(&found), [
            row("valid", "GET", "/api/v1/me/tokens", 200),
            row("valid", "GET", "/api/v1/me/tokens", 400),
            row("forbidden", "GET", "/api/v1/admin/groups", 403),
            row("valid", "GET", "/api/v1/me/tokens/{id}/access-log", 404),
            row("valid", "PUT", "/api/v1/me/tokens", 405),
            row("valid", "GET", "none", 404),
        ]);
        for row in &found {
            assert_eq!((&row["token"], &row["principal"], &row["address"]), (&json!(id), &json!(format!("user:{ann}")), &json!("127.0.0.1")));
            assert!(row["at"].is_string() && row["request_id"].is_string(), "{row}");
        }
        let (_, page) = ask(&daemon, "GET", "/me/tokens", Some(&secret), None).await;
        assert!(page["tokens"][0]["last_used_at"].is_string(), "{page}");
        assert_eq!(head(&world).await, before, "none of it is an event");
        assert_eq!(admin(&daemon, "DELETE", &format!("/admin/tokens/{id}"), Value::Null).await.0, 204);
        assert_eq!(ask(&daemon, "GET", "/me/tokens", Some(&secret), None).await.0, 401);
        assert_eq!(ask(&daemon, "GET", "/nowhere", Some(&secret), None).await.0, 404);
        let found = told(&rows(&daemon, &path, 9).await);
        assert_eq!(found[7..], [row("revoked", "GET", "/api/v1/me/tokens", 401), row("revoked", "GET", "none", 404)]);
        // By cursor, newest first, each once.
        let (mut seen, mut before) = (Vec::new(), String::new());
        loop {
            let (_, page) = admin(&daemon, "GET", &format!("{path}?limit=4{before}"), Value::Null).await;
            seen.extend(page["accesses"].as_array().expect("rows").iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            before = format!("&before={next}");
        }
        let mut sorted = seen.clone();
        sorted.sort_by(|one, other| other.cmp(one));
        sorted.dedup();
        assert_eq!((seen.len(), &seen), (9, &sorted));
        for query in ["limit=0", "limit=1001", "before=x", "limit=x"] {
            assert_eq!(admin(&daemon, "GET", &format!("{path}?{query}"), Value::Null).await.0, 400, "{query}");
        }
        assert_eq!(admin(&daemon, "GET", "/admin/tokens/x/access-log", Value::Null).await.0, 404);
    }

    async fn a_fault_of_our_own_is_on_record_too(world: World) {
        // T6
        let mut world = world;
        world.leave_damaged();
        let daemon = serve(&mut world).await;
        let (id, secret) = token(&daemon, json!({"scopes": ["read"]})).await;
        world.database.execute("ALTER TABLE held_plan RENAME TO held_plan_gone").await;
        assert_eq!(ask(&daemon, "GET", "/plans", Some(&secret), None).await.0, 503);
        world.database.execute("ALTER TABLE held_plan_gone RENAME TO held_plan").await;
        let found = told(&rows(&daemon, &format!("/admin/tokens/{id}/access-log"), 1).await);
        assert_eq!(found, [row("valid", "GET", "/api/v1/plans", 503)]);
    }

    async fn the_access_log_waits_for_the_store(world: World) {
        // T6
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (id, secret) = token(&daemon, json!({"scopes": ["read"]})).await;
        world.database.execute("ALTER TABLE access_log RENAME TO access_log_gone").await;
        assert_eq!(ask(&daemon, "GET", "/plans", Some(&secret), None).await.0, 200, "a request does not");
        daemon.wait_for_log(|line| line["message"] == "the access log waits for the store").await;
        world.database.execute("ALTER TABLE access_log_gone RENAME TO access_log").await;
        let found = told(&rows(&daemon, &format!("/admin/tokens/{id}/access-log"), 1).await);
        assert_eq!(found, [row("valid", "GET", "/api/v1/plans", 200)]);
    }

    async fn who_was_refused_is_on_record_and_counted(world: World) {
        // T6
        let mut world = world;
        let daemon = serve(&mut world).await;
        let never = entitled_model::token::TokenSecret::of([9; 32]);
        for given in [None, Some("wrong"), Some(never.reveal()), Some("ent_x")] {
            assert_eq!(ask(&daemon, "GET", "/admin/groups", given, None).await.0, 401);
        }
        assert_eq!(ask(&daemon, "POST", "/admin/groups", Some("read-key"), Some(json!({"name": "x"}))).await.0, 403);
        let found = rows(&daemon, "/admin/refusals", 5).await;
        let verdicts: Vec<&str> = found.iter().map(|row| row["verdict"].as_str().expect("a text")).collect();
        assert_eq!(verdicts, ["missing", "invalid", "unknown", "malformed", "forbidden"]);
        assert_eq!((&found[4]["principal"], &found[4]["route"]), (&json!("key:viewer"), &json!("/api/v1/admin/groups")));
        assert!(found.iter().all(|row| row["address"] == "127.0.0.1"));
        let metrics = daemon.get("/metrics").await.text().await.expect("a text");
        for reason in verdicts {
            let line = format!("entitled_authentications_failed_total{{reason=\"{reason}\"}} 1");
            assert!(metrics.contains(&line), "{line}: {metrics}");
        }
    }

    async fn the_command_line_tells_who_was_refused(world: World) {
        // T6, M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        for _ in 0..4 {
            assert_eq!(ask(&daemon, "GET", "/admin/groups", None, None).await.0, 401);
        }
        assert_eq!(ask(&daemon, "POST", "/admin/groups", Some("read-key"), Some(json!({"name": "x"}))).await.0, 403);
        rows(&daemon, "/admin/refusals", 5).await;
        let before = head(&world).await;
        let told = async |more: &[&str]| {
            let ended = world.run(&[&["audit", "--refusals"][..], more].concat()).await;
            assert_eq!(ended.code, 0, "{ended:?}");
            ended
        };
        // The document is the route's, page by page.
        let mut place: Option<String> = None;
        let mut seen = Vec::new();
        loop {
            let (mut more, mut query) = (vec!["--output", "json", "--limit", "2"], "limit=2".to_owned());
            if let Some(place) = &place {
                more.extend(["--before", place]);
                query.push_str(&format!("&before={place}"));
            }
            let document = told(&more).await.json();
            assert_eq!(document, admin(&daemon, "GET", &format!("/admin/refusals?{query}"), Value::Null).await.1);
            seen.extend(document["accesses"].as_array().expect("rows").clone());
            let Some(next) = document["next"].as_str() else { break };
            place = Some(next.to_owned());
        }
        assert_eq!(seen.len(), 5);
        assert_eq!((&seen[0]["verdict"], &seen[4]["verdict"]), (&json!("forbidden"), &json!("missing")));
        assert_eq!(told(&["--output", "json"]).await.json(), json!({"accesses": seen, "next": null}));
        let lines = told(&["--output", "jsonl"]).await.stdout;
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines, seen);
        let csv = told(&["--output", "csv"]).await.stdout;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let names = reader.headers().expect("names").clone();
        let records: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(records.len(), seen.len());
        for (record, row) in records.iter().zip(&seen) {
            assert_eq!(names.len(), row.as_object().expect("an object").len());
            for (name, value) in names.iter().zip(record) {
                let expected = row[name].as_str().map_or_else(|| row[name].as_u64().map(|n| n.to_string()).unwrap_or_default(), str::to_owned);
                assert_eq!(value, expected, "{name}: {row}");
            }
        }
        let table = told(&["--limit", "3"]).await.stdout;
        assert_eq!(table.lines().count(), 1 + 3, "{table}");
        assert!(table.contains("forbidden") && table.contains("key:viewer") && table.contains("/api/v1/admin/groups"), "{table}");
        for wrong in [
            &["--refusals", "--actor", "operator"][..], &["--refusals", "--action", "group.*"], &["--refusals", "--subject", "group:x"],
            &["--refusals", "--since", "@1"], &["--refusals", "--until", "@1"], &["--refusals", "--before", "x"],
            &["--refusals", "--before", ""], &["--refusals", "--before", "@1"], &["--refusals", "--limit", "-1"],
            &["--refusals", "--output", "xml"], &["--before", "0198c0de-0000-7000-8000-000000000001"],
        ] {
            let ended = world.run(&[&["audit"][..], wrong].concat()).await;
            assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{wrong:?}: {ended:?}");
        }
        assert_eq!(head(&world).await, before, "none of it is an event");
    }

    async fn wrong_credentials_are_limited_by_address_and_good_ones_are_not(world: World) {
        // T6
        let mut world = world;
        world.configure("[scheduler]", "[identity.proxy]\naddresses = [\"127.0.0.1\"]\n\n[scheduler]");
        let daemon = serve(&mut world).await;
        let from = |address: &'static str, key: &'static str| {
            let request = reqwest::Client::new().get(format!("{}/api/v1/admin/groups", daemon.base));
            let request = request.bearer_auth(key).header("x-forwarded-for", address);
            async move { request.send().await.expect("an answer") }
        };
        let mut refused = 0;
        let limited = loop {
            let answer = from("203.0.113.5", "wrong").await;
            match answer.status().as_u16() {
                401 => refused += 1,
                429 => break answer,
                other => panic!("{other}"),
            }
            assert!(refused < 100, "it is never limited");
        };
        assert!(refused >= 20, "{refused} is no burst");
        let wait: u64 = limited.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
        assert!((1..=10).contains(&wait), "{wait}");
        assert_eq!(limited.headers()["content-type"], "application/problem+json");
        assert_eq!(from("203.0.113.6", "wrong").await.status(), 401, "another address is not concerned");
        assert_eq!(from("203.0.113.5", "admin-key").await.status(), 200, "nor is a good credential");
        let found = rows(&daemon, "/admin/refusals", refused + 1).await;
        assert_eq!(found.len(), refused + 1, "what is beyond the limit is counted and not recorded");
        assert_eq!(found[0]["address"], "203.0.113.5");
    }

    async fn what_is_queued_is_written_before_the_daemon_ends(world: World) {
        // T6
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (_, secret) = token(&daemon, json!({"scopes": ["read"]})).await;
        let asking = (0..200).map(|_| ask(&daemon, "GET", "/admin/groups", Some(&secret), None));
        futures_util::future::join_all(asking).await;
        assert_eq!(daemon.terminate().await, 0);
        assert_eq!(world.count("SELECT count(*) FROM access_log WHERE status = 200").await, 200);
        assert_eq!(world.count("SELECT count(*) FROM token_use").await, 1);
    }

    async fn old_rows_are_pruned_in_batches(world: World) {
        // T6
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (id, secret) = token(&daemon, json!({"scopes": ["read"]})).await;
        ask(&daemon, "GET", "/admin/groups", Some(&secret), None).await;
        rows(&daemon, &format!("/admin/tokens/{id}/access-log"), 1).await;
        assert_eq!(daemon.terminate().await, 0);
        let new_id = match world.database.kind() {
            crate::support::Kind::Sqlite => "randomblob(16)",
            crate::support::Kind::Postgres => "gen_random_uuid()",
        };
        for (at, many) in [("2020-01-01 00:00:00+00:00", 12_000), ("2999-01-01 00:00:00+00:00", 3)] {
            let at = match world.database.kind() {
                crate::support::Kind::Sqlite => at.replace(' ', "T"),
                crate::support::Kind::Postgres => at.to_owned(),
            };
            world.database.execute(&format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})
                 INSERT INTO access_log (id, at, verdict, method, route, status, request_id)
                 SELECT {new_id}, '{at}', 'valid', 'GET', '/x', 200, 'r' FROM n"
            )).await;
        }
        let daemon = world.serve().await;
        daemon.wait_for_log(|line| line["message"] == "pruned the access log" && line["forgotten"] == 12_000).await;
        assert_eq!(world.count("SELECT count(*) FROM access_log").await, 4, "what is younger than 90 days stays");
    }
}
