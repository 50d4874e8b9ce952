//! The source against a small SCIM server with quirks.

mod agreement;
mod census;
mod fake;
mod faults;
mod lookup;
mod paging;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use entitled_model::observation::{Census, UserAnswer};
use entitled_model::{ErrorClass, Failure};
use serde_json::{Value, json};

use crate::clock::{Clock, ManualClock};
use crate::config;
use crate::source::testing::person;
use crate::source::{Asks, GroupSource, Registry, Silent, Urgency};
use fake::Fake;

const ANN: &str = "ann@example.org";
const BOB: &str = "bob@example.org";

/// What no failure may ever show.
const SECRETS: [&str; 5] = ["ann", "example.org", "u-1", "g-1", "t0ken-of"];

struct Bench {
    server: Fake,
    hands: ManualClock,
    source: Arc<dyn GroupSource>,
}

/// An empty directory, and a source with further settings.
async fn bench(settings: &str) -> Bench {
    let server = Fake::start().await;
    let folder = tempfile::tempdir().expect("made");
    let file = folder.path().join("config.toml");
    let (base, retry) = (&server.base, if settings.contains("retry") { "" } else { "retry = { attempts = 1 }" });
    let text = format!(
        "config_version = 1\n[sources.directory]\nkind = \"scim\"\nbase_url = \"{base}\"\n\
         token = {{ env = \"SCIM_TOKEN\" }}\nrate = {{ per_second = 10000, burst = 10000 }}\n{retry}\n{settings}\n"
    );
    std::fs::write(&file, text).expect("written");
    let environment = BTreeMap::from([("SCIM_TOKEN".to_owned(), fake::TOKEN.to_owned())]);
    let loaded = config::load(Some(&file), &environment).expect("valid");
    let (clock, hands) = Clock::manual(Clock::system().now());
    hands.leap_over_sleeps();
    let registry = Registry::build(&loaded.config, &clock).expect("built");
    let source = Arc::clone(registry.iter().next().expect("one"));
    let Asks::Groups(source) = source.asks.clone() else { panic!("a group source") };
    Bench { server, hands, source }
}

impl Bench {
    async fn census(&self) -> Result<Census, Failure> {
        free_of_secrets(self.source.census(&Silent).await)
    }

    async fn ask(&self, email: &str) -> Result<UserAnswer, Failure> {
        free_of_secrets(self.source.groups_of(&person(email), Urgency::Awaited).await)
    }

    /// The names of one user's groups, which must be those of the whole.
    async fn groups_of(&self, email: &str) -> Vec<String> {
        let answer = self.ask(email).await.expect("answered");
        let census = self.census().await.expect("whole");
        let alone: Vec<String> = answer.groups.iter().map(|group| group.name().to_owned()).collect();
        let of_whole: Vec<String> =
            memberships(&census).into_iter().filter(|(_, of)| of.contains(email)).map(|(name, _)| name).collect();
        assert_eq!(alone, of_whole, "a login and a census say the same");
        let account = census.people.iter().find(|known| known.address().key().as_str() == email);
        assert_eq!(answer.account.as_ref(), account.and_then(|known| known.account()), "and so do their accounts");
        alone
    }
}

fn free_of_secrets<T>(answer: Result<T, Failure>) -> Result<T, Failure> {
    answer.inspect_err(|failure| {
        let shown = format!("{failure} {failure:?}").to_lowercase();
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
    })
}

/// Group → members, folded.
fn memberships(census: &Census) -> BTreeMap<String, BTreeSet<String>> {
    let folded = |at: &u32| census.people[*at as usize].address().key().as_str().to_owned();
    let of = |members: &[u32]| members.iter().map(folded).collect();
    census.groups.iter().map(|group| (group.group.name().to_owned(), of(&group.members))).collect()
}

/// Groups that are marked.
fn marked(census: &Census) -> BTreeMap<&str, ErrorClass> {
    census.groups.iter().filter_map(|group| Some((group.group.name(), group.incomplete.as_ref()?.class))).collect()
}

fn class<T>(result: &Result<T, Failure>) -> Option<ErrorClass> {
    result.as_ref().err().map(|failure| failure.class)
}

/// A user whose only address is their e-mail.
fn user(id: &str, email: &str) -> Value {
    json!({"id": id, "userName": format!("name-{id}"), "emails": [{"value": email, "primary": true}]})
}

/// A group whose members don't say what they are.
fn group(id: &str, name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    json!({"id": id, "displayName": name, "members": members})
}

fn members(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|&one| one.to_owned()).collect()
}
