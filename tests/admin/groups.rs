//! Groups that are made, described, renamed and deleted by hand.

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, events_after, group, head, path_of, serve, user};
use crate::on_both_stores;

fn event(event_type: &str) -> (String, String) {
    (event_type.to_owned(), "key:office".to_owned())
}

on_both_stores! {
    async fn a_group_is_made_described_renamed_and_deleted(world: World) {
        // M2, M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let before = head(&world).await;
        let new = json!({"name": "  Editors ", "description": "Who edits"});
        let (status, made) = admin(&daemon, "POST", "/admin/groups", new).await;
        assert_eq!((status, &made["name"], &made["description"]), (201, &json!("Editors"), &json!("Who edits")), "{made}");
        let path = format!("/admin/groups/{}", made["id"].as_str().expect("an id"));
        assert_eq!(admin(&daemon, "GET", &path, Value::Null).await, (200, made.clone()));

        let change = json!({"name": "Writers", "description": ""});
        let (status, changed) = admin(&daemon, "PATCH", &path, change.clone()).await;
        assert_eq!((status, &changed["name"], &changed["description"]), (200, &json!("Writers"), &Value::Null));
        assert_eq!(admin(&daemon, "PATCH", &path, change).await, (200, changed), "the same again is no change");

        for email in [ANN, BOB] {
            let user_id = user(&daemon, email).await;
            assert_eq!(admin(&daemon, "POST", &format!("{path}/members"), json!({"user_id": user_id})).await.0, 201);
        }
        let told: Vec<_> = events_after(&world, before).await;
        let by_hand: Vec<_> = told.iter().filter(|(_, actor)| actor == "key:office").cloned().collect();
        let expected = ["group.created", "group.renamed", "group.description_changed", "membership.changed", "membership.changed"];
        assert_eq!(by_hand, expected.map(event), "each mutation is told once, with who did it");

        let before = head(&world).await;
        assert_eq!(admin(&daemon, "DELETE", &path, Value::Null).await, (204, Value::Null));
        assert_eq!(events_after(&world, before).await, ["membership.changed", "group.deleted"].map(event));
        assert_eq!(world.count("SELECT count(*) FROM membership WHERE to_position IS NULL").await, 0);
        assert_eq!(admin(&daemon, "GET", &path, Value::Null).await.0, 404);
        assert_eq!(admin(&daemon, "DELETE", &path, Value::Null).await.0, 404);
        group(&daemon, "Writers").await;
    }

    async fn system_groups_can_be_described_and_no_more(world: World) {
        // M1
        let mut world = world;
        let daemon = serve(&mut world).await;
        for name in ["Admin", "Everyone"] {
            let path = path_of(&daemon, name).await;
            assert_eq!(admin(&daemon, "PATCH", &path, json!({"name": "Other"})).await.0, 409);
            assert_eq!(admin(&daemon, "DELETE", &path, Value::Null).await.0, 409);
            let (status, described) = admin(&daemon, "PATCH", &path, json!({"description": "by hand"})).await;
            assert_eq!((status, &described["name"], &described["description"]), (200, &json!(name), &json!("by hand")));
        }
    }

    async fn a_group_that_a_source_manages_is_left_to_it(world: World) {
        // M3
        let mut world = world;
        world.org().add_member("grp_acme_a@example.com", ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let path = path_of(&daemon, "grp_acme_a@example.com").await;
        let before = head(&world).await;
        let ann = world.user(ANN).await["id"].as_str().expect("an id").to_owned();
        for (method, path, body) in [
            ("PATCH", path.clone(), json!({"name": "mine"})),
            ("DELETE", path.clone(), Value::Null),
            ("POST", format!("{path}/members"), json!({"user_id": ann})),
            ("DELETE", format!("{path}/members/{ann}"), Value::Null),
        ] {
            let (status, problem) = admin(&daemon, method, &path, body).await;
            assert_eq!((status, &problem["code"]), (409, &json!("source_managed")), "{method} {path}: {problem}");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("google_sync")), "{problem}");
        }
        assert_eq!(head(&world).await, before);
        assert_eq!(admin(&daemon, "PATCH", &path, json!({"description": "ours to say"})).await.0, 200);
    }

    async fn what_can_not_be_is_refused_with_the_field_and_without_an_effect(world: World) {
        // M5
        let mut world = world;
        let daemon = serve(&mut world).await;
        let path = group(&daemon, "Editors").await;
        let before = head(&world).await;
        let long = "x".repeat(10_000);
        for (body, status, field) in [
            (json!({"name": "Editors"}), 409, json!("name")),
            (json!({"name": " Editors "}), 409, json!("name")),
            (json!({"name": ""}), 400, json!("name")),
            (json!({"name": " \t "}), 400, json!("name")),
            (json!({"name": "a\u{0}b"}), 400, json!("name")),
            (json!({"name": long}), 400, json!("name")),
            (json!({"name": "ok", "description": long}), 400, json!("description")),
            (json!({"name": "ok", "description": "a\u{0}b"}), 400, json!("description")),
            (json!({"name": 7}), 400, Value::Null),
            (json!({"name": ["ok"]}), 400, Value::Null),
            (json!({}), 400, Value::Null),
            (json!({"name": "ok", "more": 1}), 400, Value::Null),
            (json!(["ok", null]), 400, Value::Null),
            (json!("Editors"), 400, Value::Null),
        ] {
            let (answered, problem) = admin(&daemon, "POST", "/admin/groups", body.clone()).await;
            assert_eq!((answered, &problem["field"]), (status, &field), "{body}: {problem}");
        }
        assert_eq!(admin(&daemon, "PATCH", &path, json!({"name": "Admin"})).await.0, 409);
        assert_eq!(admin(&daemon, "GET", "/admin/groups/not-an-id", Value::Null).await.0, 404);
        assert_eq!(admin(&daemon, "GET", "/admin/groups?limit=0", Value::Null).await.0, 400);
        assert_eq!(admin(&daemon, "GET", "/admin/groups?limit=-1", Value::Null).await.0, 400);
        assert_eq!(admin(&daemon, "GET", "/admin/groups?after=%00", Value::Null).await.0, 400);
        assert_eq!(head(&world).await, before);
    }

    async fn groups_are_listed_page_by_page_and_whoever_may_only_look_changes_nothing(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        for name in ["Zebra", "Aardvark", "Mole"] {
            group(&daemon, name).await;
        }
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/admin/groups?limit=2&after={after}");
            let (status, page) = ask(&daemon, "GET", &path, Some("read-key"), None).await;
            assert_eq!(status, 200, "{page}");
            let groups = page["groups"].as_array().expect("groups");
            names.extend(groups.iter().map(|group| group["name"].as_str().expect("a name").to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            next.clone_into(&mut after);
        }
        assert_eq!(names, ["Aardvark", "Admin", "Everyone", "Mole", "Zebra"]);
        let path = path_of(&daemon, "Mole").await;
        for (method, path, body) in [
            ("POST", "/admin/groups".to_owned(), Some(json!({"name": "New"}))),
            ("PATCH", path.clone(), Some(json!({"name": "New"}))),
            ("DELETE", path.clone(), None),
            ("POST", format!("{path}/members"), Some(json!({"user_id": "x"}))),
        ] {
            assert_eq!(ask(&daemon, method, &path, Some("read-key"), body.clone()).await.0, 403, "{method} {path}");
            assert_eq!(ask(&daemon, method, &path, Some("nobody"), body.clone()).await.0, 401, "{method} {path}");
            assert_eq!(ask(&daemon, method, &path, None, body).await.0, 401, "{method} {path}");
        }
    }

    async fn the_command_line_does_the_same_without_a_daemon(world: World) {
        // M2, M5, M12
        let run = async |arguments: &[&str]| world.run(arguments).await;
        assert_eq!(run(&["migrate", "up"]).await.code, 0);
        world.org().add_member("grp_acme_a@example.com", ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let made = run(&["group", "create", "Editors", "--description", "Who edits"]).await;
        assert_eq!((made.code, made.stdout.trim().len()), (0, 36), "{made:?}");
        let again = run(&["group", "create", "Editors"]).await;
        assert_eq!(again.code, 2, "{again:?}");
        assert!(again.stderr.contains("there already"), "{again:?}");
        assert_eq!(run(&["group", "add-member", "Editors", ANN]).await.code, 0);
        assert_eq!(world.members("Editors", "admin").await, [ANN]);
        assert_eq!(run(&["group", "add-member", "Editors", ANN]).await.code, 2);
        assert_eq!(run(&["group", "add-member", "grp_acme_a@example.com", ANN]).await.code, 2);
        assert_eq!(run(&["group", "remove-member", "Editors", ANN]).await.code, 0);
        assert_eq!(run(&["group", "delete", "Editors"]).await.code, 0);
        assert_eq!(run(&["group", "delete", "Admin"]).await.code, 2);
        let by_operator = events_after(&world, 0).await.into_iter().filter(|(_, actor)| actor == "operator").count();
        assert_eq!(by_operator, 4, "created, put in, taken out, deleted");
    }
}
