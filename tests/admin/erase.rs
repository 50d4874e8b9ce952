//! Somebody is erased over HTTP: by whom, with what reason, and what is left of them.

use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, events_after, group_of, head, serve, user};
use crate::on_both_stores;
use crate::support::{Kind, SIRET};
use crate::tokens::{promote, token};

const REASON: &str = "asked for on 12 March";

on_both_stores! {
    async fn what_is_personal_goes_and_the_id_stays(world: World) {
        // M12, E1
        let mut world = world;
        let daemon = serve(&mut world).await;
        let login = json!({"email": ANN, "sub": "sub-ann", "claims": {"siret": SIRET}});
        let ann = daemon.login(&login).await.1["user"]["id"].as_str().expect("an id").to_owned();
        group_of(&daemon, "Editors", &ann).await;
        let (_, secret) = token(&daemon, json!({"owner": ann})).await;
        assert_eq!(ask(&daemon, "GET", "/me/tokens", Some(&secret), None).await.0, 200);
        let before = head(&world).await;
        let path = format!("/admin/users/{ann}");
        let request = reqwest::Client::new().post(format!("{}/api/v1{path}/erase", daemon.base)).bearer_auth("admin-key");
        let request = request.header("idempotency-key", "once").body(json!({"reason": REASON}).to_string());
        let answer = request.send().await.expect("an answer");
        let left = json!({"id": ann, "sub": null, "email": null, "status": "deactivated"});
        assert_eq!((answer.status().as_u16(), answer.json::<Value>().await.expect("JSON")), (200, left));
        let told = events_after(&world, before).await;
        let by_office = |event: &str| (event.to_owned(), "key:office".to_owned());
        assert_eq!(told, [by_office("membership.changed"), by_office("user.erased")]);
        let (_, shown) = admin(&daemon, "GET", &path, Value::Null).await;
        assert_eq!((&shown["email"], &shown["claims"]), (&Value::Null, &json!({})));
        assert_eq!(ask(&daemon, "GET", "/me/tokens", Some(&secret), None).await.0, 401);
        let (_, audit) = admin(&daemon, "GET", "/audit?action=user.erased", Value::Null).await;
        assert_eq!(audit["events"][0]["payload"]["reason"], REASON);
        assert_eq!(world.count("SELECT count(*) FROM idempotency_key").await, 0, "no answer of before is kept, nor this one");
        assert_eq!(daemon.terminate().await, 0);
        if world.database.kind() == Kind::Sqlite {
            let file = world.database.url().trim_start_matches("sqlite://").split('?').next().expect("a path").to_owned();
            for file in [file.clone(), format!("{file}-wal")] {
                let bytes = std::fs::read(file).unwrap_or_default();
                assert!(!bytes.windows(ANN.len()).any(|window| window == ANN.as_bytes()), "it is still in the file");
            }
        }
    }

    async fn nobody_erases_somebody_above_them_and_the_last_administrator_stays(world: World) {
        // M6, R2
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        let carol = user(&daemon, "carol@example.org").await;
        promote(&daemon, &ann).await;
        for (user, role) in [(&bob, "manage"), (&carol, "viewer")] {
            assert_eq!(admin(&daemon, "POST", "/admin/roles", json!({"user_id": user, "role": role})).await.0, 200);
        }
        let (_, managing) = token(&daemon, json!({"owner": bob, "scopes": ["admin"]})).await;
        let (_, looking) = token(&daemon, json!({"owner": bob, "scopes": ["read"]})).await;
        let (_, viewing) = token(&daemon, json!({"owner": carol, "scopes": ["admin"]})).await;
        let before = head(&world).await;
        let erase = async |who: Option<&str>, user: &str| {
            let (status, answer) = ask(&daemon, "POST", &format!("/admin/users/{user}/erase"), who, Some(json!({"reason": REASON}))).await;
            (status, answer["code"].as_str().unwrap_or_default().to_owned())
        };
        let refused = |status: u16, code: &str| (status, code.to_owned());
        assert_eq!(erase(Some(&managing), &ann).await, refused(403, "above_own_role"));
        assert_eq!(erase(Some("admin-key"), &ann).await, refused(409, "last_administrator"));
        for (who, status) in [
            (None, 401), (Some("read-key"), 403), (Some("check-key"), 403), (Some("login-key"), 403),
            (Some(looking.as_str()), 403), (Some(viewing.as_str()), 403),
        ] {
            assert_eq!(erase(who, &carol).await.0, status, "{who:?}");
        }
        assert_eq!(head(&world).await, before);
        assert_eq!(erase(Some(&managing), &carol).await.0, 200);
        assert_eq!(events_after(&world, before).await, [("user.erased".to_owned(), format!("user:{bob}"))]);
    }

    async fn without_a_reason_nobody_is_erased(world: World) {
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let before = head(&world).await;
        for (body, field) in [
            (json!({}), None), (json!({"reason": ""}), Some("reason")), (json!({"reason": " "}), Some("reason")),
            (json!({"reason": "a\nb"}), Some("reason")), (json!({"reason": "a\u{0}b"}), Some("reason")),
            (json!({"reason": "x".repeat(10_000)}), Some("reason")), (json!({"reason": null}), None), (json!({"reason": 7}), None),
            (json!({"reason": ["x"]}), None), (json!({"reason": REASON, "user": ann}), None), (json!([REASON]), None), (json!(REASON), None),
        ] {
            let (status, problem) = admin(&daemon, "POST", &format!("/admin/users/{ann}/erase"), body.clone()).await;
            assert_eq!((status, problem["field"].as_str()), (400, field), "{body}: {problem}");
        }
        for unknown in ["0198a000-0000-7000-8000-000000000001", "x", ANN, "%00"] {
            let (status, problem) = admin(&daemon, "POST", &format!("/admin/users/{unknown}/erase"), json!({"reason": REASON})).await;
            assert_eq!(status, 404, "{unknown}: {problem}");
        }
        assert_eq!(head(&world).await, before);
        assert_eq!(world.user(ANN).await["email"], ANN);
    }
}
