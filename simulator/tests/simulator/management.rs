//! The captured exchanges with the management API, replayed in their order: the same status, and the same keys with the
//! same types of values, however deep.

use entitled_simulator::{Fault, Organisation, SimulatorConfig, System, Target};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stage::{SIRET_A as A, Stage};

/// The captures replayed here.
pub const REPLAYED: [u16; 19] = [70, 71, 72, 80, 81, 83, 84, 85, 86, 89, 96, 97, 110, 112, 113, 114, 115, 120, 123];
const B: &str = "21750002400018";
const BOB: &str = "bob@commune-a.fr";

/// Bodies as captured, one row of each list.
mod captured {
    pub const ACCOUNTS: &str = r#"{"count":8,"next":null,"previous":null,"results":[{"id":"12a4b873","email":"carol@commune-a.fr","external_id":"","type":"user","roles":["admin"],"service_links":[{"roles":{"admin":{"scope":{"domains":["ville-a.fr"]}}},"service":{"id":42,"name":"Messages","instance_name":"messages-prod","type":"messages"}}]}]}"#;
    pub const ACCOUNT: &str = r#"{"id":"6d338a2d","email":"new@commune-a.fr","external_id":"","type":"user","roles":["admin"],"service_links":[]}"#;
    pub const SUBSCRIPTION: &str = r#"{"metadata":{"domains":["commune-a.fr"]},"created_at":"2026-11-22T01:56:31.119340Z","updated_at":"2026-11-22T01:56:31.119362Z","is_active":true,"entitlements":[{"id":"4eea85a3","type":"messages_storage","config":{"max_storage":5000000000},"account_type":"mailbox","account":null}]}"#;
    pub const ENTITLEMENTS: &str = r#"{"count":2,"next":null,"previous":null,"results":[{"id":"4eea85a3","type":"messages_storage","config":{"max_storage":5000000000},"account_type":"mailbox","account":null}]}"#;
    pub const SERVICE_LINK: &str = r#"{"roles":{"admin":{"scope":{"domains":["commune-a.fr"]}}},"service":{"id":42,"name":"Messages","instance_name":"messages-prod","type":"messages"}}"#;
    pub const METRICS: &str = r#"{"count":3,"results":[{"siret":"21750001600019","metrics":{"tu":1}}]}"#;
    pub const SERVICES: &str = r#"{"organization":{"name":"Commune A","type":"commune","siret":"21750001600019"},"services":[{"id":42,"name":"Messages","url":"https://messages.example","maturity":"stable","logo":null,"subscribed":true}]}"#;
    pub const ORGANIZATIONS: &str = r#"{"count":3,"next":null,"previous":null,"results":[{"id":"f596edef","name":"Commune A","type":"commune","siret":"21750001600019","siren":"217500016","code_postal":null,"code_insee":"75101","population":1200,"epci_libelle":null,"epci_siren":null,"epci_population":9000,"departement_code_insee":"75","region_code_insee":"11","adresse_messagerie":"mairie@commune-a.fr","site_internet":null,"telephone":null,"rpnt":["1.1","2.1","2.2"],"service_public_url":null,"service_subscriptions":[{"metadata":{"domains":["commune-a.fr"]},"created_at":"2026-11-22T01:56:59.725671Z","updated_at":"2026-11-22T01:57:02.626502Z","is_active":true,"entitlements":[{"id":"6d04bac3","type":"messages_storage","config":{"max_storage":5000000000},"account_type":"mailbox","account":null}],"service":{"id":42,"name":"Messages","instance_name":"messages-prod","type":"messages","url":"https://messages.example","description":null,"maturity":"stable","launch_date":null,"is_active":true,"created_at":"2026-11-22T01:56:59.677835Z","logo":null,"config":{},"entitlement_defaults":[{"type":"messages_storage","account_type":"mailbox","config":{"max_storage":5000000000}}]},"operator":{"id":"daae1e91","name":"Operateur Test","siret":"18001234500011","url":"https://operateur.example","is_active":true,"user_role":"admin","config":{"idps":[{"id":"idp-1","name":"IdP 1"}],"support_email":"support@operateur.example"}}}],"mail_domain":"commune-a.fr","mail_domain_status":"valid","operator_admins_have_admin_role":false}]}"#;
}

/// The same keys and types; of a list, every row is like the captured first.
#[track_caller]
fn assert_alike(answer: &Value, captured: &Value, place: &str) {
    match (answer, captured) {
        (Value::Object(answer), Value::Object(captured)) => {
            assert_eq!(answer.keys().collect::<Vec<_>>(), captured.keys().collect::<Vec<_>>(), "{place}");
            for (key, value) in answer {
                assert_alike(value, &captured[key], &format!("{place}.{key}"));
            }
        }
        (Value::Array(answer), Value::Array(captured)) => {
            for row in answer.iter().filter(|_| !captured.is_empty()) {
                assert_alike(row, &captured[0], &format!("{place}[]"));
            }
        }
        _ => assert_eq!(std::mem::discriminant(answer), std::mem::discriminant(captured), "{place}: {answer}"),
    }
}

struct Management(Stage);

impl Management {
    async fn captured_world() -> Self {
        let config = SimulatorConfig { organisation: Organisation::empty(), ..Default::default() };
        let stage = Stage::with(config).await;
        stage.add_organisation(A, true).add_organisation(B, true).subscribe_domains(A, &["commune-a.fr", "ville-a.fr"]);
        stage.subscribe_domains(B, &["commune-b.fr"]);
        stage.set_roles("alice@commune-a.fr", A, &[]).set_roles(BOB, A, &["admin"]).set_account_id(BOB, "sub-bob");
        stage.set_domains("carol@commune-a.fr", A, ["ville-a.fr"]);
        Self(stage)
    }

    async fn ask(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.0.simulator.management_url());
        let request = self.0.client.request(method, url).bearer_auth(key);
        let request = body.into_iter().fold(request, |request, body| request.json(&body));
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, "op-ext-key", None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn patch(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::PATCH, path, "op-ext-key", Some(body)).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn organizations(&self) -> String {
        format!("operators/{}/organizations/", self.0.simulator.operator_id())
    }

    async fn organization(&self, siret: &str) -> String {
        let listed = self.get(&self.organizations()).await;
        let rows = listed["results"].as_array().expect("rows");
        let found = rows.iter().find(|row| row["siret"] == siret).expect("the organisation");
        format!("{}{}/", self.organizations(), found["id"].as_str().expect("an id"))
    }

    async fn account(&self, organization: &str, email: &str) -> String {
        let listed = self.get(&format!("{organization}accounts/")).await;
        let rows = listed["results"].as_array().expect("rows");
        let found = rows.iter().find(|row| row["email"] == email).expect("the account");
        format!("accounts/{}/", found["id"].as_str().expect("an id"))
    }
}

#[track_caller]
fn alike(number: u16, answer: &Value, captured: &str) {
    assert_alike(answer, &serde_json::from_str(captured).expect("JSON"), &number.to_string());
}

#[tokio::test]
async fn lists_are_as_captured() {
    let management = Management::captured_world().await;
    let a = management.organization(A).await;
    alike(123, &management.get(&format!("{}?service=42", management.organizations())).await, captured::ORGANIZATIONS);
    alike(80, &management.get(&format!("{a}accounts/")).await, captured::ACCOUNTS);
    alike(89, &management.get(&format!("{a}services/42/subscription/entitlements/")).await, captured::ENTITLEMENTS);
    let services = format!("lagaufre/services/?operator={}&siret={A}", management.0.simulator.operator_id());
    alike(70, &management.get(&services).await, captured::SERVICES);
    let metrics = "metrics/subscriptions-by-service/?service_id=42";
    let (status, answer) = management.ask(Method::GET, metrics, "metrics-key-research", None).await;
    assert_eq!(status, 200);
    alike(71, &answer, captured::METRICS);
    assert_eq!(answer["count"], 2);
    let (status, answer) = management.ask(Method::GET, metrics, "nope", None).await;
    assert_eq!(
        (status.as_u16(), &answer["detail"]),
        (403, &json!("Vous n'avez pas la permission d'effectuer cette action."))
    );
}

#[tokio::test]
async fn accounts_are_changed_as_captured() {
    let management = Management::captured_world().await;
    let a = management.organization(A).await;
    let new = json!({"email": "new@commune-a.fr", "type": "user", "roles": ["admin"]});
    let (status, answer) =
        management.ask(Method::POST, &format!("{a}accounts/"), "op-ext-key", Some(new.clone())).await;
    assert_eq!(status, 201);
    alike(81, &answer, captured::ACCOUNT);
    let (status, _) = management.ask(Method::POST, &format!("{a}accounts/"), "op-ext-key", Some(new)).await;
    assert_eq!(status, 200, "an upsert");
    assert_eq!(management.0.domains_of("new@commune-a.fr").await, json!(["commune-a.fr", "ville-a.fr"]));
    let bob = management.account(&a, BOB).await;
    for number in [96, 120] {
        let answer = management.patch(&bob, json!({"roles": []})).await;
        alike(number, &answer, captured::ACCOUNT);
        assert_eq!(management.0.domains_of(BOB).await, json!([]));
    }
    let roles = json!({"admin": {"scope": {"domains": ["commune-a.fr"]}}});
    alike(97, &management.patch(&format!("{bob}services/42/"), json!({"roles": roles})).await, captured::SERVICE_LINK);
    assert_eq!(management.0.domains_of(BOB).await, json!(["commune-a.fr"]));
}

#[tokio::test]
async fn subscriptions_are_changed_as_captured() {
    let management = Management::captured_world().await;
    let (a, b) = (management.organization(A).await, management.organization(B).await);
    let of = |organization: &str| format!("{organization}services/42/subscription/");
    let (status, answer) = management.ask(Method::GET, &of(&a), "svc-ext-key", None).await;
    assert_eq!(status, 200);
    alike(83, &answer, captured::SUBSCRIPTION);
    let three = json!(["commune-a.fr", "ville-a.fr", "new-a.fr"]);
    alike(84, &management.patch(&of(&a), json!({"metadata": {"domains": three}})).await, captured::SUBSCRIPTION);
    assert_eq!(management.0.domains_of(BOB).await, three, "85");
    let answer = management.patch(&of(&b), json!({"is_active": false})).await;
    alike(86, &answer, captured::SUBSCRIPTION);
    assert_eq!(answer["is_active"], false, "86");
    let answer = management.patch(&of(&a), json!({"metadata": {"note": 1}})).await;
    assert_eq!(answer["metadata"], json!({"note": 1}), "110: replaced as a whole");
    assert_eq!(management.0.domains_of(BOB).await, json!([]), "110");
    let answer = management.patch(&of(&a), json!({"metadata": {"domains": "commune-a.fr"}})).await;
    assert_eq!(answer["metadata"]["domains"], "commune-a.fr", "112");
    let characters = json!(["c", "o", "m", "u", "n", "e", "-", "a", ".", "f", "r"]);
    assert_eq!(management.0.domains_of(BOB).await, characters, "113");
    let mixed = json!({"metadata": {"domains": ["Commune-A.FR", " spaced.fr ", null, 42]}});
    let (status, _) = management.ask(Method::PATCH, &of(&a), "svc-ext-key", Some(mixed)).await;
    assert_eq!(status, 500, "114");
    assert_eq!(management.0.domains_of(BOB).await, characters, "115: nothing was changed");
}

#[tokio::test]
async fn a_list_goes_on_over_pages() {
    let management = Management::captured_world().await;
    management.0.set_page_rows(2);
    let a = management.organization(A).await;
    let first = management.get(&format!("{a}accounts/?type=user")).await;
    assert_eq!((&first["count"], first["results"].as_array().expect("rows").len()), (&json!(3), 2));
    let next = first["next"].as_str().expect("a next page");
    let root = management.0.simulator.management_url();
    let second = management.get(next.strip_prefix(&root).expect("an address of its own")).await;
    assert_eq!((second["results"].as_array().expect("rows").len(), &second["next"]), (1, &Value::Null));
    assert!(next.contains("type=user&page=2"), "{next}");
    let (status, _) = management.ask(Method::GET, &format!("{a}accounts/?page=3"), "op-ext-key", None).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn pages_can_be_made_to_go_wrong() {
    let management = Management::captured_world().await;
    management.0.set_page_rows(2);
    let accounts = format!("{}accounts/", management.organization(A).await);
    let second = format!("{accounts}?page=2");
    let target = || Target::system(System::Deploycenter).path_contains("/accounts/");
    let faulty = async |target: Target, fault: Fault, path: &str| {
        management.0.fault(target.times(1), fault);
        management.get(path).await
    };
    let repeated = faulty(target().page(2), Fault::RepeatToken, &second).await;
    assert!(repeated["next"].as_str().is_some_and(|next| next.ends_with("?page=2")), "{repeated}");
    let short = faulty(target(), Fault::ShortList, &accounts).await;
    assert_eq!((&short["count"], short["results"].as_array().expect("rows").len()), (&json!(3), 1));
    let wrong = faulty(target(), Fault::wrong_type(), &accounts).await;
    assert!(wrong["results"].is_object(), "{wrong}");
    let endless = faulty(target().page(2), Fault::EndlessPages, &second).await;
    assert!(endless["next"].as_str().is_some_and(|next| next.ends_with("?page=3")), "{endless}");
}

#[tokio::test]
async fn only_the_operators_own_organisations_are_listed() {
    let management = Management::captured_world().await;
    management.0.set_operator(B, "f2c6cf60-eeac-414d-a110-c041173c3a53", false);
    assert_eq!(management.get(&management.organizations()).await["count"], 1);
    let (status, _) = management.ask(Method::GET, &management.organizations(), "svc-ext-key", None).await;
    assert_eq!(status, 403, "a service's key lists no organisations");
}
