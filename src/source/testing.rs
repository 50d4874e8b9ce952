//! A bench for tests: sources built from a configuration, asking a simulator on loopback, on a clock that the test moves.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use entitled_model::observation::{Census, CensusPerson, ObservedGroup, UserAnswer};
use entitled_model::path::Chain;
use entitled_model::{EmailAddress, Failure, SourceName, Subject, UserId};
use entitled_simulator::{Handle, Organisation, Simulator, SimulatorConfig, System};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Asks, Person, Registry, Silent, Source, Urgency};
use crate::clock::{Clock, ManualClock};
use crate::config;

pub const SIRET: &str = "21750001600019";

/// What no failure may ever show.
const SECRETS: [&str; 6] = ["ann@", "@example", SIRET, "svc-key-42", "ya29", "PRIVATE KEY"];

pub struct Bench {
    pub simulator: Simulator,
    pub clock: Clock,
    pub hands: ManualClock,
    pub folder: TempDir,
    registry: Registry,
}

impl Bench {
    /// With a source `deploycenter` and further settings of it.
    pub async fn deploycenter(settings: &str) -> Self {
        Self::of(|simulator, _| {
            let url = simulator.deploycenter_url();
            format!(
                "[sources.deploycenter]\nkind = \"deploycenter\"\nbase_url = \"{url}\"\nservice_id = 42\n\
                 token = {{ env = \"DC_TOKEN\" }}\n{settings}\n\
                 [[sources.deploycenter.map]]\nentitlement = \"can_admin_maildomains\"\n\
                 resource_type = \"maildomain\"\npermission = \"admin\"\n"
            )
        })
        .await
    }

    /// With a source `google_sync` that has a key, and further settings of it.
    pub async fn google(settings: &str) -> Self {
        Self::google_with("credentials = { file = \"FOLDER/key.json\" }", settings).await
    }

    pub async fn google_with(credentials: &str, settings: &str) -> Self {
        Self::of(|simulator, folder| {
            let (base, token) = (simulator.base_url(), simulator.token_uri());
            let key = simulator.service_account_key().to_string();
            fs::write(folder.path().join("key.json"), key).expect("written");
            let credentials = credentials
                .replace("FOLDER", &folder.path().display().to_string())
                .replace("ACCOUNT", simulator.service_account());
            let rate = if settings.contains("rate =") { "" } else { "rate = { per_second = 1000, burst = 1000 }" };
            let directory = if settings.contains("domain =") { "" } else { "customer = \"my_customer\"" };
            format!(
                "[sources.google_sync]\nkind = \"google_workspace\"\nsubject = \"admin@example.org\"\n{credentials}\n\
                 api_base = \"{base}\"\nmetadata_base = \"{base}\"\niam_base = \"{base}\"\ntoken_uri = \"{token}\"\n\
                 {rate}\n{directory}\n{settings}\n"
            )
        })
        .await
    }

    /// With a source `local` that answers from a file.
    pub async fn local(file: &str) -> Self {
        Self::of(|_, folder| {
            let path = folder.path().join("users.toml");
            fs::write(&path, file).expect("written");
            format!("[sources.local]\nkind = \"local\"\nfile = \"{}\"\n", path.display())
        })
        .await
    }

    async fn of(sources: impl Fn(&Simulator, &TempDir) -> String) -> Self {
        let settings = SimulatorConfig { organisation: Organisation::empty(), ..SimulatorConfig::default() };
        let simulator = Simulator::start(settings).await.expect("started");
        let folder = TempDir::new().expect("made");
        let file = folder.path().join("config.toml");
        fs::write(&file, format!("config_version = 1\n{}", sources(&simulator, &folder))).expect("written");
        let key = simulator.deploycenter_key().to_owned();
        let environment = BTreeMap::from([("DC_TOKEN".to_owned(), key), ("WRONG".to_owned(), "wrong".to_owned())]);
        let loaded = config::load(Some(&file), &environment).expect("valid");
        // The simulator checks assertions by the wall clock.
        let (clock, hands) = Clock::manual(Clock::system().now());
        let registry = Registry::build(&loaded.config, &clock).expect("built");
        Self { simulator, clock, hands, folder, registry }
    }

    pub fn organisation(&self) -> &Handle {
        self.simulator.organisation()
    }

    /// The only source.
    pub fn source(&self) -> Arc<Source> {
        Arc::clone(self.registry.iter().next().expect("one"))
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub fn requests(&self) -> u64 {
        let organisation = self.organisation();
        organisation.count(System::Deploycenter) + organisation.count(System::Google)
    }

    /// Asks the only source, and holds its failure to be free of secrets.
    pub async fn ask(&self, person: &Person) -> Result<UserAnswer, Failure> {
        let answer = match &self.source().asks {
            Asks::Backend(backend) => backend.answer(person, Urgency::Awaited).await,
            Asks::Groups(groups) => groups.groups_of(person, Urgency::Awaited).await,
        };
        free_of_secrets(answer)
    }

    pub async fn census(&self) -> Result<Census, Failure> {
        match &self.source().asks {
            Asks::Backend(_) => panic!("a backend has no census"),
            Asks::Groups(groups) => free_of_secrets(groups.census(&Silent).await),
        }
    }

    /// Lets time pass, for the simulator too.
    pub fn advance(&self, seconds: u64) {
        let passed = Duration::from_secs(seconds);
        self.hands.advance(passed);
        self.organisation().advance_clock(passed);
    }
}

fn free_of_secrets<T>(answer: Result<T, Failure>) -> Result<T, Failure> {
    answer.inspect_err(|failure| {
        let shown = format!("{failure} {failure:?}");
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
    })
}

pub fn person(email: &str) -> Person {
    Person {
        user: UserId(uuid::Uuid::from_u128(7)),
        email: Some(EmailAddress::parse(email).expect("an address")),
        sub: Some(Subject::parse("sub-1").expect("a sub")),
        external_id: None,
        claims: BTreeMap::from([("siret".to_owned(), json!(SIRET))]),
    }
}

pub fn ann() -> Person {
    person("ann@commune-a.fr")
}

pub fn with_claim(mut person: Person, claim: &str, value: Value) -> Person {
    person.claims.insert(claim.to_owned(), value);
    person
}

/// The paths of one person's memberships that are not direct, as a census has them.
pub fn paths_in(census: &Census, email: &str) -> BTreeMap<ObservedGroup, Chain> {
    let folded = |person: &CensusPerson| person.address().key().as_str() == email;
    let Some(place) = census.people.iter().position(folded) else { return BTreeMap::new() };
    let place = u32::try_from(place).expect("a place");
    census.groups.iter().filter_map(|group| Some((group.group.clone(), group.through.of(place)?.clone()))).collect()
}

/// The names of an answer's groups.
pub fn groups(answer: &UserAnswer) -> Vec<&str> {
    answer.groups.iter().map(|group| group.name()).collect()
}

pub fn source_name(name: &str) -> SourceName {
    SourceName::configured(name).expect("a name")
}
