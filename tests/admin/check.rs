//! Applications ask who may do what: the answer, by what, at which position, and at which price.

use std::time::Duration;

use entitled::access::{Asker, AtLeast};
use entitled::store::check_sql;
use entitled_model::Permission;
use entitled_model::access::{Question, ResourceRef, UserRef};
use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, check, grant, group, group_of, head, id_of, path_of, send, serve, user};
use crate::on_both_stores;
use crate::support::SIRET;
use crate::support::filled::{explained, fill};

const ALIAS: &str = "a.nn@example.org";
const GOOGLE_GROUP: &str = "grp_acme_a@example.com";

fn question(user: &str) -> Question {
    Question {
        user: UserRef::parse(user).expect("a name"),
        permission: Permission::parse("admin").expect("a permission"),
        resource: ResourceRef::parse("maildomain", "a.fr").expect("a resource"),
    }
}

/// No table is read but by the key that the question gives.
fn by_keys(plan: &[String]) {
    let scans = |line: &&String| {
        let tables = ["membership", "access_grant", "user_group", "user_account", "user_profile", "directory_address"];
        // SQLite tells by the alias.
        let aliases = ["SCAN m", "SCAN a", "SCAN f", "SCAN g", "SCAN u", "SCAN k", "SCAN e", "SCAN b", "SCAN d"];
        tables.iter().any(|table| line.contains(&format!("Seq Scan on {table}")))
            || aliases.iter().any(|alias| line.trim() == *alias || line.trim().starts_with(&format!("{alias} ")))
    };
    let scans: Vec<&String> = plan.iter().filter(scans).collect();
    let told = plan.join("\n");
    assert!(scans.is_empty(), "{scans:#?} in {told}");
    for [postgres, sqlite] in [
        ["membership_pk", "sqlite_autoindex_membership_1 (group_id=? AND user_id=?)"],
        ["access_grant_once", "sqlite_autoindex_access_grant_2 (resource_type=? AND resource_id=? AND permission=?)"],
        ["user_group_by_facet", "user_group_by_facet (resource_type=? AND resource_id=?)"],
    ] {
        assert!(told.contains(postgres) || told.contains(sqlite), "{told}");
    }
    // By these, a check would grow with what the user is in, with what the groups have, or with the store.
    for other in ["membership_open", "membership_by_user", "access_grant_by_group"] {
        assert!(!told.contains(other), "{told}");
    }
}

on_both_stores! {
    async fn an_answer_names_who_was_meant_and_by_what_it_is_allowed(world: World) {
        // M10, S19
        let mut world = world;
        world.org().add_member(GOOGLE_GROUP, ANN).add_alias(ANN, ALIAS).set_domains(ANN, SIRET, ["commune-a.fr"]);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let (_, login) = daemon.login(&json!({"sub": "Sub-Ann", "email": ANN, "claims": {"siret": SIRET}})).await;
        let ann = login["user"]["id"].as_str().expect("an id").to_owned();
        let bob = user(&daemon, BOB).await;
        let google = path_of(&daemon, GOOGLE_GROUP).await;
        let granted = grant(&daemon, &google, "admin", "a.fr").await;
        let expected = json!({"allowed": true, "reason": null, "user_id": ann, "position": head(&world).await, "paths": [
            {"group_id": id_of(&google), "group": GOOGLE_GROUP, "by": "grant", "grant_id": granted, "sources": ["google_sync"]}]});
        for name in [&ann[..], ANN, " Ann@Example.ORG ", ALIAS, "Sub-Ann"] {
            assert_eq!(check(&daemon, name, " admin ", " A.FR ").await, expected, "{name}");
        }
        // The resource's own group gives that permission, on that resource, and no other.
        let facet = check(&daemon, ANN, "admin", "commune-a.fr").await;
        assert_eq!((&facet["allowed"], &facet["paths"][0]["by"]), (&json!(true), &json!("facet")));
        assert_eq!(facet["paths"][0]["sources"], json!(["deploycenter"]));
        for (user, permission, domain, reason) in [
            (ANN, "read", "commune-a.fr", "no_access"),
            (ANN, "admin", "b.fr", "no_access"),
            (BOB, "admin", "a.fr", "no_access"),
            ("nobody@example.org", "admin", "a.fr", "unknown_user"),
            ("sub-ann", "admin", "a.fr", "unknown_user"),
            ("0198a000-0000-7000-8000-000000000001", "admin", "a.fr", "unknown_user"),
        ] {
            let denied = check(&daemon, user, permission, domain).await;
            assert_eq!((&denied["allowed"], &denied["reason"]), (&json!(false), &json!(reason)), "{user} {permission} {domain}");
            assert_eq!(denied["paths"], json!([]));
        }
        let body = json!({"user": ANN, "permission": "admin", "resource": {"type": "unicorn", "id": "a.fr"}});
        let (_, denied) = ask(&daemon, "POST", "/check", Some("check-key"), Some(body)).await;
        assert_eq!(denied["reason"], "unknown_resource_type");
        // Two sources, and two grants: all are told.
        let editors = group_of(&daemon, "Editors", &ann).await;
        grant(&daemon, &editors, "admin", "a.fr").await;
        let both = check(&daemon, ANN, "admin", "a.fr").await;
        assert_eq!(both["paths"].as_array().map(Vec::len), Some(2), "{both}");
        // As soon as the reason is gone, so is the access.
        assert_eq!(admin(&daemon, "DELETE", &format!("{editors}/members/{ann}"), Value::Null).await.0, 204);
        assert_eq!(admin(&daemon, "DELETE", &format!("/admin/grants/{granted}"), Value::Null).await.0, 204);
        assert_eq!(check(&daemon, ANN, "admin", "a.fr").await["allowed"], false);
        assert_eq!(check(&daemon, &bob, "admin", "a.fr").await["allowed"], false);
    }

    async fn many_questions_are_answered_in_their_order_at_one_position(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, _) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        let editors = group_of(&daemon, "Editors", &ann).await;
        grant(&daemon, &editors, "admin", "a.fr").await;
        grant(&daemon, &editors, "read", "b.fr").await;
        let one = |user: &str, permission: &str, domain: &str| {
            json!({"user": user, "permission": permission, "resource": {"type": "maildomain", "id": domain}})
        };
        let checks = json!([one(ANN, "admin", "a.fr"), one(BOB, "admin", "a.fr"), one(&ann, "read", "b.fr"), one(ANN, "admin", "b.fr"),
            one("nobody", "read", "b.fr")]);
        let (status, batch) = ask(&daemon, "POST", "/check/batch", Some("check-key"), Some(json!({"checks": checks}))).await;
        assert_eq!((status, &batch["position"]), (200, &json!(head(&world).await)), "{batch}");
        for (question, answer) in checks.as_array().expect("questions").iter().zip(batch["answers"].as_array().expect("answers")) {
            let (_, mut alone) = ask(&daemon, "POST", "/check", Some("check-key"), Some(question.clone())).await;
            alone.as_object_mut().expect("an object").remove("position");
            assert_eq!(answer, &alone, "{question}");
        }
        let allowed: Vec<&Value> = batch["answers"].as_array().expect("answers").iter().map(|answer| &answer["allowed"]).collect();
        assert_eq!(allowed, [true, false, true, false, false]);
        let too_many = json!({"checks": vec![one("a", "b", "a.fr"); 1_001]});
        let (status, problem) = ask(&daemon, "POST", "/check/batch", Some("check-key"), Some(too_many)).await;
        assert!(status == 413 || (status == 400 && problem["field"] == "checks"), "{problem}");
    }

    async fn an_answer_waits_for_the_position_that_the_caller_has_seen(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let editors = group_of(&daemon, "Editors", &ann).await;
        let now = head(&world).await;
        let body = |min: i64, wait: u64| {
            Some(json!({"user": ANN, "permission": "admin", "resource": {"type": "maildomain", "id": "a.fr"},
                "min_position": min, "wait_ms": wait}))
        };
        let ask_for = async |min, wait| ask(&daemon, "POST", "/check", Some("check-key"), body(min, wait)).await;
        let (status, answer) = ask_for(now, 0).await;
        assert_eq!((status, &answer["position"], &answer["allowed"]), (200, &json!(now), &json!(false)));
        let (status, problem) = ask_for(now + 1, 50).await;
        assert_eq!((status, &problem["code"], &problem["field"]), (503, &json!("position_not_reached"), &json!("min_position")));
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&now.to_string())), "{problem}");
        // The grant comes while the question waits for it.
        let later = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            grant(&daemon, &editors, "admin", "a.fr").await
        };
        let ((status, answer), _) = tokio::join!(ask_for(now + 1, 10_000), later);
        assert_eq!((status, &answer["allowed"], &answer["position"]), (200, &json!(true), &json!(now + 1)), "{answer}");
        for (min, wait, field) in [(-1, 0, "min_position"), (0, 10_001, "wait_ms")] {
            let (status, problem) = ask_for(min, wait).await;
            assert_eq!((status, &problem["field"]), (400, &json!(field)));
        }
        let path = format!("/admin/users/{ann}/effective-access?min_position={}&wait_ms=20", now + 9);
        let (status, problem) = ask(&daemon, "GET", &path, Some("read-key"), None).await;
        assert_eq!((status, &problem["code"]), (503, &json!("position_not_reached")));
    }

    async fn an_application_that_may_only_ask_learns_nothing_else(world: World) {
        // P4
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let question = json!({"user": ANN, "permission": "admin", "resource": {"type": "maildomain", "id": "a.fr"}});
        let evaluation = json!({"subject": {"type": "user", "id": ANN}, "action": {"name": "admin"},
            "resource": {"type": "maildomain", "id": "a.fr"}});
        let batch = json!({"checks": [question]});
        for (path, body) in [
            ("/api/v1/check", &question),
            ("/api/v1/check/batch", &batch),
            ("/access/v1/evaluation", &evaluation),
            ("/access/v1/evaluations", &evaluation),
        ] {
            for (key, status) in [
                (Some("check-key"), 200), (Some("read-key"), 200), (Some("admin-key"), 200), (Some("login-key"), 403), (Some("x"), 401), (None, 401),
            ] {
                let answered = send(&daemon, "POST", path, key, Some(body.to_string())).await;
                assert_eq!(answered.0, status, "{path} {key:?}: {}", answered.1);
            }
        }
        for path in ["/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"] {
            assert_eq!(send(&daemon, "POST", path, Some("check-key"), Some(evaluation.to_string())).await.0, 403);
            assert_eq!(send(&daemon, "POST", path, Some("read-key"), Some(evaluation.to_string())).await.0, 200);
        }
        for path in [
            "/admin/grants".to_owned(), "/admin/resource-types".to_owned(), "/admin/access-overview".to_owned(),
            format!("/admin/users/{ann}/effective-access"), format!("/admin/users/{ann}/memberships"),
        ] {
            for (key, status) in [(Some("check-key"), 403), (Some("read-key"), 200), (None, 401)] {
                assert_eq!(ask(&daemon, "GET", &path, key, None).await.0, status, "{path} {key:?}");
            }
        }
    }

    async fn a_question_costs_one_statement_that_goes_by_keys_alone(world: World) {
        // Issue 6: a check does not grow with the store.
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let editors = group_of(&daemon, "Editors", &ann).await;
        grant(&daemon, &editors, "admin", "a.fr").await;
        let store = world.store().await;
        let asker = Asker::new(store.clone());
        let cost = async |questions: &[Question]| {
            let before = store.statements();
            let seen = asker.check(questions, AtLeast::default()).await.expect("answers");
            assert!(seen.found.iter().all(|verdict| verdict.denial.is_none()));
            store.statements() - before
        };
        assert_eq!(cost(&[question(ANN)]).await, 1);
        assert_eq!(cost(&[question(ANN), question(&ann), question(ANN)]).await, 1);
        // Those who ask at the same time share it: the first goes alone, and whoever asks meanwhile goes together.
        let before = store.statements();
        let one = [question(ANN)];
        let all = futures_util::future::join_all((0..50).map(|_| asker.check(&one, AtLeast::default()))).await;
        assert!(all.into_iter().all(|seen| seen.expect("an answer").found[0].denial.is_none()));
        let statements = store.statements() - before;
        assert!(statements < 25, "{statements} statements for 50 questions");
        store.close().await.expect("closed");
        assert_eq!(daemon.terminate().await, 0);
        fill(&mut world, "admin").await;
        // Before PostgreSQL has ever looked at what is there, as after a first import; and after.
        by_keys(&explained(&world, &check_sql(), "(uuid, text, text, text, text, text)").await);
        world.database.execute("ANALYZE").await;
        by_keys(&explained(&world, &check_sql(), "(uuid, text, text, text, text, text)").await);
    }

    async fn a_group_that_is_gone_gives_nothing_and_its_name_gives_nothing_to_the_next(world: World) {
        // M2
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let editors = group_of(&daemon, "Editors", &ann).await;
        grant(&daemon, &editors, "admin", "a.fr").await;
        assert_eq!(admin(&daemon, "DELETE", &editors, Value::Null).await.0, 204);
        group_of(&daemon, "Editors", &ann).await;
        assert_eq!(check(&daemon, ANN, "admin", "a.fr").await["reason"], "no_access");
        let empty = group(&daemon, "Empty").await;
        grant(&daemon, &empty, "admin", "a.fr").await;
        assert_eq!(check(&daemon, ANN, "admin", "a.fr").await["reason"], "no_access", "a grant is its members'");
    }
}
