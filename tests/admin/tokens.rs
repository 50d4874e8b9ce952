//! Tokens: made, shown once, listed, used, and ended.

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, events_after, group, head, path_of, serve, user};
use crate::on_both_stores;
use crate::support::Daemon;

/// Makes a token with the administrator's key: its id and its secret.
pub async fn token(daemon: &Daemon, body: Value) -> (String, String) {
    let (status, made) = admin(daemon, "POST", "/admin/tokens", body).await;
    assert_eq!(status, 201, "{made}");
    let text = |field: &str| made[field].as_str().expect("a text").to_owned();
    (text("id"), text("secret"))
}

/// Puts a user into `Admin` by hand.
pub async fn promote(daemon: &Daemon, user: &str) {
    let members = format!("{}/members", path_of(daemon, "Admin").await);
    assert_eq!(admin(daemon, "POST", &members, json!({"user_id": user})).await.0, 201);
}

async fn status(daemon: &Daemon, path: &str, secret: &str) -> u16 {
    ask(daemon, "GET", path, Some(secret), None).await.0
}

fn days(made: &Value) -> i64 {
    let at = |field: &str| chrono::DateTime::parse_from_rfc3339(made[field].as_str().expect("a time")).expect("a time");
    (at("expires_at") - at("created_at")).num_days()
}

on_both_stores! {
    async fn a_token_lives_a_year_unless_asked_otherwise_and_its_secret_is_told_once(world: World) {
        // T1, T2
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let before = head(&world).await;
        for (asked, lives) in [(Value::Null, 365), (json!(1), 1), (json!(3650), 3650)] {
            let body = json!({"owner": ann, "expires_in_days": asked, "name": "Ann's laptop"});
            let (status, made) = admin(&daemon, "POST", "/admin/tokens", body).await;
            assert_eq!((status, days(&made)), (201, lives), "{made}");
            assert_eq!((&made["owner"], &made["scopes"], &made["name"]), (&json!(ann), &json!(["read"]), &json!("Ann's laptop")));
            let secret = made["secret"].as_str().expect("a secret");
            assert!(secret.starts_with("ent_") && secret.len() == 53, "a scanner knows it");
            let (_, page) = admin(&daemon, "GET", "/admin/tokens", Value::Null).await;
            assert!(!page.to_string().contains(secret) && page["tokens"][0].get("secret").is_none(), "{page}");
            let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(secret.as_bytes()).into();
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let sql = match world.database.kind() {
                crate::support::Kind::Sqlite => format!("SELECT count(*) FROM token_hash WHERE lower(hex(hash)) = '{hash}'"),
                crate::support::Kind::Postgres => format!("SELECT count(*) FROM token_hash WHERE encode(hash, 'hex') = '{hash}'"),
            };
            assert_eq!(world.count(&sql).await, 1, "the hash alone is kept");
        }
        let told = events_after(&world, before).await;
        assert_eq!(told, vec![("token.created".to_owned(), "key:office".to_owned()); 3]);
        let payloads = "SELECT count(*) FROM event WHERE payload LIKE '%laptop%' OR payload LIKE '%ent\\_%' ESCAPE '\\'";
        assert_eq!(world.count(payloads).await, 0, "neither a name nor a secret is in the log");
        assert!(!format!("{:?}", daemon.logs()).contains("ent_"), "nor in the daemon's");
    }

    async fn bad_bodies_make_no_token_and_no_event(world: World) {
        // T1
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let before = head(&world).await;
        let long = "x".repeat(10_000);
        for (body, field) in [
            (json!({"owner": ann, "expires_in_days": 0}), Some("expires_in_days")),
            (json!({"owner": ann, "expires_in_days": -1}), Some("expires_in_days")),
            (json!({"owner": ann, "expires_in_days": 3651}), Some("expires_in_days")),
            (json!({"owner": ann, "expires_in_days": "365"}), Some("expires_in_days")),
            (json!({"owner": ann, "expires_in_days": "a year"}), Some("expires_in_days")),
            (json!({"owner": ann, "expires_in_days": 1.5}), Some("expires_in_days")),
            (json!({"owner": ann, "expires_in_days": u64::MAX}), Some("expires_in_days")),
            (json!({"owner": ann, "expires_in_days": [1]}), Some("expires_in_days")),
            (json!({"owner": ann, "expires_in_days": true}), Some("expires_in_days")),
            (json!({"owner": ann, "scopes": []}), Some("scopes")),
            (json!({"owner": ann, "scopes": ["root"]}), Some("scopes")),
            (json!({"owner": ann, "scopes": ["READ"]}), Some("scopes")),
            (json!({"owner": ann, "scopes": ["provision:"]}), Some("scopes")),
            (json!({"owner": ann, "scopes": ["hook:login"]}), Some("scopes")),
            (json!({"owner": ann, "scopes": "read"}), None),
            (json!({"owner": ann, "scopes": [1]}), None),
            (json!({"scopes": ["x\u{0}"]}), Some("scopes")),
            (json!({}), Some("scopes")),
            (json!({"owner": "ann"}), Some("owner")),
            (json!({"owner": ""}), Some("owner")),
            (json!({"owner": 7}), None),
            (json!({"owner": ann, "name": long}), Some("name")),
            (json!({"owner": ann, "name": "a\u{0}b"}), Some("name")),
            (json!({"owner": ann, "name": "a\nb"}), Some("name")),
            (json!({"owner": ann, "name": ["a"]}), None),
            (json!({"owner": ann, "secret": "ent_mine"}), None),
            (json!([ann]), None),
            (json!("x"), None),
        ] {
            let (status, problem) = admin(&daemon, "POST", "/admin/tokens", body.clone()).await;
            assert_eq!((status, problem["field"].as_str()), (400, field), "{body}: {problem}");
        }
        let twice = format!(r#"{{"owner": "{ann}", "owner": "{ann}"}}"#);
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        for body in [twice, deep, String::new(), "{".to_owned()] {
            let sent = reqwest::Client::new().post(format!("{}/api/v1/admin/tokens", daemon.base)).bearer_auth("admin-key");
            assert_eq!(sent.body(body).send().await.expect("an answer").status(), 400);
        }
        let nobody = json!({"owner": "0198a000-0000-7000-8000-000000000001"});
        assert_eq!(admin(&daemon, "POST", "/admin/tokens", nobody).await.0, 404);
        for query in ["limit=0", "limit=1001", "limit=x", "before=x", "owner=ann", "limit=-1", "before=%00"] {
            assert_eq!(admin(&daemon, "GET", &format!("/admin/tokens?{query}"), Value::Null).await.0, 400, "{query}");
        }
        assert_eq!(head(&world).await, before);
        assert_eq!(world.count("SELECT count(*) FROM token_hash").await, 0);
    }

    async fn a_viewer_token_reads_what_its_owner_reads_and_changes_nothing(world: World) {
        // T7
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        promote(&daemon, &ann).await;
        let editors = group(&daemon, "Editors").await;
        let (id, viewer) = token(&daemon, json!({"owner": ann})).await;
        let (_, strong) = token(&daemon, json!({"owner": ann, "scopes": ["admin"]})).await;
        let (_, weak) = token(&daemon, json!({"owner": bob, "scopes": ["admin"]})).await;
        let reads = ["/admin/groups", "/admin/users", "/plans", "/admin/tokens", "/admin/refusals", &editors];
        let changes = [
            ("POST", "/admin/groups".to_owned(), json!({"name": "New"})),
            ("PATCH", editors.clone(), json!({"description": "x"})),
            ("DELETE", editors.clone(), Value::Null),
            ("POST", format!("{editors}/members"), json!({"user_id": bob})),
            ("POST", "/admin/users".to_owned(), json!({"email": "new@example.org"})),
            ("PATCH", format!("/admin/users/{bob}"), json!({"status": "deactivated"})),
            ("POST", "/plans/abc/reject".to_owned(), json!({"reason": "x"})),
            ("DELETE", format!("/admin/tokens/{id}"), Value::Null),
            ("DELETE", format!("/me/tokens/{id}"), Value::Null),
        ];
        let before = head(&world).await;
        for path in reads {
            assert_eq!(status(&daemon, path, &viewer).await, 200, "{path}");
            assert_eq!(status(&daemon, path, &strong).await, 200, "{path}");
            assert_eq!(status(&daemon, path, &weak).await, 403, "{path}: no token may what its owner may not");
        }
        for (method, path, body) in &changes {
            let body = (!body.is_null()).then(|| body.clone());
            assert_eq!(ask(&daemon, method, path, Some(&viewer), body.clone()).await.0, 403, "{method} {path}");
            let own = path.starts_with("/me");
            let expected = if own { 404 } else { 403 };
            assert_eq!(ask(&daemon, method, path, Some(&weak), body).await.0, expected, "{method} {path}");
        }
        let viewer_key = ask(&daemon, "POST", "/admin/groups", Some("read-key"), Some(json!({"name": "x"}))).await;
        assert_eq!(viewer_key.0, 403);
        assert_eq!(head(&world).await, before, "nothing was changed");
        for secret in [&viewer, &strong, &weak] {
            for path in ["/me/tokens", "/admin/tokens"] {
                let (status, problem) = ask(&daemon, "POST", path, Some(secret), Some(json!({}))).await;
                assert_eq!((status, &problem["code"]), (403, &json!("token_by_token")), "{path}");
            }
        }
        // Looking by HEAD is looking, and an owner's change takes effect at the next request.
        let url = format!("{}/api/v1/admin/groups", daemon.base);
        let head_of = |secret: String| reqwest::Client::new().head(&url).bearer_auth(secret).send();
        assert_eq!(head_of(viewer.clone()).await.expect("an answer").status(), 200);
        assert_eq!(head_of(weak).await.expect("an answer").status(), 403);
        let (code, made) = ask(&daemon, "POST", "/admin/groups", Some(&strong), Some(json!({"name": "New"}))).await;
        assert_eq!(code, 201, "{made}");
        let told = events_after(&world, before).await;
        assert_eq!(told, [("group.created".to_owned(), format!("user:{ann}"))], "a token's principal is its user");
    }

    async fn own_tokens_are_listed_newest_first_and_revoked_at_once(world: World) {
        // T3, T4, T5
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        let (first, _) = token(&daemon, json!({"owner": ann, "expires_in_days": 30})).await;
        let (second, secret) = token(&daemon, json!({"owner": ann, "scopes": ["admin"], "expires_in_days": 31})).await;
        let (others, foreign) = token(&daemon, json!({"owner": bob})).await;
        let (status_now, page) = ask(&daemon, "GET", "/me/tokens", Some(&secret), None).await;
        let listed: Vec<(&str, &str)> = page["tokens"].as_array().expect("tokens").iter()
            .map(|token| (token["id"].as_str().expect("an id"), token["status"].as_str().expect("a status"))).collect();
        assert_eq!((status_now, listed), (200, vec![(second.as_str(), "live"), (first.as_str(), "expires_soon")]));
        let (_, page) = ask(&daemon, "GET", "/me/tokens?limit=1", Some(&secret), None).await;
        let next = page["next"].as_str().expect("more").to_owned();
        let (_, page) = ask(&daemon, "GET", &format!("/me/tokens?limit=1&before={next}"), Some(&secret), None).await;
        assert_eq!((&page["tokens"][0]["id"], &page["next"]), (&json!(first), &Value::Null));
        let before = head(&world).await;
        for path in [format!("/me/tokens/{others}"), "/me/tokens/x".to_owned(), format!("/me/tokens/{ann}")] {
            assert_eq!(ask(&daemon, "DELETE", &path, Some(&secret), None).await.0, 404, "{path}");
        }
        assert_eq!(ask(&daemon, "GET", &format!("/me/tokens/{others}/access-log"), Some(&secret), None).await.0, 404);
        assert_eq!(head(&world).await, before);
        assert_eq!(status(&daemon, "/me/tokens", &foreign).await, 200, "another's is intact");
        assert_eq!(ask(&daemon, "DELETE", &format!("/me/tokens/{second}"), Some(&secret), None).await.0, 204);
        assert_eq!(status(&daemon, "/me/tokens", &secret).await, 401, "at once");
        // An administrator lists and revokes all, once.
        let (_, page) = admin(&daemon, "GET", "/admin/tokens", Value::Null).await;
        assert_eq!(page["tokens"].as_array().map(Vec::len), Some(3));
        let (_, page) = admin(&daemon, "GET", &format!("/admin/tokens?owner={bob}"), Value::Null).await;
        assert_eq!(page["tokens"][0]["id"], json!(others));
        for _ in 0..2 {
            assert_eq!(admin(&daemon, "DELETE", &format!("/admin/tokens/{others}"), Value::Null).await.0, 204);
        }
        assert_eq!(status(&daemon, "/me/tokens", &foreign).await, 401);
        let told = events_after(&world, before).await;
        let told: Vec<(&str, &str)> = told.iter().map(|(kind, actor)| (kind.as_str(), actor.as_str())).collect();
        assert_eq!(told, [("token.revoked", format!("user:{ann}").as_str()), ("token.revoked", "key:office")]);
    }

    async fn an_expired_token_is_refused_and_so_are_those_that_never_were(world: World) {
        // T4
        let mut world = world;
        world.leave_damaged();
        let daemon = serve(&mut world).await;
        let (id, secret) = token(&daemon, json!({"scopes": ["read"]})).await;
        assert_eq!(status(&daemon, "/admin/groups", &secret).await, 200);
        world.database.execute("UPDATE token SET expires_at = created_at").await;
        let never = entitled_model::token::TokenSecret::of([9; 32]);
        let broken = format!("{}x", &secret[..52]);
        for given in [secret.as_str(), never.reveal(), &broken, "ent_", "", "nonsense", "a.b.c"] {
            assert_eq!(status(&daemon, "/admin/groups", given).await, 401, "{}", given.len());
        }
        let (_, page) = admin(&daemon, "GET", "/admin/tokens", Value::Null).await;
        assert_eq!((&page["tokens"][0]["id"], &page["tokens"][0]["status"]), (&json!(id), &json!("expired")));
    }

    async fn without_the_group_admin_nobody_administers(world: World) {
        // M1
        let mut world = world;
        world.leave_damaged();
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        promote(&daemon, &ann).await;
        let (_, secret) = token(&daemon, json!({"owner": ann, "scopes": ["admin"]})).await;
        assert_eq!(status(&daemon, "/admin/groups", &secret).await, 200);
        world.database.execute("UPDATE user_group SET ended_position = 1 WHERE name = 'Admin'").await;
        assert_eq!(status(&daemon, "/admin/groups", &secret).await, 403);
    }

    async fn whoever_is_erased_leaves_no_name_of_a_token_and_never_comes_back(world: World) {
        // T8
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let (_, secret) = token(&daemon, json!({"owner": ann, "name": "Ann's laptop"})).await;
        token(&daemon, json!({"scopes": ["read"], "name": "portal"})).await;
        let erased = world.run(&["user", "erase", ANN, "--reason", "asked for it"]).await;
        assert_eq!(erased.code, 0, "{erased:?}");
        assert_eq!(status(&daemon, "/me/tokens", &secret).await, 401);
        assert_eq!(world.count("SELECT count(*) FROM token_name").await, 1, "the service's stays");
        assert_eq!(world.run(&["user", "reactivate", &ann]).await.code, 2);
        assert_eq!(admin(&daemon, "PATCH", &format!("/admin/users/{ann}"), json!({"status": "active"})).await.0, 409);
    }

    async fn deactivating_the_owner_cuts_the_token_at_the_next_request(world: World) {
        // T8
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        promote(&daemon, &ann).await;
        promote(&daemon, &bob).await;
        let (_, secret) = token(&daemon, json!({"owner": ann})).await;
        assert_eq!(status(&daemon, "/admin/groups", &secret).await, 200);
        let path = format!("/admin/users/{ann}");
        assert_eq!(admin(&daemon, "PATCH", &path, json!({"status": "deactivated"})).await.0, 200);
        assert_eq!(status(&daemon, "/admin/groups", &secret).await, 401);
        assert_eq!(admin(&daemon, "POST", "/admin/tokens", json!({"owner": ann})).await.0, 409);
        assert_eq!(admin(&daemon, "PATCH", &path, json!({"status": "active"})).await.0, 200);
        assert_eq!(status(&daemon, "/admin/groups", &secret).await, 200);
        // Out of Admin, the token may no more than its owner.
        let member = format!("{}/members/{ann}", path_of(&daemon, "Admin").await);
        assert_eq!(admin(&daemon, "DELETE", &member, Value::Null).await.0, 204);
        assert_eq!(status(&daemon, "/admin/groups", &secret).await, 403);
        assert_eq!(status(&daemon, "/me/tokens", &secret).await, 200);
    }

    async fn a_user_has_twenty_live_tokens_and_no_more(world: World) {
        // T9
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let mut last = String::new();
        for _ in 0..20 {
            last = token(&daemon, json!({"owner": ann})).await.0;
        }
        let before = head(&world).await;
        let (status, problem) = admin(&daemon, "POST", "/admin/tokens", json!({"owner": ann})).await;
        assert_eq!((status, &problem["code"]), (409, &json!("too_many_tokens")), "{problem}");
        assert_eq!(head(&world).await, before);
        assert_eq!(admin(&daemon, "DELETE", &format!("/admin/tokens/{last}"), Value::Null).await.0, 204);
        // Of several at once one passes.
        let other = world.serve().await;
        let body = json!({"owner": ann});
        let (one, two) = tokio::join!(
            admin(&daemon, "POST", "/admin/tokens", body.clone()),
            admin(&other, "POST", "/admin/tokens", body)
        );
        let mut statuses = [one.0, two.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
        token(&daemon, json!({"scopes": ["read"]})).await;
    }

    async fn a_service_s_token_has_the_scopes_that_it_was_given(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (id, hook) = token(&daemon, json!({"scopes": ["hook:login"], "name": "portal"})).await;
        let (_, provision) = token(&daemon, json!({"scopes": ["provision:maildomain"]})).await;
        let login = reqwest::Client::new().post(format!("{}/hooks/login", daemon.base)).bearer_auth(&hook);
        let answer = login.body(json!({"email": ANN}).to_string()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let told = events_after(&world, 0).await;
        assert!(told.contains(&("user.created".to_owned(), format!("token:{id}"))), "{told:?}");
        let domains = Some(json!({"domains": ["a.fr"]}));
        assert_eq!(ask(&daemon, "POST", "/provisioning/maildomains", Some(&provision), domains.clone()).await.0, 200);
        assert_eq!(ask(&daemon, "POST", "/provisioning/maildomains", Some(&hook), domains).await.0, 403);
        assert_eq!(status(&daemon, "/admin/groups", &hook).await, 403);
        assert_eq!(status(&daemon, "/me/tokens", &hook).await, 403, "it is nobody's own");
    }

    async fn the_command_line_makes_the_first_administrator_s_token(world: World) {
        // T1, T2, T3
        let mut world = world;
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        assert_eq!(world.run(&["break-glass", "grant-admin", ANN]).await.code, 0);
        let made = world.run(&["token", "create", "--user", ANN, "--scope", "admin", "--name", "first", "--output", "json"]).await;
        assert_eq!(made.code, 0, "{made:?}");
        let made = made.json();
        assert_eq!(days(&made), 365);
        let plain = world.run(&["token", "create", "--service", "--scope", "read", "--expires-in-days", "1"]).await;
        let secret = plain.stdout.trim().to_owned();
        assert!(secret.starts_with("ent_") && secret.len() == 53, "{plain:?}");
        let before = head(&world).await;
        for arguments in [
            &["--user", ANN, "--expires-in-days", "0"][..],
            &["--user", ANN, "--expires-in-days", "-1"],
            &["--user", ANN, "--expires-in-days", "3651"],
            &["--user", ANN, "--expires-in-days", "year"],
            &["--user", ANN, "--scope", "root"],
            &["--user", ANN, "--scope", "hook:login"],
            &["--user", "nobody@example.org"],
            &["--service"],
            &["--service", "--user", ANN],
            &[],
        ] {
            let ended = world.run(&[&["token", "create"][..], arguments].concat()).await;
            assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
            assert!(ended.stderr.contains("error:"), "{ended:?}");
        }
        let mistaken = world.run(&["token", "revoke", &secret]).await;
        assert_eq!(mistaken.code, 2);
        assert_eq!(head(&world).await, before);
        let daemon = serve(&mut world).await;
        let strong = made["secret"].as_str().expect("a secret");
        assert_eq!(ask(&daemon, "POST", "/admin/groups", Some(strong), Some(json!({"name": "New"}))).await.0, 201);
        assert_eq!(status(&daemon, "/admin/groups", &secret).await, 200);
        let listed = world.run(&["token", "list", "--output", "json"]).await.json();
        let names: Vec<&Value> = listed.as_array().expect("tokens").iter().map(|token| &token["name"]).collect();
        assert_eq!(names, [&Value::Null, &json!("first")]);
        assert!(!listed.to_string().contains("ent_"));
        let id = made["id"].as_str().expect("an id");
        assert_eq!(world.run(&["token", "revoke", id]).await.code, 0);
        assert_eq!(status(&daemon, "/admin/groups", strong).await, 401);
        assert_eq!(world.run(&["token", "revoke", "0198a000-0000-7000-8000-000000000001"]).await.code, 2);
        assert!(world.run(&["token", "list", "--user", ANN]).await.stdout.contains("revoked"));
    }
}
