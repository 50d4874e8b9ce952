//! A request that comes again under its `Idempotency-Key` has its effect once.

use entitled::store::{Claimed, StoredAnswer};
use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, events_after, group, head, id_of, serve, user};
use crate::on_both_stores;
use crate::support::{Daemon, Kind, World};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/// An answer, as far as a repeat must be given the same.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    replayed: bool,
    location: Option<String>,
    kind: Option<String>,
    body: Value,
}

impl Answer {
    fn again(&self) -> Self {
        Self { replayed: true, ..self.clone() }
    }

    fn refused(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

async fn post_as(daemon: &Daemon, credential: &str, path: &str, key: &str, body: &Value) -> Answer {
    let request = reqwest::Client::new().post(format!("{}/api/v1{path}", daemon.base)).bearer_auth(credential);
    let response = request.header("idempotency-key", key).body(body.to_string()).send().await.expect("an answer");
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
    assert!(header("x-request-id").is_some());
    let (replayed, location, kind) =
        (header("idempotency-replayed").as_deref() == Some("true"), header("location"), header("content-type"));
    let status = response.status().as_u16();
    Answer { status, replayed, location, kind, body: response.json().await.expect("JSON") }
}

async fn post(daemon: &Daemon, path: &str, key: &str, body: &Value) -> Answer {
    post_as(daemon, "admin-key", path, key, body).await
}

async fn keys(world: &World) -> i64 {
    world.count("SELECT count(*) FROM idempotency_key").await
}

/// The SQL of an instant.
fn instant(world: &World, at: &str) -> String {
    match world.database.kind() {
        Kind::Sqlite => format!("'{}'", at.replace(' ', "T")),
        Kind::Postgres => format!("'{at}'"),
    }
}

/// Sets the time of every claim, as if it had passed.
async fn claimed_at(world: &World, at: &str) {
    let at = instant(world, at);
    world.database.execute(&format!("UPDATE idempotency_key SET claimed_at = {at}")).await;
}

on_both_stores! {
    async fn a_repeat_is_given_the_same_answer_and_is_one_event(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, editors) = (user(&daemon, ANN).await, group(&daemon, "Editors").await);
        let grant = json!({"group_id": id_of(&editors), "permission": "admin", "resource_type": "maildomain", "resource_id": "a.fr"});
        let other = world.serve().await;
        for (index, (path, body, status)) in [
            ("/admin/groups".to_owned(), json!({"name": "Writers"}), 201),
            (format!("{editors}/members"), json!({ "user_id": ann }), 201),
            ("/admin/users".to_owned(), json!({"email": "new@example.org"}), 201),
            ("/admin/grants".to_owned(), grant, 201),
            ("/admin/roles".to_owned(), json!({"user_id": ann, "role": "viewer"}), 200),
            ("/admin/resources/maildomain".to_owned(), json!({"id": "b.fr"}), 201),
            // What is refused is answered the same, too.
            ("/admin/groups".to_owned(), json!({"name": "Writers"}), 409),
            ("/admin/groups".to_owned(), json!({"nmae": "x"}), 400),
            (format!("/plans/{}/reject", "0".repeat(64)), json!({"reason": "no"}), 404),
        ].into_iter().enumerate() {
            let key = format!("{KEY}-{index}");
            let before = head(&world).await;
            let first = post(&daemon, &path, &key, &body).await;
            assert_eq!((first.status, first.replayed), (status, false), "{path}: {first:?}");
            let after = head(&world).await;
            assert_eq!(after > before, status < 300, "{path}");
            assert_eq!(post(&daemon, &path, &key, &body).await, first.again(), "{path}");
            assert_eq!(post(&other, &path, &key, &body).await, first.again(), "on another replica: {path}");
            assert_eq!(head(&world).await, after, "a repeat is no event: {path}");
        }
        let without = admin(&daemon, "POST", "/admin/groups", json!({"name": "Readers"})).await;
        assert_eq!(without.0, 201);
        assert_eq!(keys(&world).await, 9, "without a key nothing is kept");
        assert_eq!(daemon.terminate().await, 0);
        let daemon = world.serve().await;
        let answer = post(&daemon, "/admin/groups", &format!("{KEY}-0"), &json!({"name": "Writers"})).await;
        assert_eq!((answer.status, answer.replayed), (201, true), "after a restart");
    }

    async fn of_sixteen_at_once_one_has_an_effect(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let other = world.serve().await;
        for round in 0..5 {
            let (path, body) = ("/admin/users", json!({ "email": format!("u{round}@example.org") }));
            let (before, key) = (head(&world).await, format!("{KEY}-{round}"));
            let asking = (0..16).map(|index| post(if index % 2 == 0 { &daemon } else { &other }, path, &key, &body));
            let answers = futures_util::future::join_all(asking).await;
            let first: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201 && !answer.replayed).collect();
            assert_eq!(first.len(), 1, "{answers:?}");
            for answer in &answers {
                let busy = answer.refused() == (409, "request_in_progress");
                assert!(busy || answer == first[0] || *answer == first[0].again(), "{answer:?}");
            }
            let events = events_after(&world, before).await;
            assert_eq!(events.iter().filter(|(kind, _)| kind == "user.created").count(), 1, "{events:?}");
            assert_eq!(post(&other, path, &key, &body).await, first[0].again());
        }
    }

    async fn a_key_is_one_request_s_and_one_caller_s(world: World) {
        // M12
        let mut world = world;
        world.environment.push(("OTHER_KEY".to_owned(), "other-key".to_owned()));
        world.configure_also("\n[[http.keys]]\nname = \"other\"\nsecret = { env = \"OTHER_KEY\" }\nscopes = [\"admin\"]\n");
        let daemon = serve(&mut world).await;
        let body = json!({"name": "Editors"});
        let first = post(&daemon, "/admin/groups", KEY, &body).await;
        assert_eq!(first.status, 201);
        let before = head(&world).await;
        for (path, body) in [
            ("/admin/groups", json!({"name": "Writers"})),
            ("/admin/groups?x=1", body.clone()),
            ("/admin/users", body.clone()),
            ("/admin/users", json!({"email": ANN})),
        ] {
            let answer = post(&daemon, path, KEY, &body).await;
            assert_eq!(answer.refused(), (422, "idempotency_key_reused"), "{path} {body}");
        }
        assert_eq!(head(&world).await, before, "no event");
        let theirs = post_as(&daemon, "other-key", "/admin/groups", KEY, &json!({"name": "Writers"})).await;
        assert_eq!((theirs.status, theirs.replayed), (201, false), "{theirs:?}");
        assert_eq!(post_as(&daemon, "read-key", "/admin/groups", KEY, &body).await.status, 403, "the guard comes first");
        assert_eq!(post_as(&daemon, "wrong", "/admin/groups", KEY, &body).await.status, 401);
        assert_eq!(post(&daemon, "/admin/groups", KEY, &body).await, first.again());
    }

    async fn a_malformed_key_is_refused_and_a_secret_is_not_told_twice(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let (before, long) = (head(&world).await, "k".repeat(256));
        for key in ["", "a b", "cl\u{e9}", &long] {
            let answer = post(&daemon, "/admin/groups", key, &json!({"name": "Editors"})).await;
            assert_eq!(answer.refused(), (400, "idempotency_key_malformed"), "{key:?}");
        }
        let answer = post(&daemon, "/admin/tokens", KEY, &json!({ "owner": ann })).await;
        assert_eq!(answer.refused(), (400, "idempotency_key_refused"), "{answer:?}");
        assert_eq!((head(&world).await, keys(&world).await), (before, 0));
        // Where nothing is made, a key is passed over.
        let body = json!({"user": ann, "permission": "admin", "resource": {"type": "maildomain", "id": "a.fr"}});
        for _ in 0..2 {
            let answer = post_as(&daemon, "check-key", "/check", KEY, &body).await;
            assert_eq!((answer.status, answer.replayed), (200, false));
        }
        assert_eq!(keys(&world).await, 0);
    }

    async fn a_claim_that_nobody_answered_holds_for_a_minute(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let body = json!({"name": "Editors"});
        assert_eq!(post(&daemon, "/admin/groups", KEY, &body).await.status, 201);
        // As a process leaves it that was killed before it could keep its answer.
        world.database.execute("UPDATE idempotency_key SET status = NULL, headers = NULL, body = NULL").await;
        assert_eq!(post(&daemon, "/admin/groups", KEY, &body).await.refused(), (409, "request_in_progress"));
        assert_eq!(post(&daemon, "/admin/groups", KEY, &json!({})).await.status, 422);
        claimed_at(&world, "2020-01-01 00:00:00+00:00").await;
        let answer = post(&daemon, "/admin/groups", KEY, &body).await;
        assert_eq!((answer.status, answer.replayed), (409, false), "it runs, and the name is taken: {answer:?}");
        assert_eq!(answer.body["field"], "name");
        assert_eq!(post(&daemon, "/admin/groups", KEY, &body).await, answer.again());
    }

    async fn a_fault_of_our_own_lets_the_request_come_again(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let body = json!({"name": "Editors"});
        world.database.execute("ALTER TABLE user_group RENAME TO user_group_gone").await;
        assert_eq!(post(&daemon, "/admin/groups", KEY, &body).await.status, 503);
        assert_eq!(keys(&world).await, 0, "the claim is let go");
        world.database.execute("ALTER TABLE user_group_gone RENAME TO user_group").await;
        let answer = post(&daemon, "/admin/groups", KEY, &body).await;
        assert_eq!((answer.status, answer.replayed), (201, false), "{answer:?}");
    }

    async fn who_hangs_up_does_not_lose_the_answer(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let body = json!({"name": "Editors"});
        let (store, claims) = (world.store().await, "SELECT count(*) FROM idempotency_key");
        let before = head(&world).await;
        // The handler waits for the head; on SQLite, where that would keep the claim out as well, it is as quick as it is.
        let held = world.database.kind() == Kind::Postgres;
        let unit = if held { Some(store.begin().await.expect("the head")) } else { None };
        tokio::select! {
            biased;
            () = world.wait_for_count(claims, 1) => {}
            answer = post(&daemon, "/admin/groups", KEY, &body) => assert!(!held, "{answer:?}"),
        }
        if held {
            assert_eq!(post(&daemon, "/admin/groups", KEY, &body).await.refused(), (409, "request_in_progress"));
        }
        drop(unit);
        store.close().await.expect("closed");
        world.wait_for_count(&format!("{claims} WHERE status = 201"), 1).await;
        let answer = post(&daemon, "/admin/groups", KEY, &body).await;
        assert_eq!((answer.status, answer.replayed), (201, true), "{answer:?}");
        assert_eq!(events_after(&world, before).await.len(), 1);
    }

    async fn who_is_erased_is_in_no_answer_that_is_kept(world: World) {
        // E1
        let mut world = world;
        let daemon = serve(&mut world).await;
        let editors = group(&daemon, "Editors").await;
        let first = post(&daemon, "/admin/users", KEY, &json!({ "email": BOB })).await;
        let bob = first.body["id"].as_str().expect("an id").to_owned();
        let added = post(&daemon, &format!("{editors}/members"), &format!("for-{BOB}"), &json!({ "user_id": bob })).await;
        assert_eq!(added.status, 201);
        let told = match world.database.kind() {
            Kind::Sqlite => format!("SELECT count(*) FROM idempotency_key WHERE instr(body, '{BOB}') > 0"),
            Kind::Postgres => format!("SELECT count(*) FROM idempotency_key WHERE position(convert_to('{BOB}', 'UTF8') IN body) > 0"),
        };
        assert!(world.count(&told).await > 0, "else this proves nothing");
        // A request that is being carried out meanwhile, and has read the address already.
        let store = world.store().await;
        let long_ago = entitled_model::Instant::UNIX_EPOCH;
        let claimed = store.claim_key("key:office", "in flight", &[7; 32], long_ago).await.expect("claimed");
        let Claimed::Mine(claim) = claimed else { panic!("{claimed:?}") };
        let ended = world.run(&["user", "erase", &bob, "--reason", "they asked for it"]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(keys(&world).await, 0, "nor in a key");
        let late = StoredAnswer { status: 200, headers: "{}".to_owned(), body: BOB.as_bytes().to_vec() };
        store.answer_key("key:office", claim, late).await.expect("passed over");
        store.close().await.expect("closed");
        assert_eq!(keys(&world).await, 0, "whose answer comes later is not kept");
        assert_eq!(daemon.terminate().await, 0);
        if world.database.kind() == Kind::Sqlite {
            let file = world.database.url().trim_start_matches("sqlite://").split('?').next().expect("a path").to_owned();
            for file in [file.clone(), format!("{file}-wal")] {
                let bytes = std::fs::read(file).unwrap_or_default();
                assert!(!bytes.windows(BOB.len()).any(|window| window == BOB.as_bytes()), "it is still in the file");
            }
        }
    }

    async fn keys_go_after_a_day_and_of_one_caller_the_oldest_beyond_ten_thousand(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        assert_eq!(post(&daemon, "/admin/groups", "old", &json!({"name": "Old"})).await.status, 201);
        claimed_at(&world, "2020-01-01 00:00:00+00:00").await;
        assert_eq!(post(&daemon, "/admin/groups", "new", &json!({"name": "New"})).await.status, 201);
        assert_eq!(daemon.terminate().await, 0);
        let daemon = world.serve().await;
        daemon.wait_for_log(|line| line["message"] == "pruned idempotency keys" && line["forgotten"] == 1).await;
        assert_eq!(world.count("SELECT count(*) FROM idempotency_key WHERE key = 'new'").await, 1);
        let (new_id, bytes) = match world.database.kind() {
            Kind::Sqlite => ("randomblob(16)", "randomblob(32)"),
            Kind::Postgres => ("gen_random_uuid()", "'\\x00'::bytea"),
        };
        let [older, newer] = ["2024-01-01 00:00:00+00:00", "2025-01-01 00:00:00+00:00"].map(|at| instant(&world, at));
        let time = if world.database.kind() == Kind::Postgres { "timestamptz" } else { "text" };
        for actor in ["key:office", "key:other"] {
            world.database.execute(&format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10003)
                 INSERT INTO idempotency_key (actor, key, claim, fingerprint, claimed_at, status, headers, body)
                 SELECT '{actor}', 'k' || CAST(i AS text), {new_id}, {bytes}, CAST(CASE WHEN i <= 10 THEN {older} ELSE {newer} END AS {time}), 200, '{{}}', {bytes} FROM n"
            )).await;
        }
        assert_eq!(post(&daemon, "/admin/groups", "newest", &json!({"name": "Newest"})).await.status, 201);
        let kept = "SELECT count(*) FROM idempotency_key WHERE actor = 'key:office'";
        // The oldest are of one age, and go together; with them the ten thousand and second would be kept.
        assert_eq!(world.count(kept).await, 9_995);
        assert_eq!(world.count("SELECT count(*) FROM idempotency_key WHERE actor = 'key:office' AND key = 'newest'").await, 1);
        assert_eq!(world.count("SELECT count(*) FROM idempotency_key WHERE actor = 'key:other'").await, 10_003);
    }
}
