//! `entitled migrate`: the schema's steps.

mod readonly;

use clap::Subcommand;

use super::say::say;
use super::{CliError, Exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon;
use crate::store::{Access, Store};

#[derive(Subcommand)]
pub enum Migrate {
    /// Apply all pending steps; may run several times and at once
    Up,
    /// Take the newest step back; what it held is gone
    Down {
        /// Take all steps back
        #[arg(long)]
        all: bool,
    },
    /// List the steps and which are applied
    Status,
    /// A user of PostgreSQL who may read the tables that entitled lists, and nothing else
    #[command(subcommand)]
    ReadonlyRole(readonly::ReadonlyRole),
}

pub async fn run(migrate: Migrate, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let migrate = match migrate {
        Migrate::ReadonlyRole(role) => return readonly::run(role, config, clock).await,
        migrate => migrate,
    };
    let access = if matches!(migrate, Migrate::Status) { Access::ReadOnly } else { Access::ReadWrite };
    let missing = matches!(migrate, Migrate::Status) && daemon::is_missing(config);
    let store = daemon::open_store(config, clock, access).await?;
    match migrate {
        Migrate::Up => {
            let applied = store.migrate_up().await?;
            store.seed_system_groups().await?;
            told("applied", &applied, "the schema is up to date");
        }
        Migrate::Down { all } => {
            let taken = store.migrate_down(if all { None } else { Some(1) }).await?;
            told("taken back", &taken, "there was nothing to take back");
        }
        Migrate::Status => status(&store, missing).await?,
        Migrate::ReadonlyRole(_) => {}
    }
    store.close().await?;
    Ok(Exit::Done)
}

fn told(what: &str, steps: &[String], nothing: &str) {
    if steps.is_empty() {
        say!("{nothing}");
    }
    for step in steps {
        say!("{what}: {step}");
    }
}

async fn status(store: &Store, missing: bool) -> Result<(), CliError> {
    for step in store.migration_steps().await? {
        say!("{} {}", if step.applied && !missing { "applied" } else { "pending" }, step.name);
    }
    Ok(())
}
