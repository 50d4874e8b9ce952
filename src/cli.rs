//! The command line: parse, call, format. `sync`'s exit codes and JSON are a contract; so are the others' exit codes.
//!
//! Answers go to stdout, logs and errors to stderr. May import everything below.

mod audit;
mod break_glass;
mod demo;
mod doctor;
mod document;
mod events;
mod failure;
mod grant;
mod group;
mod health;
mod history;
mod plan;
mod progress;
mod proof;
mod role;
mod say;
mod schema;
mod serve;
mod server;
mod settings;
mod simulate;
mod snapshot;
mod source;
mod sync;
mod telemetry;
mod token;
mod user;
mod why;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::admin::Admin;
use crate::clock::Clock;
use crate::config::{self, Config, LogFormat};
use crate::daemon;
use crate::store::{Access, Store};
use failure::{CliError, Exit};

/// One store of who belongs to what, and why.
#[derive(Parser)]
#[command(name = "entitled", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Global {
    /// The configuration [default: config/default.toml if there is one, else built-in defaults]
    #[arg(long, global = true, value_name = "FILE", env = "ENTITLED_CONFIG")]
    config: Option<PathBuf>,
    /// Ask this running entitled over HTTP, in the place of the database; ENTITLED_TOKEN or ENTITLED_TOKEN_FILE gives the token
    #[arg(long, global = true, value_name = "URL", env = "ENTITLED_SERVER", hide_env_values = true)]
    server: Option<String>,
    /// How logs are written to stderr [default: as configured, else text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// How an answer is written to stdout.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Run the scheduler and the HTTP interface
    Serve,
    /// Ask the sources once, for everything or for some users
    Sync(sync::Options),
    /// Bring the database schema up or down
    #[command(subcommand)]
    Migrate(schema::Migrate),
    /// Look at users, make them known, shut them out
    #[command(subcommand)]
    User(user::User),
    /// Look at groups, and change those that are made by hand
    #[command(subcommand)]
    Group(group::Group),
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Token(token::Token),
    /// What an operator does when nobody else can
    #[command(subcommand)]
    BreakGlass(break_glass::BreakGlass),
    /// Give groups permissions on resources, and take them back
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Roles in entitled's own API
    #[command(subcommand)]
    Role(role::Role),
    /// Look at plans that are held, and approve or reject them
    #[command(subcommand)]
    Plan(plan::Plan),
    /// What happened to a user or to a group, each thing with its cause
    History(history::HistoryOptions),
    /// Who did what to whom, the newest first; for an export, all of it
    Audit(audit::Options),
    /// Who was in what at a past instant
    Members(history::MembersOptions),
    /// How the memberships of two instants differ, each change with its cause
    Diff(history::DiffOptions),
    /// Why somebody is in a group, or what is lacking
    Why(why::Options),
    /// The event log
    #[command(subcommand)]
    Events(events::Events),
    /// Look at sources, and take away what is left of one that is no longer configured
    #[command(subcommand)]
    Source(source::Source),
    /// Keep what a source says now, for `sync --against`
    #[command(subcommand)]
    Snapshot(snapshot::Snapshot),
    /// Check that the event log is whole and the tables are what it says
    Verify(proof::Options),
    /// Fill the tables of current state anew from the event log
    Rebuild,
    /// Check or show the configuration
    #[command(subcommand)]
    Config(settings::Settings),
    /// Check the store, its schema, and every source's reachability and credentials
    Doctor(doctor::Options),
    /// Ask the running daemon whether it is ready: for container health checks
    #[command(hide = true)]
    Healthcheck,
    /// Play the systems that entitled reads from, with a sample organisation
    Simulate(simulate::Options),
    /// Simulators, daemon and sample data in one process, with a story
    Demo(demo::Options),
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return CliError::internal("the runtime can't be started", error).print(),
    };
    let ended = runtime.block_on(run(cli));
    // What is still running was given its grace; it is not waited for.
    runtime.shutdown_background();
    match (ended, say::fault()) {
        (Ok(exit), None) => exit.into(),
        (Ok(_), Some(fault)) => CliError::internal("the answer can't be written to stdout", fault).print(),
        (Err(error), _) => error.print(),
    }
}

async fn run(cli: Cli) -> Result<Exit, CliError> {
    let Cli { global, command } = cli;
    if let Some(address) = &global.server {
        return server::run(command, address, &global).await;
    }
    match command {
        // These make a configuration of their own; one that is named must be sound all the same.
        Command::Simulate(options) => {
            named(&global)?;
            let _telemetry = telemetry::start(&Config::default(), &global)?;
            simulate::run(options).await
        }
        Command::Demo(options) => {
            named(&global)?;
            demo::run(options, &global).await
        }
        Command::Config(settings) => settings::run(settings, load(&global)?),
        command => {
            let loaded = load(&global)?;
            let _telemetry = telemetry::start(&loaded.config, &global)?;
            for warning in &loaded.warnings {
                tracing::warn!("{warning}");
            }
            let (config, clock) = (loaded.config, Clock::system());
            match command {
                Command::Serve => serve::run(&config, &clock).await,
                Command::Sync(options) => sync::run(options, &config, &clock).await,
                Command::Migrate(migrate) => schema::run(migrate, &config, &clock).await,
                Command::User(user) => user::run(user, &config, &clock).await,
                Command::Group(group) => group::run(group, &config, &clock).await,
                Command::Token(token) => token::run(token, &config, &clock).await,
                Command::BreakGlass(command) => break_glass::run(command, &config, &clock).await,
                Command::Grant(grant) => grant::run(grant, &config, &clock).await,
                Command::Role(role) => role::run(role, &config, &clock).await,
                Command::Plan(plan) => plan::run(plan, &config, &clock).await,
                Command::Audit(options) => audit::run(options, &config, &clock).await,
                Command::History(options) => history::run(options, &config, &clock).await,
                Command::Members(options) => history::members(options, &config, &clock).await,
                Command::Diff(options) => history::diff(options, &config, &clock).await,
                Command::Why(options) => why::run(options, &config, &clock).await,
                Command::Events(events) => events::run(events, &config, &clock).await,
                Command::Snapshot(snapshot) => snapshot::run(snapshot, &config, &clock).await,
                Command::Source(source) => source::run(source, &config, &clock).await,
                Command::Verify(options) => proof::verify(&options, &config, &clock).await,
                Command::Rebuild => proof::rebuild(&config, &clock).await,
                Command::Healthcheck => health::run(&config).await,
                Command::Doctor(options) => doctor::run(options, &config, &clock).await,
                Command::Simulate(_) | Command::Demo(_) | Command::Config(_) => Ok(Exit::Done),
            }
        }
    }
}

/// Opens a store that is there, with the schema that is expected.
async fn open(config: &Config, clock: &Clock, access: Access) -> Result<Store, CliError> {
    let store = daemon::open_existing_store(config, clock, access).await?;
    daemon::require_schema(&store).await?;
    Ok(store)
}

/// The operator's hand, on the database itself.
async fn admin(config: &Config, clock: &Clock) -> Result<Admin, CliError> {
    let store = open(config, clock, Access::ReadWrite).await?;
    // The schema may be there before any daemon was.
    store.seed_system_groups().await?;
    let features = Arc::new(config.features.clone());
    Ok(Admin { store, features, actor: "operator".to_owned(), correlation_id: None, person: None })
}

fn named(global: &Global) -> Result<(), CliError> {
    global.config.as_ref().map_or(Ok(()), |_| load(global).map(drop))
}

fn load(global: &Global) -> Result<config::Loaded, CliError> {
    config::load(global.config.as_deref(), &environment()).map_err(CliError::config)
}

fn environment() -> BTreeMap<String, String> {
    let variables = std::env::vars_os();
    variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        }
    }
}
