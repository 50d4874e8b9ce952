//! The command line: parse, call, format. `sync`'s exit codes and JSON are a contract; so are the others' exit codes.
//!
//! Answers go to stdout, logs and errors to stderr. May import everything below.

mod demo;
mod doctor;
mod document;
mod failure;
mod grant;
mod group;
mod health;
mod plan;
mod progress;
mod proof;
mod say;
mod schema;
mod serve;
mod settings;
mod simulate;
mod sync;
mod telemetry;
mod user;

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
    /// Look at users
    #[command(subcommand)]
    User(user::User),
    /// Look at groups, and change those that are made by hand
    #[command(subcommand)]
    Group(group::Group),
    /// Give groups permissions on resources, and take them back
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Look at plans that are held, and approve or reject them
    #[command(subcommand)]
    Plan(plan::Plan),
    /// Check that the event log is whole and the tables are what it says
    Verify,
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
                Command::Grant(grant) => grant::run(grant, &config, &clock).await,
                Command::Plan(plan) => plan::run(plan, &config, &clock).await,
                Command::Verify => proof::verify(&config, &clock).await,
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
    let features = Arc::new(config.features.clone());
    Ok(Admin { store, features, actor: "operator".to_owned(), correlation_id: None })
}

fn named(global: &Global) -> Result<(), CliError> {
    global.config.as_ref().map_or(Ok(()), |_| load(global).map(drop))
}

fn load(global: &Global) -> Result<config::Loaded, CliError> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    config::load(global.config.as_deref(), &environment).map_err(CliError::config)
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        }
    }
}
