//! What the command line shows of users, sources and waiting removals, page by page over HTTP.

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, group_of, head, serve, user};
use crate::on_both_stores;
use crate::support::{Daemon, SIRET};

/// All rows of a list, two at a time.
async fn all(daemon: &Daemon, path: &str, list: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = ask(daemon, "GET", &format!("{path}limit=2{after}"), Some("read-key"), None).await;
        assert_eq!(status, 200, "{page}");
        let found = page[list].as_array().expect("a list");
        assert!((1..=2).contains(&found.len()), "{page}");
        rows.extend(found.clone());
        let Some(next) = page["next"].as_str() else { return rows };
        let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        after = format!("&after={encoded}");
    }
}

on_both_stores! {
    async fn a_user_is_shown_with_claims_and_what_is_stated_of_them(world: World) {
        // D2, D10
        let mut world = world;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let daemon = serve(&mut world).await;
        let (_, login) = daemon.login(&json!({"email": ANN, "sub": "sub-ann", "claims": {"siret": SIRET}})).await;
        let ann = login["user"]["id"].as_str().expect("an id").to_owned();
        let bob = user(&daemon, BOB).await;
        let before = head(&world).await;
        let path = format!("/admin/users/{ann}");
        let (status, shown) = ask(&daemon, "GET", &path, Some("read-key"), None).await;
        let expected = json!({"id": ann, "sub": "sub-ann", "email": ANN, "status": "active", "claims": {"siret": SIRET}});
        assert_eq!((status, &shown), (200, &expected));
        let stated = all(&daemon, &format!("{path}/entitlements?"), "entitlements").await;
        let known = world.user(ANN).await;
        assert_eq!(json!(stated), known["entitlements"]);
        assert!(stated.len() > 2, "more than a page: {stated:?}");
        let domains = stated.iter().find(|row| row["key"] == "can_admin_maildomains").expect("the key");
        assert_eq!((&domains["source"], &domains["value"]), (&json!("deploycenter"), &json!(["commune-a.fr"])));
        assert!(domains["observed_at"].is_string(), "{domains}");
        let (_, nothing) = ask(&daemon, "GET", &format!("/admin/users/{bob}/entitlements?after=zzz:"), Some("read-key"), None).await;
        assert_eq!(nothing, json!({"entitlements": [], "next": null}));
        // A list does not tell what logins have said.
        let (_, listed) = ask(&daemon, "GET", "/admin/users", Some("read-key"), None).await;
        assert!(listed["users"].as_array().is_some_and(|users| users.iter().all(|user| user.get("claims").is_none())), "{listed}");
        for missing in ["0198a000-0000-7000-8000-000000000001", "ann@example.org"] {
            assert_eq!(admin(&daemon, "GET", &format!("/admin/users/{missing}/entitlements"), Value::Null).await.0, 404);
        }
        // What is personal is told to whoever may read users, and to nobody else.
        for path in [path.clone(), format!("{path}/entitlements"), "/admin/sources".to_owned(), "/plans/due".to_owned()] {
            for (key, status) in [(None, 401), (Some("check-key"), 403), (Some("login-key"), 403), (Some("read-key"), 200), (Some("admin-key"), 200)] {
                assert_eq!(ask(&daemon, "GET", &path, key, None).await.0, status, "{path} {key:?}");
            }
        }
        assert_eq!(head(&world).await, before);
    }

    async fn removals_that_wait_are_told_the_next_first_page_by_page(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        let mut expected = Vec::new();
        for (name, user, email, at) in [
            ("a/b: one", &ann, ANN, "2100-01-01T00:00:00.000002Z"), ("Two", &bob, BOB, "2100-01-01T00:00:00.000001Z"),
            ("Three", &ann, ANN, "2100-01-01T00:00:00.000002Z"), ("Four", &bob, BOB, "2099-01-01T00:00:00.000000Z"),
            ("Five", &bob, BOB, "2100-01-01T00:00:00.000002Z"),
        ] {
            let path = group_of(&daemon, name, &if user == &ann { bob.clone() } else { ann.clone() }).await;
            let (status, added) = admin(&daemon, "POST", &format!("{path}/members"), json!({"user_id": user, "expires_at": at})).await;
            assert_eq!(status, 201, "{added}");
            expected.push(json!({"due_at": at, "user": user, "email": email, "group": name, "source": "admin"}));
        }
        let told = all(&daemon, "/plans/due?", "removals").await;
        let at = |row: &Value| row["due_at"].as_str().expect("a time").to_owned();
        assert!(told.is_sorted_by_key(at), "{told:?}");
        let by_content = |rows: &[Value]| {
            let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
            rows.sort();
            rows
        };
        assert_eq!(by_content(&told), by_content(&expected), "each once");
        assert_eq!(all(&daemon, "/plans/due?source=admin&", "removals").await, told);
        let (_, of_another) = ask(&daemon, "GET", "/plans/due?source=google_sync", Some("read-key"), None).await;
        assert_eq!(of_another, json!({"removals": [], "next": null}));
        // `due` is no hash: the plans beside it are found as before.
        assert_eq!(ask(&daemon, "GET", "/plans/d0e", Some("read-key"), None).await.0, 404);
    }

    async fn sources_are_told_with_what_they_hold_and_orphaned_ones_too(world: World) {
        // S22
        let mut world = world;
        world.org().add_member("grp_acme_a@example.com", ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let ann = world.user(ANN).await["id"].as_str().expect("an id").to_owned();
        group_of(&daemon, "Editors", &ann).await;
        let told = async |daemon: &Daemon| {
            let (status, told) = ask(daemon, "GET", "/admin/sources", Some("read-key"), None).await;
            assert_eq!(status, 200, "{told}");
            let rows = told["sources"].as_array().expect("a list").iter();
            let shown = rows.map(|row| (json!([row["source"], row["kind"], row["memberships"]]), row["last_success_at"].is_string()));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(told(&daemon).await, [
            (json!(["admin", "reserved", 1]), false),
            (json!(["deploycenter", "deploycenter", 0]), false),
            (json!(["google_sync", "google_workspace", 1]), true),
        ]);
        assert_eq!(daemon.terminate().await, 0);
        world.without_source("google_sync");
        // The keys went with it: they stand behind it.
        let daemon = serve(&mut world).await;
        let without: Vec<_> = told(&daemon).await.into_iter().filter(|(row, _)| row[0] == "google_sync").collect();
        assert_eq!(without, [(json!(["google_sync", "orphaned", 1]), true)]);
    }
}
