//! Histories, past memberships and differences as an operator and an auditor see them: on the command line and over HTTP.

use entitled::clock::Clock;
use entitled_model::instant::written;
use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, group, head, serve, user};
use crate::on_both_stores;
use crate::support::{Daemon, World};

const STAFF: &str = "grp_acme_staff@example.com";

async fn run(world: &World, arguments: &[&str]) -> Value {
    let ended = world.run(&[arguments, &["--output", "json"]].concat()).await;
    assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
    ended.json()
}

async fn get(daemon: &Daemon, path: &str) -> Value {
    let (status, answer) = ask(daemon, "GET", path, Some("read-key"), None).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

async fn sync(world: &World) {
    let ended = world.sync(&["--source", "google_sync"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// What happened, and where: `added STAFF`, `user.suspended`.
fn story(entries: &Value) -> Vec<String> {
    let entries = entries.as_array().expect("entries").iter();
    let told = entries.map(|entry| match (entry["change"].as_str(), entry["group"].as_str()) {
        (Some(change), group) => format!("{change} {}", group.unwrap_or("?")),
        (None, _) => entry["event"].as_str().expect("a type").to_owned(),
    });
    told.collect()
}

fn now() -> String {
    written(Clock::system().now())
}

/// Two people come, one is put in by hand, one is suspended, all goes again: with what the clock showed in between.
async fn lived(world: &mut World) -> (Daemon, Vec<String>) {
    world.org().add_user("cy@example.com");
    world.org().add_member(STAFF, ANN).add_member(STAFF, "cy@example.com");
    sync(world).await;
    let daemon = serve(world).await;
    let mut moments = vec![now()];
    let (editors, ann) = (group(&daemon, "Editors").await, user(&daemon, ANN).await);
    assert_eq!(admin(&daemon, "POST", &format!("{editors}/members"), json!({"user_id": ann})).await.0, 201);
    moments.push(now());
    world.org().suspend_user("cy@example.com").remove_member(STAFF, ANN).add_member(STAFF, BOB);
    sync(world).await;
    moments.push(now());
    assert_eq!(admin(&daemon, "PATCH", &editors, json!({"name": "Writers"})).await.0, 200);
    assert_eq!(admin(&daemon, "DELETE", &format!("{editors}/members/{ann}"), Value::Null).await.0, 204);
    assert_eq!(admin(&daemon, "DELETE", &editors, Value::Null).await.0, 204);
    moments.push(now());
    (daemon, moments)
}

on_both_stores! {
    async fn a_history_tells_what_happened_in_order_and_by_what_cause(world: World) {
        // E4
        let mut world = world;
        let (daemon, moments) = lived(&mut world).await;
        let of_ann = run(&world, &["history", "--user", ANN]).await;
        let told = story(&of_ann["entries"]);
        let expected =
            ["user.created".to_owned(), format!("added {STAFF}"), "added Writers".into(), format!("removed {STAFF}"), "removed Writers".into()];
        assert_eq!(told, expected, "{of_ann}");
        let entries = of_ann["entries"].as_array().expect("entries");
        assert_eq!((&entries[1]["source"], &entries[1]["actor"]), (&json!("google_sync"), &json!("source:google_sync")));
        assert_eq!((entries[1]["run_id"].is_string(), &entries[2]["actor"]), (true, &json!("key:office")));
        assert!(entries.iter().all(|entry| entry["email"] == ANN));
        let of_cy = run(&world, &["history", "--user", "cy@example.com"]).await;
        assert_eq!(story(&of_cy["entries"]), ["user.created", &format!("added {STAFF}"), "user.suspended"]);
        let of_group = run(&world, &["history", "--group", "Writers"]).await;
        let expected = ["group.created", "added Writers", "group.renamed", "removed Writers", "group.deleted"];
        assert_eq!(story(&of_group["entries"]), expected);
        assert_eq!(of_group["entries"][2]["payload"]["before"], "Editors");

        // A window, by instants and by the positions of the answer.
        let (since, until) = (moments[0].as_str(), moments[2].as_str());
        let part = run(&world, &["history", "--user", ANN, "--since", since, "--until", until]).await;
        assert_eq!(story(&part["entries"]), ["added Writers", &format!("removed {STAFF}")]);
        let positions = ["from_position", "to_position"].map(|name| format!("@{}", part[name]));
        let same = run(&world, &["history", "--user", ANN, "--since", &positions[0], "--until", &positions[1]]).await;
        assert_eq!(same, part);

        // Over HTTP the same; page by page the same.
        assert_eq!(get(&daemon, &format!("/history?user={ANN}")).await, of_ann);
        let (mut paged, mut after) = (Vec::new(), String::new());
        loop {
            let page = get(&daemon, &format!("/history?group=Writers&limit=2{after}")).await;
            paged.extend(page["entries"].as_array().expect("entries").clone());
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(json!(paged), of_group["entries"]);
        let table = world.run(&["history", "--user", ANN, "--limit", "1"]).await.stdout;
        assert!(table.contains("user.created") && table.contains("the rest comes with --after"), "{table}");
    }

    async fn past_memberships_and_differences_are_told_alike_everywhere(world: World) {
        // E4
        let mut world = world;
        let (daemon, moments) = lived(&mut world).await;
        let who = |answer: &Value| -> Vec<(String, String)> {
            let rows = answer["memberships"].as_array().expect("rows").iter();
            let text = |row: &Value, field: &str| row[field].as_str().unwrap_or("-").to_owned();
            let mut rows: Vec<_> = rows.map(|row| (text(row, "group"), text(row, "email"))).collect();
            rows.sort();
            rows
        };
        let of = |group: &str, user: &str| (group.to_owned(), user.to_owned());
        let before = run(&world, &["members", "--as-of", &moments[1]]).await;
        assert_eq!(who(&before), [of("Writers", ANN), of(STAFF, ANN), of(STAFF, "cy@example.com")]);
        assert_eq!(get(&daemon, &format!("/memberships?as_of={}", moments[1])).await, before);
        let of_ann = run(&world, &["members", "--as-of", &moments[1], "--user", ANN]).await;
        assert_eq!(who(&of_ann), [of("Writers", ANN), of(STAFF, ANN)]);
        let deleted = run(&world, &["members", "--as-of", &moments[2], "--group", "Writers"]).await;
        assert_eq!(who(&deleted), [of("Writers", ANN)], "a group that is gone had its members");
        assert!(deleted["memberships"][0]["removed_at"].is_string());
        let today = get(&daemon, "/memberships").await;
        assert_eq!(who(&today), [of(STAFF, BOB), of(STAFF, "cy@example.com")]);

        let between = run(&world, &["diff", &moments[1], &moments[3]]).await;
        let mut told = story(&between["changes"]);
        told.sort();
        assert_eq!(told, [format!("added {STAFF}"), "removed Writers".into(), format!("removed {STAFF}")]);
        let by_hand = between["changes"].as_array().expect("changes").iter().find(|change| change["group"] == "Writers");
        assert_eq!(by_hand.expect("a change")["actor"], "key:office");
        assert_eq!(get(&daemon, &format!("/diff?from={}&to={}", moments[1], moments[3])).await, between);
        assert_eq!(run(&world, &["diff", &moments[3], &moments[3]]).await["changes"], json!([]));
        let table = world.run(&["diff", &moments[1], &moments[3], "--limit", "1"]).await.stdout;
        assert!(table.contains("the rest comes with --after"), "{table}");
        let table = world.run(&["members", "--as-of", &moments[1], "--limit", "1"]).await.stdout;
        assert!(table.contains("until") && table.contains("the rest comes with --after"), "{table}");
    }

    async fn whoever_was_erased_is_told_by_their_id(world: World) {
        // E4, E5
        let mut world = world;
        let (daemon, moments) = lived(&mut world).await;
        let ann = user(&daemon, ANN).await;
        for table in ["user_profile", "directory_account", "directory_address"] {
            world.database.execute(&format!("DELETE FROM {table}")).await;
        }
        let history = run(&world, &["history", "--user", &ann]).await;
        assert_eq!(history["entries"].as_array().map(Vec::len), Some(5));
        assert!(history["entries"].as_array().expect("entries").iter().all(|entry| entry["email"].is_null()));
        let members = get(&daemon, &format!("/memberships?as_of={}&user={ann}", moments[1])).await;
        assert_eq!(members["memberships"][0]["user"], ann);
        assert_eq!(run(&world, &["diff", &moments[0], &moments[2]]).await["changes"][0]["user"], ann);
        assert_eq!(get(&daemon, &format!("/why?user={ann}&group=Writers")).await["lacking"][0]["reason"], "group_deleted");
        for arguments in [&["history", "--user", &ann][..], &["members", "--as-of", &moments[1]], &["why", &ann, STAFF]] {
            let ended = world.run(arguments).await;
            assert!(ended.code == 0 && ended.stdout.contains(&ann), "{ended:?}");
        }
    }

    async fn questions_about_nothing_are_refused_and_nothing_is_written(world: World) {
        let mut world = world;
        let (daemon, moments) = lived(&mut world).await;
        let (before, t) = (head(&world).await, &moments[0]);
        let (ahead, long) = (format!("@{}", before + 1), "x".repeat(10_000));
        let unknown = "0198a000-0000-7000-8000-000000000001";
        for (path, status) in [
            ("/history".to_owned(), 400),
            (format!("/history?user={ANN}&group={STAFF}"), 400),
            (format!("/history?user={ANN}&user={BOB}"), 400),
            (format!("/history?user={ANN}&more=1"), 400),
            ("/history?user=nobody@example.org".into(), 404),
            ("/history?user=".into(), 404),
            ("/history?user=%00".into(), 404),
            (format!("/history?user={long}"), 404),
            ("/history?user=%F0%9F%A6%80".into(), 404),
            ("/history?user=%FF".into(), 404),
            (format!("/history?group={unknown}"), 404),
            ("/history?group=a%00b".into(), 404),
            (format!("/history?user={ANN}&since=yesterday"), 400),
            (format!("/history?user={ANN}&since=2026-13-01T00:00:00Z"), 400),
            (format!("/history?user={ANN}&since=@-1"), 400),
            (format!("/history?user={ANN}&since={ahead}"), 400),
            (format!("/history?user={ANN}&since=@2&until=@1"), 400),
            (format!("/history?user={ANN}&since={}&until={t}", moments[3]), 400),
            (format!("/history?user={ANN}&after=x"), 400),
            (format!("/history?user={ANN}&after=-1"), 400),
            (format!("/history?user={ANN}&limit=0"), 400),
            (format!("/history?user={ANN}&limit=1001"), 400),
            (format!("/history?user={ANN}&limit=99999999999999999999"), 400),
            ("/memberships?as_of=now".into(), 400),
            (format!("/memberships?as_of={ahead}"), 400),
            ("/memberships?as_of=@99999999999999999999".into(), 400),
            ("/memberships?user=nobody".into(), 404),
            ("/memberships?group=nothing".into(), 404),
            ("/memberships?after=1".into(), 400),
            (format!("/memberships?after=1.{unknown}.{unknown}.a%27b"), 400),
            (format!("/memberships?after={}.{unknown}.{unknown}.admin", before + 1), 400),
            ("/memberships?limit=x".into(), 400),
            ("/diff".into(), 400),
            (format!("/diff?from={t}"), 400),
            (format!("/diff?from={t}&to=later"), 400),
            (format!("/diff?from={}&to={t}", moments[3]), 400),
            ("/diff?from=@2&to=@1".into(), 400),
            (format!("/diff?from=@0&to={ahead}"), 400),
            ("/why".into(), 400),
            (format!("/why?user={ANN}"), 400),
            (format!("/why?user={ANN}&group=nothing"), 404),
            (format!("/why?user={ANN}&group=maildomain::admin"), 404),
            (format!("/why?user={ANN}&group=%00"), 404),
            (format!("/why?user=%00&group={STAFF}"), 404),
            (format!("/why?user=nobody&group={STAFF}"), 404),
        ] {
            let (answered, problem) = ask(&daemon, "GET", &path, Some("read-key"), None).await;
            assert_eq!(answered, status, "{path:.80}: {problem}");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() < 300 && !detail.contains(ANN)), "{problem}");
        }
        for path in [format!("/history?user={ANN}"), "/memberships".into(), format!("/diff?from={t}&to={t}"), format!("/why?user={ANN}&group={STAFF}")] {
            assert_eq!(ask(&daemon, "GET", &path, None, None).await.0, 401, "{path}");
            assert_eq!(ask(&daemon, "GET", &path, Some("login-key"), None).await.0, 403, "{path}");
        }
        for arguments in [
            &["history"][..],
            &["history", "--user", ANN, "--group", STAFF],
            &["history", "--user", "nobody@example.org"],
            &["history", "--group", "nothing"],
            &["history", "--user", ANN, "--since", "yesterday"],
            &["history", "--user", ANN, "--since", "@2", "--until", "@1"],
            &["history", "--user", ANN, "--limit", "0"],
            &["history", "--user", ANN, "--limit", "10001"],
            &["history", "--user", ANN, "--after", "x"],
            &["members", "--as-of", "now"],
            &["members", "--as-of", &ahead],
            &["members", "--after", "1"],
            &["diff", t],
            &["diff", &moments[3], t],
            &["diff", "@0", "@-1"],
            &["why", ANN],
            &["why", ANN, "nothing"],
            &["why", "nobody", STAFF],
            &["why", &long, STAFF],
            &["events"],
        ] {
            let ended = world.run(arguments).await;
            assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:.80?}: {:.300}", ended.stderr);
            assert!(ended.stderr.contains("error: ") || ended.stderr.contains("Usage"), "{:.300}", ended.stderr);
        }
        assert_eq!(head(&world).await, before);
    }
}
