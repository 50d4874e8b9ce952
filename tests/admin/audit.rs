//! The audit: filters, pages, and its two export forms.

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, group, serve, user};
use crate::on_both_stores;
use crate::support::{Daemon, World};

async fn audit(daemon: &Daemon, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut before = String::new();
    loop {
        let (status, page) =
            ask(daemon, "GET", &format!("/audit?limit=3&{query}{before}"), Some("read-key"), None).await;
        assert_eq!(status, 200, "{page}");
        let events = page["events"].as_array().expect("events");
        assert!(events.len() <= 3);
        found.extend(events.clone());
        match page["next"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => return found,
        }
    }
}

async fn with_history(world: &mut World) -> (Daemon, String) {
    world.org().add_member("grp_acme_a@example.com", ANN).add_member("grp_acme_a@example.com", BOB);
    assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
    let daemon = serve(world).await;
    let path = group(&daemon, "Editors, \"all\"").await;
    let ann = user(&daemon, ANN).await;
    assert_eq!(admin(&daemon, "POST", &format!("{path}/members"), json!({"user_id": ann})).await.0, 201);
    assert_eq!(admin(&daemon, "PATCH", &path, json!({"description": "x\r\n=1+1"})).await.0, 400);
    assert_eq!(admin(&daemon, "PATCH", &path, json!({"description": "a \"word\", and\nmore"})).await.0, 200);
    assert_eq!(admin(&daemon, "DELETE", &format!("{path}/members/{ann}"), Value::Null).await.0, 204);
    (daemon, path.rsplit('/').next().expect("an id").to_owned())
}

on_both_stores! {
    async fn every_event_is_in_it_once_the_newest_first_and_filters_take_what_fits(world: World) {
        // M12
        let mut world = world;
        let (daemon, editors) = with_history(&mut world).await;
        let all = audit(&daemon, "").await;
        let positions: Vec<i64> = all.iter().map(|event| event["position"].as_i64().expect("a position")).collect();
        let head = world.count("SELECT position FROM event_head").await;
        assert_eq!(positions, (1..=head).rev().collect::<Vec<_>>());
        let fits = |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|event| wanted(event)).cloned().collect::<Vec<_>>();
        let office = fits(&|event| event["actor"] == "key:office");
        assert_eq!((office.len(), audit(&daemon, "actor=key%3Aoffice").await), (4, office.clone()));
        let memberships = fits(&|event| event["type"] == "membership.changed");
        assert_eq!(audit(&daemon, "action=membership.changed").await, memberships);
        let groups = fits(&|event| event["type"].as_str().is_some_and(|kind| kind.starts_with("group.")));
        assert_eq!(audit(&daemon, "action=group.*").await, groups);
        assert_eq!(audit(&daemon, "action=group").await, [Value::Null; 0]);
        assert_eq!(audit(&daemon, &format!("subject=group:{editors}")).await, office);
        let middle = office[2]["position"].as_i64().expect("a position");
        let since = fits(&|event| event["position"].as_i64() > Some(middle));
        assert_eq!(audit(&daemon, &format!("since=@{middle}")).await, since);
        assert_eq!(audit(&daemon, &format!("since=@{middle}&until=@{middle}")).await, [Value::Null; 0]);
        assert_eq!(audit(&daemon, &format!("until=@{middle}&actor=key:office")).await, office[2..].to_vec());
        let cause = &office[0];
        assert!(cause["correlation_id"].is_string() && cause["payload"]["removed"].is_array(), "{cause}");
    }

    async fn the_exports_hold_the_same_as_lines_and_as_csv_over_http_and_on_the_command_line(world: World) {
        // M12
        let mut world = world;
        let (daemon, _) = with_history(&mut world).await;
        let all = audit(&daemon, "").await;
        let fetched = async |path: &str| {
            let request = reqwest::Client::new().get(format!("{}{path}", daemon.base)).bearer_auth("read-key");
            let response = request.send().await.expect("an answer");
            let link = response.headers().get("link").map(|link| link.to_str().expect("text").to_owned());
            (response.headers()["content-type"].to_str().expect("text").to_owned(), link, response.text().await.expect("a body"))
        };
        let mut lines = Vec::new();
        let mut path = "/api/v1/audit?limit=4&format=jsonl&actor=key:office".to_owned();
        loop {
            let (kind, link, body) = fetched(&path).await;
            assert_eq!(kind, "application/jsonl");
            lines.extend(body.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")));
            let Some(link) = link else { break };
            path = link.trim_start_matches('<').trim_end_matches(">; rel=\"next\"").to_owned();
        }
        let office: Vec<Value> = all.iter().filter(|event| event["actor"] == "key:office").cloned().collect();
        assert_eq!(lines, office);
        let told = world.run(&["audit", "--actor", "key:office", "--output", "jsonl"]).await;
        let told: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(told, office);
        let (kind, _, body) = fetched("/api/v1/audit?limit=1000&format=csv").await;
        assert!(kind.starts_with("text/csv"));
        let csv = world.run(&["audit", "--output", "csv"]).await.stdout;
        assert_eq!(csv.trim_end(), body.trim_end());
        let mut reader = csv::Reader::from_reader(body.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), all.len());
        for (row, event) in rows.iter().zip(&all) {
            assert_eq!((&row[0], &row[4]), (event["position"].to_string().as_str(), event["type"].as_str().expect("a type")));
            assert_eq!(serde_json::from_str::<Value>(&row[10]).expect("JSON"), event["payload"]);
        }
        let table = world.run(&["audit", "--action", "group.*", "--limit", "2"]).await;
        assert_eq!((table.code, table.stdout.lines().count()), (0, 3), "{table:?}");
    }

    async fn what_can_not_be_asked_is_refused_with_the_parameter(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        assert_eq!(ask(&daemon, "GET", "/audit", None, None).await.0, 401);
        assert_eq!(ask(&daemon, "GET", "/audit", Some("login-key"), None).await.0, 403);
        for (query, field) in [
            ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"),
            ("before=-1", "before"), ("before=x", "before"), ("before=99999999999999999999", "before"),
            ("since=yesterday", "since"), ("until=", "until"), ("subject=group", "subject"), ("subject=:", "subject"),
            ("subject=group:", "subject"), ("format=xml", "format"), ("actor=", "actor"), ("action=%00", "action"),
            ("actor=a%0Ab", "actor"),
        ] {
            let (status, problem) = ask(&daemon, "GET", &format!("/audit?{query}"), Some("read-key"), None).await;
            assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{query}: {problem}");
        }
        for query in ["unknown=1", "limit=1&limit=2", "since=@999999"] {
            assert_eq!(ask(&daemon, "GET", &format!("/audit?{query}"), Some("read-key"), None).await.0, 400, "{query}");
        }
        for arguments in [["--since", "yesterday"], ["--subject", "group"], ["--limit", "-1"], ["--output", "xml"], ["--since", "@99999"]] {
            assert_eq!(world.run(&[&["audit"][..], &arguments].concat()).await.code, 2, "{arguments:?}");
        }
    }
}
