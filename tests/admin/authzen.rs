//! The OpenID AuthZEN Authorization API 1.0, in the words of that standard.

use std::time::Duration;

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, grant, group_of, head, send, serve, user};
use crate::on_both_stores;
use crate::support::Daemon;

async fn post(daemon: &Daemon, path: &str, body: &Value) -> Value {
    let (status, answer) = send(daemon, "POST", path, Some("read-key"), Some(body.to_string())).await;
    assert_eq!(status, 200, "{body}: {answer}");
    answer
}

fn tuple(user: &str, action: &str, domain: &str) -> Value {
    json!({"subject": {"type": "user", "id": user}, "action": {"name": action}, "resource": {"type": "maildomain", "id": domain}})
}

/// Ann may administer a.fr and read b.fr.
async fn furnished(world: &mut crate::support::World) -> Daemon {
    let daemon = serve(world).await;
    let ann = user(&daemon, ANN).await;
    let editors = group_of(&daemon, "Editors", &ann).await;
    grant(&daemon, &editors, "admin", "a.fr").await;
    grant(&daemon, &editors, "read", "b.fr").await;
    daemon
}

on_both_stores! {
    async fn an_evaluation_is_a_decision_with_its_position(world: World) {
        let mut world = world;
        let daemon = furnished(&mut world).await;
        let permitted = post(&daemon, "/access/v1/evaluation", &tuple(ANN, "admin", "a.fr")).await;
        assert_eq!((&permitted["decision"], &permitted["context"]["position"]), (&json!(true), &json!(head(&world).await)));
        assert_eq!((&permitted["context"]["paths"][0]["group"], &permitted["context"]["reason"]), (&json!("Editors"), &Value::Null));
        // What the standard lets be said beside is passed over.
        let mut more = tuple(ANN, "admin", "a.fr");
        more["subject"]["properties"] = json!({"department": "Sales", "ip_address": "172.217.22.14"});
        more["action"]["properties"] = json!({"method": "GET"});
        more["resource"]["properties"] = json!({"library_record": {"isbn": "978-0593383322"}});
        more["context"] = json!({"time": "1985-10-26T01:22-07:00"});
        more["extension"] = json!([1, 2]);
        assert_eq!(post(&daemon, "/access/v1/evaluation", &more).await, permitted);
        let mut other_type = tuple(ANN, "admin", "a.fr");
        other_type["subject"]["type"] = json!("robot");
        let mut unicorn = tuple(ANN, "admin", "a.fr");
        unicorn["resource"]["type"] = json!("unicorn");
        for (body, reason) in [
            (tuple(ANN, "read", "a.fr"), "no_access"),
            (tuple("nobody@example.org", "admin", "a.fr"), "unknown_user"),
            (tuple(&"x".repeat(300), "admin", "a.fr"), "unknown_user"),
            (tuple(ANN, "GET /a", "a.fr"), "unknown_action"),
            (tuple(ANN, "admin", "not a domain"), "unknown_resource"),
            (other_type, "unknown_subject_type"),
            (unicorn, "unknown_resource_type"),
        ] {
            let denied = post(&daemon, "/access/v1/evaluation", &body).await;
            let expected = json!({"decision": false, "context": {"position": head(&world).await, "reason": reason}});
            assert_eq!(denied, expected, "{body}");
        }
    }

    async fn evaluations_have_defaults_and_end_where_the_semantic_says(world: World) {
        let mut world = world;
        let daemon = furnished(&mut world).await;
        let decisions = |answer: &Value| -> Vec<bool> {
            let evaluations = answer["evaluations"].as_array().unwrap_or_else(|| panic!("no list: {answer}")).iter();
            evaluations.map(|one| one["decision"].as_bool().expect("a decision")).collect()
        };
        let mut body = json!({
            "subject": {"type": "user", "id": ANN}, "action": {"name": "admin"},
            "evaluations": [
                {"resource": {"type": "maildomain", "id": "a.fr"}},
                {"resource": {"type": "maildomain", "id": "b.fr"}},
                {"resource": {"type": "maildomain", "id": "b.fr"}, "action": {"name": "read"}},
                {"resource": {"type": "maildomain", "id": "a.fr"}, "subject": {"type": "user", "id": BOB}},
            ],
        });
        let all = post(&daemon, "/access/v1/evaluations", &body).await;
        assert_eq!((decisions(&all), &all["decision"]), (vec![true, false, true, false], &Value::Null));
        for (semantic, expected) in [
            ("execute_all", vec![true, false, true, false]),
            ("deny_on_first_deny", vec![true, false]),
            ("permit_on_first_permit", vec![true]),
        ] {
            body["options"] = json!({"evaluations_semantic": semantic, "another_option": "value"});
            assert_eq!(decisions(&post(&daemon, "/access/v1/evaluations", &body).await), expected, "{semantic}");
        }
        body["options"] = json!({"evaluations_semantic": "as_you_like"});
        assert_eq!(send(&daemon, "POST", "/access/v1/evaluations", Some("read-key"), Some(body.to_string())).await.0, 400);
        // Without a list, or with an empty one, it is one evaluation.
        let mut single = tuple(ANN, "admin", "a.fr");
        let alone = post(&daemon, "/access/v1/evaluation", &single).await;
        assert_eq!(post(&daemon, "/access/v1/evaluations", &single).await, alone);
        single["evaluations"] = json!([]);
        assert_eq!(post(&daemon, "/access/v1/evaluations", &single).await, alone);
    }

    async fn searches_go_page_by_page_and_what_they_find_is_permitted(world: World) {
        let mut world = world;
        let daemon = furnished(&mut world).await;
        let (ann, mut everybody) = (user(&daemon, ANN).await, vec![user(&daemon, ANN).await]);
        let writers = group_of(&daemon, "Writers", &ann).await;
        for n in 0..4 {
            let more = user(&daemon, &format!("user-{n}@example.org")).await;
            let (status, _) = crate::hand::admin(&daemon, "POST", &format!("{writers}/members"), json!({"user_id": more})).await;
            assert_eq!(status, 201);
            everybody.push(more);
        }
        for domain in ["a.fr", "c.fr", "d.fr", "e.fr"] {
            grant(&daemon, &writers, "admin", domain).await;
        }
        let mut domains: Vec<String> = ["a.fr", "c.fr", "d.fr", "e.fr"].map(str::to_owned).to_vec();
        everybody.sort();
        domains.sort();
        let mut subjects = tuple("is ignored", "admin", "a.fr");
        let mut resources = tuple(ANN, "admin", "x");
        resources["resource"] = json!({"type": "maildomain"});
        for (path, body, kind, expected) in [
            ("/access/v1/search/subject", &mut subjects, "user", everybody),
            ("/access/v1/search/resource", &mut resources, "maildomain", domains),
        ] {
            let mut found: Vec<String> = Vec::new();
            body["page"] = json!({"limit": 2});
            let stale = loop {
                let page = post(&daemon, path, body).await;
                let results = page["results"].as_array().expect("results");
                assert_eq!((page["page"]["count"].as_u64(), &page["context"]["position"]), (Some(results.len() as u64), &json!(head(&world).await)));
                for result in results {
                    assert_eq!(result["type"], kind);
                    let id = result["id"].as_str().expect("an id");
                    found.push(id.to_owned());
                    let evaluation = if kind == "user" { tuple(id, "admin", "a.fr") } else { tuple(ANN, "admin", id) };
                    assert_eq!(post(&daemon, "/access/v1/evaluation", &evaluation).await["decision"], true, "{evaluation}");
                }
                let next = page["page"]["next_token"].as_str().expect("a token").to_owned();
                if next.is_empty() {
                    break body["page"]["token"].as_str().expect("a token").to_owned();
                }
                body["page"] = json!({"limit": 2, "token": next});
            };
            assert_eq!(found, expected);
            body["page"] = json!({});
            assert_eq!(post(&daemon, path, body).await["results"].as_array().map(Vec::len), Some(expected.len()));
            body["page"] = json!({"limit": 0});
            let empty = post(&daemon, path, body).await;
            assert_eq!((&empty["results"], empty["page"]["next_token"] == ""), (&json!([]), false));
            // A token is of its own query.
            body["action"] = json!({"name": "read"});
            for token in [&stale, "x", "0123456789abcdef.x"] {
                body["page"] = json!({ "token": token });
                let (status, problem) = send(&daemon, "POST", path, Some("read-key"), Some(body.to_string())).await;
                assert_eq!((status, &problem["field"]), (400, &json!("page")), "{token}");
            }
        }
        for (path, body) in [
            ("/access/v1/search/subject", json!({"subject": {"type": "robot"}, "action": {"name": "admin"}, "resource": {"type": "maildomain", "id": "a.fr"}})),
            ("/access/v1/search/subject", tuple("x", "GET", "a.fr")),
            ("/access/v1/search/subject", tuple("x", "admin", "not a domain")),
            ("/access/v1/search/resource", tuple("nobody@example.org", "admin", "a.fr")),
        ] {
            let page = post(&daemon, path, &body).await;
            assert_eq!((&page["results"], &page["page"]["next_token"]), (&json!([]), &json!("")), "{body}");
        }
    }

    async fn a_search_for_actions_finds_what_is_permitted_and_nothing_else(world: World) {
        let mut world = world;
        let daemon = furnished(&mut world).await;
        let path = "/access/v1/search/action";
        let writers = group_of(&daemon, "Writers", &user(&daemon, ANN).await).await;
        for (permission, domain) in [("read", "e.fr"), ("admin", "e.fr"), ("write", "e.fr"), ("delete", "f.fr")] {
            grant(&daemon, &writers, permission, domain).await;
        }
        let body = |subject: &str, domain: &str| json!({"subject": {"type": "user", "id": subject}, "resource": {"type": "maildomain", "id": domain}});
        let mut asked = body(ANN, "e.fr");
        asked["page"] = json!({"limit": 2});
        let page = post(&daemon, path, &asked).await;
        assert_eq!((&page["results"], &page["page"]["count"]), (&json!([{"name": "admin"}, {"name": "read"}]), &json!(2)));
        assert_eq!(page["context"]["position"], head(&world).await);
        asked["page"]["token"] = page["page"]["next_token"].clone();
        let rest = post(&daemon, path, &asked).await;
        assert_eq!((&rest["results"], &rest["page"]["next_token"]), (&json!([{"name": "write"}]), &json!("")));
        for (name, decision) in [("admin", true), ("read", true), ("write", true), ("delete", false)] {
            assert_eq!(post(&daemon, "/access/v1/evaluation", &tuple(ANN, name, "e.fr")).await["decision"], decision, "{name}");
        }
        // The token is of its own query.
        asked["resource"]["id"] = json!("f.fr");
        assert_eq!(send(&daemon, "POST", path, Some("read-key"), Some(asked.to_string())).await.0, 400);
        let mut robot = body(ANN, "e.fr");
        robot["subject"]["type"] = json!("robot");
        for nothing in [body("nobody@example.org", "e.fr"), body(ANN, "not a domain"), body(ANN, "none.fr"), robot] {
            let page = post(&daemon, path, &nothing).await;
            assert_eq!((&page["results"], &page["page"]["next_token"]), (&json!([]), &json!("")), "{nothing}");
        }
        // Who is shut out may do nothing.
        let ann = user(&daemon, ANN).await;
        assert_eq!(crate::hand::admin(&daemon, "PATCH", &format!("/admin/users/{ann}"), json!({"status": "deactivated"})).await.0, 200);
        assert_eq!(post(&daemon, path, &body(ANN, "e.fr")).await["results"], json!([]));
    }

    async fn a_context_names_the_position_to_wait_for(world: World) {
        let mut world = world;
        let daemon = furnished(&mut world).await;
        let now = head(&world).await;
        let mut body = tuple(ANN, "admin", "c.fr");
        body["context"] = json!({"min_position": now + 1, "wait_ms": 20});
        let mut listed = json!({"evaluations": [tuple(ANN, "admin", "a.fr"), body.clone()]});
        listed["context"] = json!({"min_position": 1});
        for (path, body) in [
            ("/access/v1/evaluation", &body), ("/access/v1/evaluations", &listed),
            ("/access/v1/search/subject", &body), ("/access/v1/search/resource", &body), ("/access/v1/search/action", &body),
        ] {
            let (status, problem) = send(&daemon, "POST", path, Some("read-key"), Some(body.to_string())).await;
            assert_eq!((status, &problem["code"]), (503, &json!("position_not_reached")), "{path}");
        }
        body["context"] = json!({"min_position": now + 1, "wait_ms": 10_000});
        let later = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let path = crate::hand::path_of(&daemon, "Editors").await;
            grant(&daemon, &path, "admin", "c.fr").await
        };
        let (answer, _) = tokio::join!(post(&daemon, "/access/v1/evaluation", &body), later);
        assert_eq!((&answer["decision"], &answer["context"]["position"]), (&json!(true), &json!(now + 1)));
        for context in [json!({"min_position": -1}), json!({"min_position": "1"}), json!({"min_position": 1.5}), json!({"wait_ms": 10_001}), json!([]), json!("now")] {
            body["context"] = context;
            assert_eq!(send(&daemon, "POST", "/access/v1/evaluation", Some("read-key"), Some(body.to_string())).await.0, 400, "{body}");
        }
    }

    async fn the_metadata_names_the_endpoints_once_the_address_is_known(world: World) {
        let mut world = world;
        let path = "/.well-known/authzen-configuration";
        let daemon = serve(&mut world).await;
        let (status, problem) = send(&daemon, "GET", path, None, None).await;
        assert!(status == 404 && problem["detail"].as_str().is_some_and(|detail| detail.contains("http.public_url")), "{problem}");
        assert_eq!(daemon.terminate().await, 0);
        world.configure("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:0\"\npublic_url = \"https://pdp.example.com/\"");
        let daemon = serve(&mut world).await;
        let (status, metadata) = send(&daemon, "GET", path, None, None).await;
        let expected = json!({
            "policy_decision_point": "https://pdp.example.com",
            "access_evaluation_endpoint": "https://pdp.example.com/access/v1/evaluation",
            "access_evaluations_endpoint": "https://pdp.example.com/access/v1/evaluations",
            "search_subject_endpoint": "https://pdp.example.com/access/v1/search/subject",
            "search_resource_endpoint": "https://pdp.example.com/access/v1/search/resource",
            "search_action_endpoint": "https://pdp.example.com/access/v1/search/action",
        });
        assert_eq!((status, metadata), (200, expected));
    }
}
