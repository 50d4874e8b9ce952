//! `entitled migrate readonly-role`: the database user of whoever may look and not touch.

use clap::Subcommand;

use super::{CliError, Config, Exit, daemon};
use crate::cli::say::say;
use crate::clock::Clock;
use crate::store::{Access, Database, ReadonlyRole as Found, RoleName};

/// Where its password stands.
const PASSWORD: &str = "ENTITLED_RO_PASSWORD";

#[derive(Subcommand)]
pub enum ReadonlyRole {
    /// Make the role, or make it as it should be, with the password of ENTITLED_RO_PASSWORD
    Up {
        #[arg(long, default_value = "entitled_readonly", value_parser = RoleName::parse)]
        role: RoleName,
    },
    /// Take the role away, with every grant
    Down {
        #[arg(long, default_value = "entitled_readonly", value_parser = RoleName::parse)]
        role: RoleName,
    },
    /// Compare the role with what it should be: 0 when it is, 1 when it is not
    Status {
        #[arg(long, default_value = "entitled_readonly", value_parser = RoleName::parse)]
        role: RoleName,
    },
}

pub async fn run(role: ReadonlyRole, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let access = if matches!(role, ReadonlyRole::Status { .. }) { Access::ReadOnly } else { Access::ReadWrite };
    let store = daemon::open_existing_store(config, clock, access).await?;
    daemon::require_schema(&store).await?;
    let found = match &role {
        _ if store.database() == Database::Sqlite => None,
        ReadonlyRole::Up { role } => {
            let password = password()?;
            store.readonly_role_up(role, &password).await?
        }
        ReadonlyRole::Down { role } => store.readonly_role_down(role).await?,
        ReadonlyRole::Status { role } => store.readonly_role(role).await?,
    };
    store.close().await?;
    Ok(told(&role, found))
}

fn told(role: &ReadonlyRole, found: Option<Found>) -> Exit {
    let Some(Found { exists, drift }) = found else {
        say!("does not apply: SQLite has no roles; whoever may read the file may read everything");
        return Exit::Done;
    };
    for line in &drift {
        say!("drift: {line}");
    }
    match role {
        ReadonlyRole::Down { .. } => say!("gone"),
        _ if !exists => say!("there is no such role"),
        _ if drift.is_empty() => say!("as it should be"),
        _ => say!("not as it should be"),
    }
    let well = if matches!(role, ReadonlyRole::Down { .. }) { !exists } else { exists && drift.is_empty() };
    if well { Exit::Done } else { Exit::Unwell }
}

fn password() -> Result<String, CliError> {
    let given = std::env::var(PASSWORD).ok().filter(|password| !password.is_empty());
    given.ok_or_else(|| {
        CliError::usage(
            format!("the environment variable {PASSWORD} is not set, or is empty or not UTF-8"),
            "it holds the role's password; nothing was changed",
        )
    })
}
