//! Users by hand, and administrators who come without one.

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, events_after, head, path_of, serve, user};
use crate::on_both_stores;
use crate::tokens::promote;

const EVERYONE: &str = "everyone_group = \"grp_acme_all@example.com\"\n";

fn kinds(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(kind, _)| kind.as_str()).collect()
}

on_both_stores! {
    async fn users_are_made_shut_out_and_let_in_again(world: World) {
        // M5, M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let before = head(&world).await;
        let (status, made) = admin(&daemon, "POST", "/admin/users", json!({"email": " Ann@Example.org "})).await;
        assert_eq!((status, &made["email"], &made["status"]), (201, &json!("Ann@Example.org"), &json!("active")));
        assert_eq!(admin(&daemon, "POST", "/admin/users", json!({"email": ANN})).await.0, 409);
        let path = format!("/admin/users/{}", made["id"].as_str().expect("an id"));
        for (word, status) in [("deactivated", "deactivated"), ("deactivated", "deactivated"), ("active", "active"), ("active", "active")] {
            let (code, user) = admin(&daemon, "PATCH", &path, json!({ "status": word })).await;
            assert_eq!((code, &user["status"]), (200, &json!(status)));
        }
        let told = events_after(&world, before).await;
        assert_eq!(kinds(&told), ["user.created", "user.deactivated", "user.restored"]);
        assert!(told.iter().all(|(_, actor)| actor == "key:office"));
        user(&daemon, BOB).await;
        let (_, page) = admin(&daemon, "GET", "/admin/users?limit=1", Value::Null).await;
        let next = page["next"].as_str().expect("more");
        let (_, rest) = admin(&daemon, "GET", &format!("/admin/users?after={next}"), Value::Null).await;
        assert_eq!((&rest["users"][0]["email"], &rest["next"]), (&json!(BOB), &Value::Null));
        let before = head(&world).await;
        let long = "x".repeat(10_000);
        for body in [
            json!({}), json!({"email": null}), json!({"email": 7}), json!({"email": ""}), json!({"email": "ann"}),
            json!({"email": "a b@example.org"}), json!({"email": "a\u{0}b@example.org"}), json!({"email": "a@b@c"}),
            json!({"email": format!("{long}@example.org")}), json!({"email": BOB, "status": "active"}), json!([BOB]), json!(7),
        ] {
            let (status, problem) = admin(&daemon, "POST", "/admin/users", body.clone()).await;
            assert_eq!(status, 400, "{body}: {problem}");
        }
        for body in [json!({}), json!({"status": "suspended"}), json!({"status": "ACTIVE"}), json!({"status": null}), json!(["active"])] {
            assert_eq!(admin(&daemon, "PATCH", &path, body.clone()).await.0, 400, "{body}");
        }
        for path in ["/admin/users/x", "/admin/users/0198a000-0000-7000-8000-000000000001"] {
            assert_eq!(admin(&daemon, "PATCH", path, json!({"status": "deactivated"})).await.0, 404);
        }
        for query in ["limit=0", "limit=1001", "limit=x", "after=x"] {
            assert_eq!(admin(&daemon, "GET", &format!("/admin/users?{query}"), Value::Null).await.0, 400, "{query}");
        }
        assert_eq!(ask(&daemon, "GET", "/admin/users", None, None).await.0, 401);
        assert_eq!(head(&world).await, before);
    }

    async fn the_last_active_person_in_admin_can_not_be_shut_out(world: World) {
        // M6
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        promote(&daemon, &ann).await;
        promote(&daemon, &bob).await;
        let (ann, bob) = (format!("/admin/users/{ann}"), format!("/admin/users/{bob}"));
        let out = json!({"status": "deactivated"});
        let other = world.serve().await;
        let (one, two) = tokio::join!(
            admin(&daemon, "PATCH", &ann, out.clone()),
            admin(&other, "PATCH", &bob, out.clone())
        );
        let mut statuses = [one.0, two.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "exactly one passes, on two replicas too");
        let before = head(&world).await;
        let stays = if one.0 == 409 { &ann } else { &bob };
        let (status, problem) = admin(&daemon, "PATCH", stays, out).await;
        assert_eq!((status, &problem["code"]), (409, &json!("last_administrator")));
        assert_eq!(head(&world).await, before);
    }

    async fn whoever_is_shut_out_stays_so_whatever_a_source_says(world: World) {
        // G5, M12
        let world = world;
        world.org().add_member("grp_acme_a@example.com", ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        assert_eq!(world.run(&["user", "deactivate", ANN]).await.code, 0);
        world.org().suspend_user(ANN);
        world.sync(&["--source", "google_sync"]).await;
        assert_eq!(world.user(ANN).await["status"], "deactivated");
        world.org().reactivate_user(ANN);
        world.sync(&["--source", "google_sync"]).await;
        assert_eq!(world.user(ANN).await["status"], "deactivated");
        world.org().suspend_user(ANN);
        world.sync(&["--source", "google_sync"]).await;
        assert_eq!(world.run(&["user", "reactivate", ANN]).await.code, 0);
        assert_eq!(world.user(ANN).await["status"], "suspended", "what the source says counts again");
        assert_eq!(world.run(&["rebuild"]).await.code, 0);
        assert_eq!(world.user(ANN).await["status"], "suspended");
        assert_eq!(world.run(&["user", "deactivate", "nobody@example.org"]).await.code, 2);
        assert_eq!(world.run(&["user", "create", "nobody"]).await.code, 2);
        assert_eq!(world.run(&["user", "create", ANN]).await.code, 2);
        assert_eq!(world.run(&["user", "create", BOB]).await.code, 0);
    }

    async fn without_a_mapping_everybody_new_is_in_everyone_once(world: World) {
        // M7
        let mut world = world;
        world.configure(EVERYONE, "");
        world.org().add_member("grp_acme_a@example.com", "carl@example.org");
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        assert_eq!(admin(&daemon, "POST", "/admin/users", json!({"email": BOB})).await.0, 201);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        assert_eq!(world.members("Everyone", "system_seed").await, [ANN, BOB, "carl@example.org"]);
        let members = format!("{}/members", path_of(&daemon, "Everyone").await);
        assert_eq!(admin(&daemon, "DELETE", &format!("{members}/{ann}"), Value::Null).await.0, 204);
        assert_eq!(admin(&daemon, "DELETE", &format!("{members}/{ann}"), Value::Null).await.0, 404);
        user(&daemon, ANN).await;
        world.sync(&["--source", "google_sync"]).await;
        assert_eq!(daemon.terminate().await, 0);
        let _daemon = world.serve().await;
        assert_eq!(world.members("Everyone", "system_seed").await, [BOB, "carl@example.org"], "the removal sticks");
    }

    async fn with_a_mapping_only_the_source_decides_who_is_in_everyone(world: World) {
        // M7
        let mut world = world;
        world.org().add_member("grp_acme_all@example.com", "carl@example.org");
        let daemon = serve(&mut world).await;
        user(&daemon, ANN).await;
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        assert!(world.members("Everyone", "system_seed").await.is_empty());
        assert_eq!(world.members("Everyone", "google_sync").await, ["carl@example.org"]);
    }

    async fn the_first_administrator_is_seeded_once(world: World) {
        // M8
        let mut world = world;
        world.environment.push(("ENTITLED_SEED_ADMIN_EMAIL".to_owned(), " Ann@example.org ".to_owned()));
        for _ in 0..2 {
            let daemon = serve(&mut world).await;
            assert_eq!(daemon.terminate().await, 0);
        }
        assert_eq!(world.members("Admin", "system_seed").await, ["Ann@example.org"]);
        let told = events_after(&world, 0).await;
        let seeded: Vec<&(String, String)> = told.iter().filter(|(kind, _)| !kind.starts_with("group.")).collect();
        let system = |kind: &str| (kind.to_owned(), "system".to_owned());
        assert_eq!(seeded, [&system("user.created"), &system("membership.changed")]);
        // Nothing is overwritten: whoever was shut out stays so, loudly.
        assert_eq!(world.run(&["break-glass", "grant-admin", BOB]).await.code, 0);
        assert_eq!(world.run(&["user", "deactivate", ANN]).await.code, 0);
        let before = head(&world).await;
        let daemon = serve(&mut world).await;
        daemon.wait_for_log(|line| line["level"] == "ERROR" && line["message"] == "the first administrator was not seeded").await;
        assert_eq!(daemon.terminate().await, 0);
        assert_eq!(kinds(&events_after(&world, before).await), ["administrator.seed_failed"]);
        assert_eq!(world.user(ANN).await["status"], "deactivated");
    }

    async fn a_seed_that_is_no_address_is_an_error_and_an_event(world: World) {
        // M8
        let mut world = world;
        world.environment.push(("ENTITLED_SEED_ADMIN_EMAIL".to_owned(), "ann at example.org".to_owned()));
        let ended = world.run(&["serve"]).await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains("ENTITLED_SEED_ADMIN_EMAIL") && !ended.stderr.contains("ann at"), "{ended:?}");
        assert!(kinds(&events_after(&world, 0).await).contains(&"administrator.seed_failed"));
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 0);
    }

    async fn an_operator_breaks_the_glass_once(world: World) {
        // M9
        let world = world;
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        let granted = world.run(&["break-glass", "grant-admin", ANN]).await;
        assert_eq!(granted.code, 0, "{granted:?}");
        assert_eq!(world.members("Admin", "break_glass").await, [ANN]);
        let told = events_after(&world, 0).await;
        assert_eq!(kinds(&told)[2..], ["user.created", "administrator.break_glass_granted", "membership.changed"]);
        assert!(told[2..].iter().all(|(_, actor)| actor == "operator"));
        let before = head(&world).await;
        assert_eq!(world.run(&["break-glass", "grant-admin", " Ann@Example.org"]).await.code, 0);
        assert_eq!(head(&world).await, before, "again is nothing");
        assert_eq!(world.run(&["break-glass", "grant-admin", "ann"]).await.code, 2);
        assert_eq!(world.run(&["break-glass", "grant-admin", BOB]).await.code, 0);
        assert_eq!(world.run(&["user", "deactivate", ANN]).await.code, 0);
        let refused = world.run(&["break-glass", "grant-admin", ANN]).await;
        assert!(refused.code == 2 && refused.stderr.contains("reactivate"), "{refused:?}");
        assert_eq!(world.run(&["user", "deactivate", BOB]).await.code, 2, "the last one");
    }
}
