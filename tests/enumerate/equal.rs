//! What is derived from lists is what the endpoint answers about each user, for a whole organisation.

use std::collections::BTreeMap;

use entitled::clock::Clock;
use entitled::config;
use entitled::source::{Asks, Person, Registry, Urgency};
use entitled_model::{EmailAddress, UserId};
use entitled_simulator::{Organisation, Sample, Simulator, SimulatorConfig};
use serde_json::json;

use crate::support::SIRET;

const C: &str = "21130001300013";

async fn simulator() -> Simulator {
    let sample = Sample { users: 300, domains: 9, organisations: 5, ..Sample::default() };
    let organisation = Organisation::sample(&sample);
    let simulator =
        Simulator::start(SimulatorConfig { organisation, ..SimulatorConfig::default() }).await.expect("a port");
    let org = simulator.organisation();
    org.set_roles("Mixed.Case@commune-a.fr", SIRET, &["admin"]).set_roles("plain@commune-a.fr", SIRET, &["member"]);
    org.set_roles("multi@commune-a.fr", C, &["admin"]).set_domains("multi@commune-a.fr", SIRET, ["ville-a.fr"]);
    org.set_domains("spelt@commune-a.fr", SIRET, ["Spelt.FR", " spaced.fr "]);
    org.set_page_rows(7);
    simulator
}

fn people(simulator: &Simulator) -> Vec<Person> {
    let known = simulator.organisation().people().into_iter().map(|person| (person.email, person.siret));
    let strange = [
        ("mixed.case@commune-a.fr", SIRET),
        ("nobody@commune-a.fr", SIRET),
        ("multi@commune-a.fr", C),
        ("ann@commune-a.fr", "99999999999999"),
        ("ann@commune-a.fr", " 21750001600019"),
    ];
    let strange = strange.map(|(email, siret)| (email.to_owned(), Some(siret.to_owned())));
    known
        .chain(strange)
        .zip(1..)
        .map(|((email, siret), number)| Person {
            external_id: None,
            user: UserId(uuid::Uuid::from_u128(number)),
            email: Some(EmailAddress::parse(&email).expect("an address")),
            sub: None,
            claims: BTreeMap::from([("siret".to_owned(), json!(siret.expect("a siret")))]),
        })
        .collect()
}

fn registry(simulator: &Simulator) -> Registry {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let text = format!(
        "config_version = 1\n[sources.deploycenter]\nkind = \"deploycenter\"\nbase_url = \"{}\"\nservice_id = 42\n\
         token = {{ env = \"KEY\" }}\nclaims = [\"siret\"]\nrate = {{ per_second = 10000, burst = 10000 }}\n\
         enumerate = {{ operator_key = {{ env = \"OPERATOR_KEY\" }}, operator_id = \"{}\" }}\n\
         [[sources.deploycenter.map]]\nentitlement = \"can_admin_maildomains\"\nresource_type = \"maildomain\"\n\
         permission = \"admin\"\n",
        simulator.deploycenter_url(),
        simulator.operator_id()
    );
    std::fs::write(&file, text).expect("written");
    let secrets = [("KEY", simulator.deploycenter_key()), ("OPERATOR_KEY", simulator.operator_key())];
    let environment = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let loaded = config::load(Some(&file), &environment).expect("a configuration");
    Registry::build(&loaded.config, &Clock::system()).expect("sources")
}

#[tokio::test(flavor = "multi_thread")]
async fn derived_answers_equal_the_endpoints() {
    let simulator = simulator().await;
    let registry = registry(&simulator);
    let source = registry.iter().next().expect("one source");
    let Asks::Backend(backend) = &source.asks else { panic!("a backend") };
    let people = people(&simulator);
    let enumerated = backend.enumerator().expect("able").enumerate(&people).await.expect("read");
    let mut administrators = 0;
    for (person, derived) in people.iter().zip(&enumerated.answers) {
        let asked = backend.answer(person, Urgency::Background).await.expect("answered");
        let derived = derived.as_ref().expect("derived");
        assert_eq!(derived.groups, asked.groups, "{:?}", person.email);
        assert_eq!(derived.coverage, asked.coverage, "{:?}", person.email);
        let of_key = |answer: &entitled_model::observation::UserAnswer| {
            let stated = answer.stated.entitlements().cloned().unwrap_or_default();
            stated.get("can_admin_maildomains").map(|value| value.json())
        };
        assert_eq!(of_key(derived), of_key(&asked), "{:?}", person.email);
        administrators += usize::from(!asked.groups.is_empty());
    }
    assert!(administrators > 20, "a sample in which many administer something: {administrators}");
    assert!(administrators < people.len() / 2);
}
