//! Members that are put in and taken out by hand, beside what sources say.

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, group, head, path_of, serve, user};
use crate::on_both_stores;

on_both_stores! {
    async fn whoever_is_put_in_is_in_until_they_are_taken_out(world: World) {
        // M4, M5
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (path, ann) = (group(&daemon, "Editors").await, user(&daemon, ANN).await);
        let members = format!("{path}/members");
        let (status, added) = admin(&daemon, "POST", &members, json!({"user_id": ann})).await;
        assert_eq!((status, &added["email"], &added["sources"][0]["source"]), (201, &json!(ANN), &json!("admin")));
        assert_eq!(admin(&daemon, "POST", &members, json!({"user_id": ann})).await.0, 409);
        let (_, page) = admin(&daemon, "GET", &members, Value::Null).await;
        assert_eq!(page, json!({"members": [added], "next": null}));
        let unknown = "0198a000-0000-7000-8000-000000000001";
        for (path, body, status) in [
            (members.clone(), json!({"user_id": unknown}), 404),
            (members.clone(), json!({"user_id": "ann"}), 404),
            (members.clone(), json!({"user": ann}), 400),
            (format!("/admin/groups/{unknown}/members"), json!({"user_id": ann}), 404),
        ] {
            assert_eq!(admin(&daemon, "POST", &path, body.clone()).await.0, status, "{path} {body}");
        }
        assert_eq!(admin(&daemon, "DELETE", &format!("{members}/{ann}"), Value::Null).await.0, 204);
        assert_eq!(admin(&daemon, "DELETE", &format!("{members}/{ann}"), Value::Null).await.0, 404);
        assert_eq!(admin(&daemon, "DELETE", &format!("{members}/{unknown}"), Value::Null).await.0, 404);
    }

    async fn only_an_administrators_row_is_taken_and_the_source_that_holds_another_is_named(world: World) {
        // M4, S4
        let mut world = world;
        let path = "grp_acme_admin@example.com";
        world.org().add_member(path, ANN).add_member(path, BOB);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let (members, ann) = (format!("{}/members", path_of(&daemon, "Admin").await), user(&daemon, ANN).await);
        let before = head(&world).await;
        let (status, problem) = admin(&daemon, "DELETE", &format!("{members}/{ann}"), Value::Null).await;
        assert_eq!(status, 404);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("google_sync")), "{problem}");
        assert_eq!(head(&world).await, before);
        // With a row of either kind, the one that goes leaves the other.
        assert_eq!(admin(&daemon, "POST", &members, json!({"user_id": ann})).await.0, 201);
        let (_, page) = admin(&daemon, "GET", &format!("{members}?limit=1"), Value::Null).await;
        assert_eq!(page["members"].as_array().map(Vec::len), Some(1), "a page counts members, not rows: {page}");
        assert!(page["next"].is_string());
        assert_eq!(admin(&daemon, "DELETE", &format!("{members}/{ann}"), Value::Null).await.0, 204);
        assert_eq!(world.members("Admin", "google_sync").await, [ANN, BOB]);
    }

    async fn the_last_active_person_in_admin_stays(world: World) {
        // M6
        let mut world = world;
        let daemon = serve(&mut world).await;
        let members = format!("{}/members", path_of(&daemon, "Admin").await);
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        for user_id in [&ann, &bob] {
            assert_eq!(admin(&daemon, "POST", &members, json!({"user_id": user_id})).await.0, 201);
        }
        assert_eq!(admin(&daemon, "DELETE", &format!("{members}/{bob}"), Value::Null).await.0, 204);
        let before = head(&world).await;
        let (status, problem) = admin(&daemon, "DELETE", &format!("{members}/{ann}"), Value::Null).await;
        assert_eq!((status, &problem["code"]), (409, &json!("last_administrator")), "{problem}");
        assert_eq!(head(&world).await, before);
    }

    async fn two_administrators_can_not_take_each_other_out_at_once(world: World) {
        // M6
        let mut world = world;
        let daemon = serve(&mut world).await;
        let other = world.serve().await;
        let members = format!("{}/members", path_of(&daemon, "Admin").await);
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        for _ in 0..5 {
            for user_id in [&ann, &bob] {
                let status = admin(&daemon, "POST", &members, json!({"user_id": user_id})).await.0;
                assert!(status == 201 || status == 409, "{status}");
            }
            let (ann_path, bob_path) = (format!("{members}/{ann}"), format!("{members}/{bob}"));
            let (one, two) = tokio::join!(
                admin(&daemon, "DELETE", &ann_path, Value::Null),
                admin(&other, "DELETE", &bob_path, Value::Null)
            );
            let mut statuses = [one.0, two.0];
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 409], "exactly one passes");
        }
    }

    async fn a_membership_that_was_given_until_an_instant_ends_by_itself_with_an_event(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (path, ann, bob) = (group(&daemon, "Editors").await, user(&daemon, ANN).await, user(&daemon, BOB).await);
        let members = format!("{path}/members");
        let later = "2099-12-31T18:00:00.000000Z";
        let (status, added) = admin(&daemon, "POST", &members, json!({"user_id": bob, "expires_at": later})).await;
        assert_eq!((status, &added["sources"][0]["due_at"]), (201, &json!(later)));
        let soon = entitled_model::instant::written(entitled::clock::Clock::system().now() + chrono::TimeDelta::seconds(3));
        let before = head(&world).await;
        assert_eq!(admin(&daemon, "POST", &members, json!({"user_id": ann, "expires_at": soon})).await.0, 201);
        assert_eq!(head(&world).await, before + 1, "one event");
        daemon.wait_for_log(|line| line["message"].as_str().is_some_and(|text| text.starts_with("ended memberships"))).await;
        assert_eq!(world.members("Editors", "admin").await, [BOB]);
        assert_eq!(head(&world).await, before + 2, "and one for its end");
        let told = "SELECT count(*) FROM event WHERE event_type = 'membership.changed' AND actor = 'system' AND source = 'admin'";
        assert_eq!(world.count(told).await, 1);
        for bad in ["2020-01-01T00:00:00Z", "tomorrow", "", "2099-12-31", "99999-01-01T00:00:00Z"] {
            let (status, problem) = admin(&daemon, "POST", &members, json!({"user_id": ann, "expires_at": bad})).await;
            assert_eq!((status, &problem["field"]), (400, &json!("expires_at")), "{bad}: {problem}");
        }
        assert_eq!(head(&world).await, before + 2);
    }

    async fn the_last_administrator_outlasts_the_time_they_were_given(world: World) {
        // M6
        let mut world = world;
        world.org().add_member("grp_acme_a@example.com", ANN).add_member("grp_acme_a@example.com", BOB);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let given = world.run(&["group", "add-member", "Admin", ANN, "--expires-in", "4s"]).await;
        assert_eq!(given.code, 0, "{given:?}");
        let daemon = serve(&mut world).await;
        let blocked = "SELECT count(*) FROM event WHERE event_type = 'membership.removal_blocked' AND actor = 'system'";
        world.wait_for_count(blocked, 1).await;
        assert_eq!(world.members("Admin", "admin").await, [ANN]);
        let members = format!("{}/members", path_of(&daemon, "Admin").await);
        let bob = user(&daemon, BOB).await;
        assert_eq!(admin(&daemon, "POST", &members, json!({"user_id": bob})).await.0, 201);
        daemon.wait_for_log(|line| line["message"].as_str().is_some_and(|text| text.starts_with("ended memberships"))).await;
        assert_eq!(world.members("Admin", "admin").await, [BOB]);
        assert_eq!(world.count(blocked).await, 1, "told once");
    }
}
