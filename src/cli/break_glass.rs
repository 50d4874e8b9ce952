//! `entitled break-glass`: what an operator does when nobody else can.

use clap::Subcommand;
use entitled_model::EmailAddress;

use super::say::say;
use super::{CliError, Exit, admin};
use crate::admin::{AdminError, Granted};
use crate::clock::Clock;
use crate::config::Config;

#[derive(Subcommand)]
pub enum BreakGlass {
    /// Make somebody an administrator, with a source and an event of its own
    GrantAdmin {
        /// Whose address it is; somebody unknown becomes known
        email: String,
    },
}

pub async fn run(command: BreakGlass, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let BreakGlass::GrantAdmin { email } = command;
    let admin = admin(config, clock).await?;
    let email = EmailAddress::parse(&email).map_err(AdminError::from)?;
    match admin.break_glass(&email).await {
        Ok(Granted::Now) => say!("an administrator now, by source break_glass"),
        Ok(Granted::Already) => say!("an administrator by source break_glass already"),
        Err(error @ AdminError::NotActive(_)) => {
            return Err(CliError::usage(error.to_string(), "entitled user reactivate lets them in again"));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}
