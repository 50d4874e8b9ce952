//! `entitled sync`: ask the sources once.

mod rehearsal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use entitled_model::{EmailAddress, RunId, SourceName, Trigger, UserId};
use tokio_util::sync::CancellationToken;

use super::document::{Document, Entry};
use super::progress::{OnTerminal, on_terminal};
use super::say::say;
use super::serve::Signals;
use super::{CliError, Exit, Output};
use crate::admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon;
use crate::metrics::Metrics;
use crate::reconcile::{Approve, Asked, RunError, Scope, SourceRun};
use crate::report::Reports;
use crate::runner::{Order, Runner};
use crate::source::{Asks, Person, Registry, Source, Urgency};
use crate::store::{Access, Store};

/// How long a one-shot waits for another process that is reading the same source.
const BUSY_PATIENCE: Duration = Duration::from_secs(60);
const BUSY_POLL: Duration = Duration::from_millis(250);

#[derive(Args)]
pub struct Options {
    /// A user to ask about: an e-mail, a sub or a user id; may be repeated [default: everything]
    #[arg(long = "user", value_name = "U")]
    users: Vec<String>,
    /// A source to ask; may be repeated [default: all]
    #[arg(long = "source", value_name = "S")]
    sources: Vec<String>,
    /// Print the plan and its hash, and write nothing at all
    #[arg(long)]
    dry_run: bool,
    /// Ask nobody: say what a snapshot, as it was recorded or edited, would do to what is stored now; writes nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "approve"])]
    against: Option<PathBuf>,
    /// Apply a held plan, if it is still the one with this hash
    #[arg(long, value_name = "HASH", requires = "reason", conflicts_with = "dry_run")]
    approve: Option<String>,
    /// Why the held plan is right
    #[arg(long, value_name = "TEXT", requires = "approve")]
    reason: Option<String>,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

pub async fn run(options: Options, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let registry = Registry::build(config, clock).map_err(daemon::StartError::from)?;
    if let Some(file) = &options.against {
        return rehearsal::run(file, &options, registry, config, clock).await;
    }
    let sources = chosen(&registry, &options.sources)?;
    let access = if options.dry_run { Access::ReadOnly } else { Access::ReadWrite };
    let store = daemon::open_store(config, clock, access).await?;
    if options.dry_run {
        daemon::require_schema(&store).await?;
    } else {
        daemon::prepare_store(&store, config).await?;
    }
    let runner = runner(&store, registry, config);
    let Named { users, unvouched } = named(&store, &sources, &options.users).await?;
    let stop = stop_on_signal()?;
    let approve = options.approve.zip(options.reason).map(approved).transpose()?;
    let progress = on_terminal();
    let shot = Shot {
        runner: &runner,
        users,
        unvouched,
        dry_run: options.dry_run,
        run_id: RunId(clock.new_id()),
        stop,
        approve,
        progress: &progress,
    };
    let mut entries = Vec::new();
    for source in &sources {
        if let Some(scope) = shot.scope(source) {
            entries.push(Entry { source: source.name.clone(), ended: shot.ask(source, scope).await });
        }
    }
    progress.finish();
    let names: Vec<UserId> = shot.users.iter().map(|asked| asked.person.user).collect();
    let document = Document { run_id: shot.run_id, dry_run: shot.dry_run, users: names, entries };
    print(&document, options.output, &store).await?;
    store.close().await?;
    Ok(document.exit())
}

async fn print(document: &Document, output: Output, store: &Store) -> Result<(), CliError> {
    match output {
        Output::Json => say!("{:#}", document.json()),
        Output::Table => say!("{}", document.table(store).await?.trim_end()),
    }
    Ok(())
}

/// Runs sources for one command; nobody scrapes its metrics.
pub(super) fn runner(store: &Store, registry: Registry, config: &Config) -> Runner {
    Runner {
        store: store.clone(),
        registry: Arc::new(registry),
        reports: Arc::new(Reports::new(Arc::new(Metrics::default()))),
        provisioned_types: Arc::new(config.http.provisioned_types()),
        lease_period: config.scheduler.lease,
    }
}

/// One invocation, over all its sources.
struct Shot<'a> {
    runner: &'a Runner,
    users: Vec<Asked>,
    unvouched: BTreeSet<UserId>,
    dry_run: bool,
    run_id: RunId,
    stop: CancellationToken,
    approve: Option<Approve>,
    progress: &'a OnTerminal,
}

impl Shot<'_> {
    /// What a source is asked about; `None` when there is nothing to ask it.
    fn scope(&self, source: &Source) -> Option<Scope> {
        if self.users.is_empty() {
            return Some(Scope::Whole);
        }
        let may_ask = |asked: &&Asked| !source.asks.one_by_one() || !self.unvouched.contains(&asked.person.user);
        let users: Vec<Asked> = self.users.iter().filter(may_ask).cloned().collect();
        (!users.is_empty()).then_some(Scope::Users(users))
    }

    async fn ask(&self, source: &Source, scope: Scope) -> Result<SourceRun, RunError> {
        let order = Order {
            run_id: self.run_id,
            trigger: Trigger::Manual,
            correlation_id: None,
            approve: self.approve.clone(),
            due_at: None,
            progress: self.progress,
            stop: self.stop.clone(),
        };
        match scope {
            scope if self.dry_run => self.runner.rehearse(source, scope, &order).await,
            Scope::Users(users) => self.runner.users(source, users, &order).await,
            Scope::Whole => self.whole(source, &order).await,
        }
    }

    /// Waits for its turn when a daemon is reading the source just now.
    async fn whole(&self, source: &Source, order: &Order<'_>) -> Result<SourceRun, RunError> {
        let clock = self.runner.store.clock();
        let began = clock.monotonic();
        loop {
            if let Some(ended) = self.runner.whole(source, order).await? {
                return Ok(ended);
            }
            if clock.monotonic().saturating_sub(began) > BUSY_PATIENCE {
                return Err(RunError::Busy);
            }
            tokio::select! {
                () = clock.sleep(BUSY_POLL) => {}
                () = self.stop.cancelled() => return Err(RunError::Stopped),
            }
        }
    }
}

fn approved((hash, reason): (String, String)) -> Result<Approve, CliError> {
    Ok(Approve { hash: hash.trim().to_lowercase(), reason: admin::reason(&reason)? })
}

pub(super) fn chosen(registry: &Registry, names: &[String]) -> Result<Vec<Arc<Source>>, CliError> {
    let all: BTreeMap<String, Arc<Source>> =
        registry.iter().map(|source| (source.name.to_string(), Arc::clone(source))).collect();
    let configured = all.keys().cloned().collect::<Vec<_>>().join(", ");
    if all.is_empty() {
        return Err(CliError::usage(
            "no source is configured",
            "name one under [sources.<name>]; see config/default.toml",
        ));
    }
    if names.is_empty() {
        return Ok(all.into_values().collect());
    }
    let mut chosen: BTreeMap<SourceName, Arc<Source>> = BTreeMap::new();
    for name in names {
        let source = all.get(name).ok_or_else(|| {
            CliError::usage(format!("there is no source {name}"), format!("configured: {configured}"))
        })?;
        chosen.insert(source.name.clone(), Arc::clone(source));
    }
    Ok(chosen.into_values().collect())
}

/// The users named on the command line.
#[derive(Default)]
struct Named {
    users: Vec<Asked>,
    /// Newcomers of whom no directory could say whether they exist. A backend answers about anybody: it is not asked.
    unvouched: BTreeSet<UserId>,
}

/// Finds the users by their names; one that is not stored must be known to a source that is asked.
async fn named(store: &Store, sources: &[Arc<Source>], names: &[String]) -> Result<Named, CliError> {
    let mut found: BTreeMap<UserId, Asked> = BTreeMap::new();
    let mut unvouched = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(user) = store.user_by_any_name(store.reader(), name).await? {
            let person = Person::from(user);
            found.insert(person.user, Asked { person, newcomer: false });
            continue;
        }
        let unknown = || {
            CliError::usage(
                // By its place: an address has no business on stderr, where logs go.
                format!("--user number {} is known neither here nor to a directory that was asked", index + 1),
                "--user takes an e-mail, a sub or a user id; entitled user list shows who is known",
            )
        };
        let email = EmailAddress::parse(name).map_err(|_| unknown())?;
        if found.values().any(|asked| asked.person.email.as_ref().map(EmailAddress::key) == Some(email.key())) {
            continue;
        }
        let user = UserId(store.clock().new_id());
        let person = Person { user, email: Some(email), sub: None, external_id: None, claims: BTreeMap::new() };
        match vouched(sources, &person).await {
            Some(true) => {}
            Some(false) => return Err(unknown()),
            // The run says that the directory is unavailable.
            None => _ = unvouched.insert(user),
        }
        found.insert(user, Asked { person, newcomer: true });
    }
    Ok(Named { users: found.into_values().collect(), unvouched })
}

/// Whether a directory knows the person; `None` when one that might could not say.
async fn vouched(sources: &[Arc<Source>], person: &Person) -> Option<bool> {
    let mut known = Some(false);
    for source in sources {
        let Asks::Groups(groups) = &source.asks else { continue };
        match groups.groups_of(person, Urgency::Awaited).await {
            Ok(answer) if answer.present => return Some(true),
            Ok(_) => {}
            Err(_) => known = None,
        }
    }
    known
}

pub(super) fn stop_on_signal() -> Result<CancellationToken, CliError> {
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        signals.next().await;
        stopped.cancel();
    });
    Ok(stop)
}
