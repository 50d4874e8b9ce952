//! Features that are switched off: creating resources, and giving access to them, by hand.

use entitled_model::resource::RESOURCE_TYPES;
use serde_json::{Value, json};

use crate::hand::{ANN, admin, ask, events_after, group, head, path_of, serve, user};
use crate::on_both_stores;
use crate::support::SIRET;

const OFF: &str = "\n[features]\nmaildomain_create = false\nmaildomain_manage_access = false\n";
const DOMAIN_GROUP: &str = "maildomain:commune-a.fr:admin";

on_both_stores! {
    async fn what_is_on_is_told_to_whoever_has_a_key(world: World) {
        // P5
        let mut world = world;
        let daemon = serve(&mut world).await;
        let (status, told) = ask(&daemon, "GET", "/config", Some("read-key"), None).await;
        let features = RESOURCE_TYPES.iter().flat_map(|kind| [kind.create_feature, kind.access_feature]);
        let all_on = Value::Object(features.map(|feature| (feature.to_owned(), Value::Bool(true))).collect());
        assert_eq!((status, &told["features"]), (200, &all_on));
        assert_eq!(ask(&daemon, "GET", "/config", None, None).await.0, 401);
        assert_eq!(daemon.terminate().await, 0);
        world.configure_also(OFF);
        let daemon = serve(&mut world).await;
        let (_, told) = ask(&daemon, "GET", "/config", Some("login-key"), None).await;
        for feature in ["maildomain_create", "maildomain_manage_access"] {
            assert_eq!(told["features"][feature], false);
        }
    }

    async fn a_domain_is_made_by_hand_and_entitlements_to_it_take_effect(world: World) {
        // P5, D6
        let mut world = world;
        world.environment.push(("PROVISIONING_KEY".to_owned(), "provisioning-key".to_owned()));
        world.configure_also(
            "\n[[http.keys]]\nname = \"deploycenter\"\nsecret = { env = \"PROVISIONING_KEY\" }\nscopes = [\"provision:maildomain\"]\n",
        );
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let daemon = serve(&mut world).await;
        let login = json!({"email": ANN, "claims": {"siret": SIRET}});
        let (_, answer) = daemon.login(&login).await;
        assert_eq!(answer["groups"], json!([]));
        let before = head(&world).await;
        let new = json!({"id": " Commune-A.fr", "attributes": {"siret": SIRET}});
        let (status, made) = admin(&daemon, "POST", "/admin/resources/maildomains", new.clone()).await;
        let expected = json!({"resource_type": "maildomain", "id": "commune-a.fr", "attributes": {"siret": SIRET}});
        assert_eq!((status, made), (201, expected));
        let told: Vec<String> = events_after(&world, before).await.into_iter().map(|(told, _)| told).collect();
        assert_eq!(told, ["resource.provisioned", "group.created", "membership.changed"]);
        assert_eq!(world.members(DOMAIN_GROUP, "deploycenter").await, [ANN]);
        assert_eq!(admin(&daemon, "POST", "/admin/resources/maildomain", new).await.0, 409);
        for (path, body, status) in [
            ("/admin/resources/maildomain", json!({"id": "INVALID DOMAIN!"}), 400),
            ("/admin/resources/maildomain", json!({"id": ""}), 400),
            ("/admin/resources/maildomain", json!({}), 400),
            ("/admin/resources/maildomain", json!({"id": "b.fr", "attributes": {"x": "\u{0}"}}), 400),
            ("/admin/resources/unicorns", json!({"id": "b.fr"}), 404),
        ] {
            assert_eq!(admin(&daemon, "POST", path, body.clone()).await.0, status, "{path} {body}");
        }
    }

    async fn with_the_features_off_neither_is_done_by_hand_and_sources_go_on(world: World) {
        // P5
        let mut world = world;
        world.configure_also(OFF);
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let daemon = serve(&mut world).await;
        let login = json!({"email": ANN, "claims": {"siret": SIRET}});
        let (_, answer) = daemon.login(&login).await;
        assert_eq!(answer["groups"][0]["group"], DOMAIN_GROUP, "what a source decides is not concerned");
        let before = head(&world).await;
        let (status, problem) = admin(&daemon, "POST", "/admin/resources/maildomain", json!({"id": "b.fr"})).await;
        assert_eq!((status, &problem["code"]), (403, &json!("feature_off")), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("maildomain_create")), "{problem}");
        let (path, ann) = (path_of(&daemon, DOMAIN_GROUP).await, user(&daemon, ANN).await);
        for (method, path, body) in [
            ("POST", format!("{path}/members"), json!({"user_id": ann})),
            ("DELETE", format!("{path}/members/{ann}"), Value::Null),
        ] {
            let (status, problem) = admin(&daemon, method, &path, body).await;
            assert_eq!((status, &problem["code"]), (403, &json!("feature_off")), "{problem}");
        }
        assert_eq!(head(&world).await, before);
        let editors = group(&daemon, "Editors").await;
        assert_eq!(admin(&daemon, "POST", &format!("{editors}/members"), json!({"user_id": ann})).await.0, 201);
    }
}
