//! What a walk goes over: the real store, sources and runs in this process, a simulator, and a clock that the walk moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entitled::admin::{Admin, AdminError};
use entitled::clock::{Clock, ManualClock};
use entitled::config::Config;
use entitled::login::{Login, Logins};
use entitled::metrics::Metrics;
use entitled::provision::Provisioner;
use entitled::reconcile::{Asked, RunError, SourceRun};
use entitled::report::Reports;
use entitled::runner::{Order, Runner};
use entitled::source::{Person, Registry};
use entitled::store::Store;
use entitled_model::resource::{Attributes, ResourceType};
use entitled_model::{EmailAddress, GroupName, Instant, SourceName, Subject, Trigger, UserId};
use entitled_simulator::{Fault, Organisation, Simulator, SimulatorConfig, System, Target};
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::parts::{load, open};
use crate::reference::REMOVALS_MAX;
use crate::script::{BY_HAND, GOOGLE, Name, PEOPLE, Step};
use crate::support::{Kind, PATIENCE, SIRET, World};

/// Longer than any walk, so that the clock's moves end no lease.
const LEASE: Duration = Duration::from_hours(24 * 365);

pub type Ended = Result<Option<SourceRun>, RunError>;

/// What a step came to, and which administrator was kept against the source's word.
pub struct Told {
    pub came: String,
    pub kept: Option<Name>,
}

pub struct Ground {
    pub(super) simulator: Simulator,
    config: Config,
    url: String,
    clock: Clock,
    hands: ManualClock,
    began: Instant,
    pub(super) store: Store,
    pub(super) registry: Arc<Registry>,
    is_faulty: bool,
    times_out: bool,
    /// Who is in which group of the directory.
    pub(super) joined: BTreeSet<(Name, Name)>,
    pub(super) held: Option<(String, JoinHandle<Ended>)>,
    pub(super) holds: u32,
    _folder: tempfile::TempDir,
}

pub fn email(person: Name) -> String {
    format!("{person}@example.com")
}

pub fn address(group: Name) -> String {
    format!("grp_acme_{group}@example.com")
}

pub fn system(source: Name) -> System {
    if source == GOOGLE { System::Google } else { System::Deploycenter }
}

fn fault(name: Name) -> Fault {
    match name {
        "status" => Fault::status(503),
        "reset" => Fault::Reset,
        "truncate" => Fault::Truncate,
        "html" => Fault::Html,
        "json" => Fault::InvalidJson,
        "refused" => Fault::status(401),
        "short" => Fault::ShortList,
        _ => Fault::hold("never"),
    }
}

/// A database like the world's, which nobody uses.
async fn copy(world: &World, folder: &std::path::Path) -> String {
    match world.database.kind() {
        Kind::Sqlite => {
            let original = world.database.url().strip_prefix("sqlite://").expect("a file");
            let file = folder.join("walk.db");
            std::fs::copy(original, &file).expect("copied");
            format!("sqlite://{}", file.display())
        }
        Kind::Postgres => {
            let (server, name) = world.database.url().rsplit_once('/').expect("a database");
            let copy = format!("{name}_{}", rand::random::<u32>());
            world.database.execute(&format!("CREATE DATABASE {copy} TEMPLATE {name}")).await;
            format!("{server}/{copy}")
        }
    }
}

impl Ground {
    /// Fresh ground: the world's database, as it is, and a simulator of its own.
    pub async fn lay(world: &World) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = copy(world, folder.path()).await;
        let organisation = Organisation::empty();
        let simulator = Simulator::start(SimulatorConfig { organisation, ..SimulatorConfig::default() });
        let simulator = simulator.await.expect("simulators on loopback");
        let org = simulator.organisation();
        org.add_organisation(SIRET, true);
        for person in PEOPLE {
            org.add_user(&email(person));
        }
        let text = world.config.replace(&world.simulator.base_url(), &simulator.base_url());
        let text = text.replace("customer = ", &format!("token_uri = \"{}\"\ncustomer = ", simulator.token_uri()));
        let file = folder.path().join("walk.toml");
        std::fs::write(&file, text).expect("written");
        let config = load(world, &file);
        let began = chrono::DateTime::from_timestamp(1_795_000_000, 0).expect("in range");
        let (clock, hands) = Clock::manual(began);
        let (store, registry) = (open(&url, &clock).await, registry(&config, false));
        let (joined, held) = Default::default();
        Self {
            simulator,
            config,
            url,
            clock,
            hands,
            began,
            store,
            registry,
            is_faulty: false,
            times_out: false,
            joined,
            held,
            holds: 0,
            _folder: folder,
        }
    }

    /// Ends the walk, with its database.
    pub async fn leave(self, world: &World) {
        if let Some((_, running)) = self.held {
            running.abort();
        }
        self.store.close().await.expect("closed");
        if world.database.kind() == Kind::Postgres {
            let (_, name) = self.url.rsplit_once('/').expect("a database");
            world.database.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    pub fn set_clock(&self, micros: i64) {
        self.hands.set_now(self.began + TimeDelta::microseconds(micros));
    }

    fn runner(&self) -> Runner {
        // With faults about, circuits open: each run then meets fresh ones, as a one-shot does.
        let is_faulty = self.is_faulty;
        Runner {
            store: self.store.clone(),
            registry: if is_faulty { registry(&self.config, self.times_out) } else { Arc::clone(&self.registry) },
            reports: Arc::new(Reports::new(Arc::new(Metrics::default()))),
            provisioned_types: Arc::new(self.config.http.provisioned_types()),
            lease_period: LEASE,
        }
    }

    fn admin(&self) -> Admin {
        let (store, features) = (self.store.clone(), Arc::new(self.config.features.clone()));
        Admin { store, features, actor: "operator".to_owned(), correlation_id: None, person: None }
    }

    pub async fn perform(&mut self, step: &Step) -> Told {
        self.change_upstream(step);
        let came = match step {
            Step::Sync(source, user) => return self.told(self.start(source, *user).await).await,
            Step::Hold(source, user) => self.hold(source, *user).await,
            Step::Release => return self.release().await,
            Step::Login(person) => self.login(person).await,
            Step::Provision(domain) => self.provision(domain).await,
            Step::Create | Step::Delete | Step::Add(..) | Step::Remove(..) => self.decide(step).await,
            Step::Mend => {
                self.simulator.organisation().clear_faults();
                (self.is_faulty, self.times_out) = (false, false);
                "done".to_owned()
            }
            Step::Restart => self.restart().await,
            _ => "done".to_owned(),
        };
        Told { came, kept: None }
    }

    fn change_upstream(&mut self, step: &Step) {
        let org = self.simulator.organisation();
        match step {
            Step::Join(person, group) => drop(self.joined.insert((*person, *group))),
            Step::Leave(person, group) => drop(self.joined.remove(&(*person, *group))),
            Step::Drop(group) => self.joined.retain(|(_, of)| of != group),
            _ => {}
        }
        match step {
            Step::Join(person, group) => _ = org.add_member(&address(group), &email(person)),
            Step::Leave(person, group) => _ = org.remove_member(&address(group), &email(person)),
            Step::Make(group) => _ = org.add_group(&address(group)),
            Step::Drop(group) => _ = org.delete_group(&address(group)),
            Step::Suspend(person) => _ = org.suspend_user(&email(person)),
            Step::Reactivate(person) => _ = org.reactivate_user(&email(person)),
            Step::Domains(person, domains) => _ = org.set_domains(&email(person), SIRET, domains.iter().copied()),
            Step::Plan(person, plan) => _ = org.set_entitlement(&email(person), "plan", json!(plan)),
            Step::Hush(person) => {
                _ = org.set_entitlement(&email(person), "can_admin_maildomains", serde_json::Value::Null);
            }
            Step::Speak(person) => _ = org.reset_entitlement(&email(person), "can_admin_maildomains"),
            Step::Break(source, name) => {
                org.fault(Target::system(system(source)), fault(name));
                self.times_out |= *name == "timeout";
            }
            Step::Unread(group, name) => {
                let target = Target::system(System::Google).path_contains("/members").group(&address(group));
                org.fault(target, fault(name));
            }
            Step::Unanswered(person, name) => {
                org.fault(Target::system(System::Deploycenter).user(&email(person)), fault(name));
            }
            _ => return,
        }
        self.is_faulty |= matches!(step, Step::Break(..) | Step::Unread(..) | Step::Unanswered(..));
    }

    async fn order_of(&self, person: Name) -> Asked {
        let address = EmailAddress::parse(&email(person)).expect("an address");
        match self.store.user_by_email(self.store.reader(), &address.key()).await.expect("the store") {
            Some(user) => Asked { person: Person::from(user), newcomer: false },
            None => {
                let user = UserId(self.clock.new_id());
                let claims = BTreeMap::new();
                let person = Person { user, email: Some(address), sub: None, external_id: None, claims };
                Asked { person, newcomer: true }
            }
        }
    }

    /// A run, on its way.
    pub(super) async fn start(&self, source: Name, user: Option<Name>) -> JoinHandle<Ended> {
        let asked = match user {
            Some(person) => Some(self.order_of(person).await),
            None => None,
        };
        let runner = self.runner();
        let source = Arc::clone(runner.registry.get(&SourceName::stored(source.to_owned())).expect("configured"));
        tokio::spawn(async move {
            let order = Order::new(runner.store.clock(), Trigger::Manual, CancellationToken::new());
            match asked {
                None => runner.whole(&source, &order).await,
                Some(asked) => runner.users(&source, vec![asked], &order).await.map(Some),
            }
        })
    }

    pub(super) async fn told(&self, running: JoinHandle<Ended>) -> Told {
        let Ok(ended) = tokio::time::timeout(PATIENCE / 3, running).await else {
            return Told { came: "no end".to_owned(), kept: None };
        };
        let ended = ended.expect("it does not panic");
        let came = match &ended {
            Ok(None) => "skipped".to_owned(),
            Ok(Some(run)) => run.outcome.to_string(),
            Err(error) => format!("{error:?}"),
        };
        let mut kept = None;
        for kept_back in ended.iter().flatten().flat_map(|run| &run.kept) {
            if kept_back.reason == "last_administrator" {
                let user = self.store.user_by_id(self.store.reader(), kept_back.change.user).await.expect("the store");
                let email_of =
                    |user: entitled::store::UserRecord| user.profile.email.map(|email| email.as_given().to_owned());
                let known = user.and_then(email_of);
                kept = PEOPLE.into_iter().find(|person| known.as_deref() == Some(&*email(person)));
            }
        }
        Told { came, kept }
    }

    async fn login(&self, person: Name) -> String {
        let logins =
            Logins::new(self.runner(), Duration::from_hours(1), false, TaskTracker::new(), CancellationToken::new());
        let logins = Arc::new(logins);
        let login = Login {
            email: Some(EmailAddress::parse(&email(person)).expect("an address")),
            sub: Some(Subject::parse(&format!("sub-{person}")).expect("a sub")),
            claims: BTreeMap::from([("siret".to_owned(), json!(SIRET))]),
            actor: "key:login-hook".to_owned(),
            correlation_id: None,
        };
        let Ok(answer) = tokio::time::timeout(PATIENCE / 3, logins.answer(login)).await else {
            return "no answer".to_owned();
        };
        answer.map_or_else(|error| format!("{error:?}"), |_| "done".to_owned())
    }

    async fn provision(&self, domain: Name) -> String {
        let provisioner = Provisioner {
            store: &self.store,
            registry: &self.registry,
            kind: ResourceType::of_path("maildomains").expect("a type"),
            actor: "key:deploycenter".to_owned(),
            correlation_id: None,
        };
        let done = provisioner.provision(&[domain.to_owned()], &Attributes::of(&serde_json::Map::new())).await;
        done.map_or_else(|error| format!("{error:?}"), |_| "done".to_owned())
    }

    async fn decide(&self, step: &Step) -> String {
        let group = match step {
            Step::Add(group, _) | Step::Remove(group, _) => *group,
            _ => BY_HAND[0],
        };
        let id = self.store.group_by_any_name(group).await.expect("the store");
        let decided = match (step, id) {
            (Step::Create, _) => {
                self.admin().create_group(GroupName::parse(group).expect("a name"), None).await.map(drop)
            }
            (_, None) => Err(AdminError::NoGroup),
            (Step::Delete, Some(id)) => self.admin().delete_group(id, &|_| true).await,
            (Step::Add(_, person), Some(id)) => {
                self.admin().add_member(id, self.order_of(person).await.person.user, None).await
            }
            (Step::Remove(_, person), Some(id)) => {
                self.admin().remove_member(id, self.order_of(person).await.person.user).await
            }
            _ => Ok(()),
        };
        let word = |error: AdminError| format!("{error:?}").split(['(', ' ']).next().unwrap_or_default().to_owned();
        decided.map_or_else(word, |()| "done".to_owned())
    }

    /// The process dies, with whatever it was doing, and another one begins.
    async fn restart(&mut self) -> String {
        if let Some((name, running)) = self.held.take() {
            running.abort();
            self.simulator.organisation().release(&name);
            drop(running.await);
            let store = &self.store;
            // Of a process that is gone the lease is taken over at once; this one is still there.
            store.reader().execute_unprepared("DELETE FROM lease").await.expect("deleted");
        }
        let closing = std::mem::replace(&mut self.store, open(&self.url, &self.clock).await);
        closing.close().await.expect("closed");
        self.registry = registry(&self.config, false);
        "done".to_owned()
    }
}

fn registry(config: &Config, times_out: bool) -> Arc<Registry> {
    let mut config = config.clone();
    if times_out {
        for source in config.sources.values_mut() {
            source.common.timeout = Duration::from_millis(100);
        }
    }
    // Tokens and their assertions are looked at by the simulator, by the machine's clock.
    Arc::new(Registry::build(&config, &Clock::system()).expect("sources"))
}

/// What every walk is configured with.
pub fn configure(world: &mut World) {
    let guard = format!("retry = {{ attempts = 1 }}\nguard = {{ max_removals = {REMOVALS_MAX} }}");
    world.configure("retry = { attempts = 1 }", &guard);
    world.configure(r#"cache_ttl = "5m""#, r#"cache_ttl = "0s""#);
    world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
    world.configure("grp_acme_admin@", "grp_acme_admins@");
    world.environment.push(("PROVISIONING_KEY".to_owned(), "provisioning-key".to_owned()));
    world.configure_also(
        "\n[[http.keys]]\nname = \"deploycenter\"\nsecret = { env = \"PROVISIONING_KEY\" }\nscopes = [\"provision:maildomain\"]\n",
    );
}
