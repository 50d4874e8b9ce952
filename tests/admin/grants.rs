//! Grants that are made, listed and taken back by hand.

use entitled_model::event::{Event, GrantDeleted};
use serde_json::{Value, json};

use crate::hand::{
    ANN, BOB, admin, ask, check, events_after, grant, group, group_of, head, id_of, path_of, serve, user,
};
use crate::on_both_stores;
use crate::support::{Kind, World};

const GOOGLE_GROUP: &str = "grp_acme_a@example.com";
const OFF: &str = "\n[features]\nmaildomain_manage_access = false\n";

fn body(group: &str, permission: &str, resource_type: &str, resource_id: &str) -> Value {
    json!({"group_id": id_of(group), "permission": permission, "resource_type": resource_type, "resource_id": resource_id})
}

async fn events(world: &World, position: i64) -> Vec<Event> {
    let store = world.store().await;
    let events = store.events_after(entitled_model::Position(position)).await.expect("a log");
    store.close().await.expect("closed");
    events.into_iter().map(|event| event.recorded.event).collect()
}

/// From now on the database refuses events of this type.
async fn refuse(world: &World, event_type: &str) {
    let sql = match world.database.kind() {
        Kind::Sqlite => format!(
            "CREATE TRIGGER refused BEFORE INSERT ON event WHEN NEW.event_type = '{event_type}'
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        ),
        Kind::Postgres => format!(
            "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.event_type = '{event_type}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER refused BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refused()"
        ),
    };
    world.database.execute(&sql).await;
}

async fn refuse_no_more(world: &World) {
    let on = if world.database.kind() == Kind::Postgres { " ON event" } else { "" };
    world.database.execute(&format!("DROP TRIGGER refused{on}")).await;
}

on_both_stores! {
    async fn a_grant_is_made_listed_and_taken_back_each_told_once(world: World) {
        // M5, M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let path = group(&daemon, "Editors").await;
        let before = head(&world).await;
        let (status, made) = admin(&daemon, "POST", "/admin/grants", body(&path, " admin ", "maildomain", " Commune-A.FR ")).await;
        assert_eq!(status, 201, "{made}");
        let expected = json!({"id": made["id"], "group_id": id_of(&path), "group": "Editors", "permission": "admin",
            "resource_type": "maildomain", "resource_id": "commune-a.fr", "created_at": made["created_at"]});
        assert_eq!(made, expected);
        let place = format!("/admin/grants/{}", made["id"].as_str().expect("an id"));
        assert_eq!(admin(&daemon, "GET", &place, Value::Null).await, (200, made.clone()));
        assert_eq!(admin(&daemon, "GET", "/admin/grants", Value::Null).await.1, json!({"grants": [made], "next": null}));
        for again in ["commune-a.fr", "COMMUNE-A.FR"] {
            assert_eq!(admin(&daemon, "POST", "/admin/grants", body(&path, "admin", "maildomain", again)).await.0, 409);
        }
        assert_eq!(admin(&daemon, "DELETE", &place, Value::Null).await, (204, Value::Null));
        assert_eq!(admin(&daemon, "DELETE", &place, Value::Null).await.0, 404);
        assert_eq!(admin(&daemon, "GET", &place, Value::Null).await.0, 404);

        let told = [("grant.created", "key:office"), ("grant.deleted", "key:office")];
        let told = told.map(|(kind, actor)| (kind.to_owned(), actor.to_owned()));
        assert_eq!(events_after(&world, before).await, told);
        let [Event::GrantCreated(created), Event::GrantDeleted(deleted)] = &events(&world, before).await[..] else {
            panic!("two events of grants");
        };
        assert_eq!(created.after.resource_id, "commune-a.fr");
        assert_eq!(deleted, &GrantDeleted { group: created.group, before: vec![created.after.clone()] });
        // What was taken back can be given again.
        grant(&daemon, &path, "admin", "commune-a.fr").await;
    }

    async fn what_can_not_be_granted_is_refused_with_the_field_and_without_an_effect(world: World) {
        // M5
        let mut world = world;
        let daemon = serve(&mut world).await;
        let path = group(&daemon, "Editors").await;
        let before = head(&world).await;
        let unknown = "/admin/groups/0198a000-0000-7000-8000-000000000001";
        for (body, status, field) in [
            (body(&path, "", "maildomain", "a.fr"), 400, json!("permission")),
            (body(&path, "can read", "maildomain", "a.fr"), 400, json!("permission")),
            (body(&path, "аdmin", "maildomain", "a.fr"), 400, json!("permission")),
            (body(&path, "admin", "maildomain", "  "), 400, json!("resource_id")),
            (body(&path, "admin", "maildomain", "INVALID DOMAIN!"), 400, json!("resource_id")),
            (body(&path, "admin", "unicorn", "a.fr"), 400, json!("resource_type")),
            (body(&path, "admin", "maildomains", "a.fr"), 400, json!("resource_type")),
            (body(&path, "admin", "", "a.fr"), 400, json!("resource_type")),
            (body(unknown, "admin", "maildomain", "a.fr"), 404, Value::Null),
            (body("Editors", "admin", "maildomain", "a.fr"), 404, Value::Null),
        ] {
            let (answered, problem) = admin(&daemon, "POST", "/admin/grants", body.clone()).await;
            assert_eq!((answered, &problem["field"]), (status, &field), "{body}: {problem}");
        }
        assert_eq!(admin(&daemon, "DELETE", "/admin/grants/x", Value::Null).await.0, 404);
        assert_eq!(head(&world).await, before);
        assert_eq!(world.count("SELECT count(*) FROM access_grant").await, 0);
    }

    async fn grants_are_filtered_and_listed_page_by_page_and_whoever_may_only_look_changes_none(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (editors, writers) = (group(&daemon, "Editors").await, group(&daemon, "Writers").await);
        for (group, permission, domain) in
            [(&editors, "admin", "a.fr"), (&editors, "read", "a.fr"), (&editors, "read", "b.fr"), (&writers, "read", "a.fr")]
        {
            grant(&daemon, group, permission, domain).await;
        }
        let listed = async |query: &str| {
            let (mut found, mut after) = (Vec::new(), String::new());
            loop {
                let path = format!("/admin/grants?limit=2{query}{after}");
                let (status, page) = ask(&daemon, "GET", &path, Some("read-key"), None).await;
                assert_eq!(status, 200, "{page}");
                found.extend(page["grants"].as_array().expect("grants").clone());
                let Some(next) = page["next"].as_str() else { break found };
                after = format!("&after={next}");
            }
        };
        let (editors_id, all) = (id_of(&editors), listed("").await);
        assert_eq!(all.len(), 4);
        for (query, expected) in [
            (format!("&group_id={editors_id}"), vec![0, 1, 2]),
            ("&resource_type=maildomain&resource_id=A.fr".to_owned(), vec![0, 1, 3]),
            ("&resource_id=b.fr".to_owned(), vec![2]),
            (format!("&resource_type=maildomain&resource_id=b.fr&group_id={editors_id}"), vec![2]),
            ("&resource_type=maildomain".to_owned(), vec![0, 1, 2, 3]),
        ] {
            let expected: Vec<Value> = expected.into_iter().map(|at: usize| all[at].clone()).collect();
            assert_eq!(listed(&query).await, expected, "{query}");
        }
        let path = format!("/admin/grants/{}", all[0]["id"].as_str().expect("an id"));
        let new = body(&writers, "admin", "maildomain", "c.fr");
        for (method, path, body) in [("POST", "/admin/grants", Some(new)), ("DELETE", path.as_str(), None)] {
            for (key, status) in [(Some("read-key"), 403), (Some("check-key"), 403), (Some("nobody"), 401), (None, 401)] {
                assert_eq!(ask(&daemon, method, path, key, body.clone()).await.0, status, "{method} {path} {key:?}");
            }
        }
        assert_eq!(listed("").await, all);
    }

    async fn deleting_a_group_takes_its_members_and_its_grants_with_it(world: World) {
        // M2, M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        let path = group_of(&daemon, "Editors", &ann).await;
        assert_eq!(admin(&daemon, "POST", &format!("{path}/members"), json!({"user_id": bob})).await.0, 201);
        for domain in ["a.fr", "b.fr", "c.fr"] {
            grant(&daemon, &path, "admin", domain).await;
        }
        let other = group_of(&daemon, "Writers", &ann).await;
        grant(&daemon, &other, "read", "a.fr").await;
        assert_eq!(check(&daemon, ANN, "admin", "b.fr").await["allowed"], true);

        // The last of its events can't be written: everything is as it was.
        refuse(&world, "group.deleted").await;
        let before = head(&world).await;
        assert!(admin(&daemon, "DELETE", &path, Value::Null).await.0 >= 500);
        assert_eq!((head(&world).await, world.count("SELECT count(*) FROM access_grant").await), (before, 4));
        assert_eq!(check(&daemon, ANN, "admin", "b.fr").await["allowed"], true);
        refuse_no_more(&world).await;

        assert_eq!(admin(&daemon, "DELETE", &path, Value::Null).await, (204, Value::Null));
        let told: Vec<String> = events_after(&world, before).await.into_iter().map(|(told, _)| told).collect();
        assert_eq!(told, ["membership.changed", "grant.deleted", "group.deleted"], "one event of each kind");
        let [_, Event::GrantDeleted(GrantDeleted { before: gone, .. }), _] = &events(&world, before).await[..] else {
            panic!("three events");
        };
        let gone: Vec<&str> = gone.iter().map(|granted| granted.resource_id.as_str()).collect();
        assert_eq!(gone, ["a.fr", "b.fr", "c.fr"]);
        let (_, left) = admin(&daemon, "GET", "/admin/grants", Value::Null).await;
        assert_eq!((left["grants"].as_array().map(Vec::len), &left["grants"][0]["group"]), (Some(1), &json!("Writers")));
        assert_eq!(check(&daemon, ANN, "admin", "b.fr").await["reason"], "no_access");
    }

    async fn if_the_event_of_a_grant_can_not_be_written_there_is_no_grant(world: World) {
        // M12
        let mut world = world;
        let daemon = serve(&mut world).await;
        let path = group(&daemon, "Editors").await;
        let kept = grant(&daemon, &path, "read", "a.fr").await;
        let before = head(&world).await;
        for (event_type, method, place, body) in [
            ("grant.created", "POST", "/admin/grants".to_owned(), body(&path, "admin", "maildomain", "a.fr")),
            ("grant.deleted", "DELETE", format!("/admin/grants/{kept}"), Value::Null),
        ] {
            refuse(&world, event_type).await;
            assert!(admin(&daemon, method, &place, body.clone()).await.0 >= 500, "{method}");
            assert_eq!((head(&world).await, world.count("SELECT count(*) FROM access_grant").await), (before, 1));
            refuse_no_more(&world).await;
            if world.database.kind() == Kind::Postgres {
                world.database.execute("DROP FUNCTION refused()").await;
            }
        }
    }

    async fn with_the_feature_off_access_to_the_type_is_neither_given_nor_taken_by_hand(world: World) {
        // P5
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (path, empty) = (group(&daemon, "Editors").await, group(&daemon, "Empty").await);
        let granted = grant(&daemon, &path, "admin", "a.fr").await;
        assert_eq!(daemon.terminate().await, 0);
        world.configure_also(OFF);
        let daemon = serve(&mut world).await;
        let before = head(&world).await;
        for (method, place, body) in [
            ("POST", "/admin/grants".to_owned(), body(&path, "read", "maildomain", "a.fr")),
            ("DELETE", format!("/admin/grants/{granted}"), Value::Null),
            ("DELETE", path.clone(), Value::Null),
        ] {
            let (status, problem) = admin(&daemon, method, &place, body).await;
            assert_eq!((status, &problem["code"]), (403, &json!("feature_off")), "{method} {place}: {problem}");
        }
        assert_eq!(head(&world).await, before);
        assert_eq!(admin(&daemon, "DELETE", &empty, Value::Null).await.0, 204, "it has nothing of the type");
        let refused = world.run(&["grant", "delete", &granted]).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("maildomain_manage_access"), "{refused:?}");
    }

    async fn a_directory_s_group_may_have_grants_which_its_source_never_takes(world: World) {
        // Rule 1, M3
        let mut world = world;
        let other = "grp_acme_b@example.com";
        world.org().add_member(GOOGLE_GROUP, ANN).add_member(other, ANN).add_member("grp_acme_c@example.com", BOB);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let (path, other_path) = (path_of(&daemon, GOOGLE_GROUP).await, path_of(&daemon, other).await);
        let granted = grant(&daemon, &path, "admin", "a.fr").await;
        assert_eq!(check(&daemon, ANN, "admin", "a.fr").await["paths"][0]["sources"], json!(["google_sync"]));
        world.org().delete_group(GOOGLE_GROUP).delete_group(other);
        for _ in 0..3 {
            assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        }
        assert_eq!(check(&daemon, ANN, "admin", "a.fr").await["allowed"], false, "nobody is in it any longer");
        assert_eq!(admin(&daemon, "GET", &other_path, Value::Null).await.0, 404, "the source takes what is its own");
        assert_eq!(admin(&daemon, "GET", &path, Value::Null).await.0, 200);
        assert_eq!(admin(&daemon, "DELETE", &format!("/admin/grants/{granted}"), Value::Null).await.0, 204);
    }

    async fn a_directory_s_group_that_a_held_plan_empties_keeps_its_grants_too(world: World) {
        // Rule 1, rule 6
        let mut world = world;
        for number in 0..30 {
            world.org().add_member(GOOGLE_GROUP, &format!("m{number:02}@example.org"));
        }
        world.org().add_member("grp_acme_c@example.com", BOB);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let path = path_of(&daemon, GOOGLE_GROUP).await;
        grant(&daemon, &path, "admin", "a.fr").await;
        world.org().delete_group(GOOGLE_GROUP);
        let held = world.sync(&["--source", "google_sync"]).await;
        assert_eq!(held.code, 4, "{held:?}");
        let hash = held.source("google_sync")["plan_hash"].as_str().expect("a hash").to_owned();
        let applied = world.sync(&["--source", "google_sync", "--approve", &hash, "--reason", "the office closed"]).await;
        assert_eq!(applied.code, 0, "{applied:?}");
        assert_eq!(world.members(GOOGLE_GROUP, "google_sync").await, [""; 0]);
        assert_eq!(admin(&daemon, "GET", &path, Value::Null).await.0, 200);
        let (_, kept) = admin(&daemon, "GET", "/admin/grants", Value::Null).await;
        assert_eq!(kept["grants"].as_array().map(Vec::len), Some(1), "{kept}");
    }

    async fn of_two_replicas_that_grant_the_same_one_passes(world: World) {
        // M5
        let mut world = world;
        let daemon = serve(&mut world).await;
        let other = world.serve().await;
        let path = group(&daemon, "Editors").await;
        for domain in ["a.fr", "b.fr", "c.fr", "d.fr", "e.fr"] {
            let new = body(&path, "admin", "maildomain", domain);
            let (one, two) = tokio::join!(
                admin(&daemon, "POST", "/admin/grants", new.clone()),
                admin(&other, "POST", "/admin/grants", new.clone())
            );
            let mut statuses = [one.0, two.0];
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 409]);
        }
    }

    async fn a_grant_that_was_tampered_with_is_found_and_made_anew_from_the_log(world: World) {
        // E1
        let mut world = world;
        let daemon = serve(&mut world).await;
        let path = group(&daemon, "Editors").await;
        for domain in ["a.fr", "b.fr", "c.fr"] {
            grant(&daemon, &path, "admin", domain).await;
        }
        let gone = grant(&daemon, &path, "read", "a.fr").await;
        assert_eq!(admin(&daemon, "DELETE", &format!("/admin/grants/{gone}"), Value::Null).await.0, 204);
        assert_eq!(daemon.terminate().await, 0);
        assert_eq!(world.run(&["verify"]).await.code, 0);
        for tampering in [
            "UPDATE access_grant SET permission = 'owner' WHERE resource_id = 'a.fr'",
            "DELETE FROM access_grant WHERE resource_id = 'b.fr'",
        ] {
            assert_eq!(world.database.try_execute(tampering).await.expect("done"), 1);
            let verified = world.run(&["verify"]).await;
            assert!(verified.code == 1 && format!("{verified:?}").contains("access_grant"), "{verified:?}");
            assert_eq!(world.run(&["rebuild"]).await.code, 0);
            assert_eq!(world.run(&["verify"]).await.code, 0);
            assert_eq!(world.count("SELECT count(*) FROM access_grant WHERE permission = 'admin'").await, 3);
        }
    }

    async fn the_command_line_does_the_same_without_a_daemon(world: World) {
        // M2, M5, M10, M11, M12
        let run = async |arguments: &[&str]| world.run(arguments).await;
        world.org().add_member(GOOGLE_GROUP, ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        assert_eq!(run(&["group", "create", "Editors"]).await.code, 0);
        assert_eq!(run(&["group", "add-member", "Editors", ANN]).await.code, 0);
        let made = run(&["grant", "create", "Editors", "admin", "maildomain", "Commune-A.FR"]).await;
        assert_eq!((made.code, made.stdout.trim().len()), (0, 36), "{made:?}");
        assert_eq!(run(&["grant", "create", GOOGLE_GROUP, "read", "maildomain", "b.fr"]).await.code, 0);
        for (arguments, told) in [
            (&["grant", "create", "Editors", "admin", "maildomain", "commune-a.fr"][..], "already"),
            (&["grant", "create", "Nobody", "admin", "maildomain", "a.fr"], "no such group"),
            (&["grant", "create", "Editors", "admin", "unicorn", "a.fr"], "no such resource type"),
            (&["grant", "create", "Editors", "can read", "maildomain", "a.fr"], "a permission must be"),
            (&["grant", "create", "Editors", "admin", "maildomain", "not a domain"], "domain name"),
            (&["grant", "list", "--resource-type", "unicorn"], "no such resource type"),
            (&["grant", "list", "--resource-id", "a.fr"], "--resource-type"),
            (&["grant", "delete", "x"], "x"),
            (&["grant", "delete", "0198a000-0000-7000-8000-000000000001"], "no such grant"),
            (&["user", "access", "nobody@example.org"], "no such user"),
        ] {
            let refused = run(arguments).await;
            assert!(refused.code == 2 && refused.stderr.contains(told), "{arguments:?}: {refused:?}");
        }
        let listed = run(&["grant", "list", "--group", "Editors", "--output", "json"]).await.json();
        assert_eq!((listed.as_array().map(Vec::len), &listed[0]["resource_id"]), (Some(1), &json!("commune-a.fr")));
        let listed = run(&["grant", "list", "--resource-type", "maildomain", "--resource-id", "B.fr"]).await;
        assert!(listed.stdout.contains("maildomain:b.fr") && !listed.stdout.contains("commune-a.fr"), "{listed:?}");
        let types = run(&["grant", "resource-types", "--output", "json"]).await.json();
        assert_eq!(types[0]["key"], "maildomain");
        assert!(run(&["grant", "resource-types"]).await.stdout.contains("Mail domain"));

        let access = run(&["user", "access", ANN, "--output", "json"]).await.json();
        let has: Vec<Value> = access["access"].as_array().expect("access").iter().map(|row| {
            json!([row["resource_id"], row["permission"], row["group"], row["by"], row["sources"]])
        }).collect();
        let expected = [
            json!(["b.fr", "read", GOOGLE_GROUP, "grant", ["google_sync"]]),
            json!(["commune-a.fr", "admin", "Editors", "grant", ["admin"]]),
        ];
        assert_eq!((has, &access["status"]), (expected.to_vec(), &json!("active")));
        let told = run(&["user", "access", ANN]).await.stdout;
        assert!(told.contains("maildomain:commune-a.fr") && told.contains("Editors"), "{told}");

        assert_eq!(run(&["grant", "delete", made.stdout.trim()]).await.code, 0);
        let by_operator: Vec<String> =
            events_after(&world, 0).await.into_iter().filter(|(_, actor)| actor == "operator").map(|(told, _)| told).collect();
        assert_eq!(by_operator, ["group.created", "membership.changed", "grant.created", "grant.created", "grant.deleted"]);
    }
}
