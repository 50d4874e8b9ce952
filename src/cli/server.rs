//! `--server URL`: the same commands, asked of a running entitled over its REST interface.
//!
//! Each file answers for one noun and shows by the noun's own functions, so that both faces say the same. Invariant: a command
//! without a route is refused, never run on the database of this machine.

mod grant;
mod group;
mod history;
mod log;
mod plan;
mod role;
mod source;
mod token;
mod user;

use super::{CliError, Command, Exit, Global, environment, load, telemetry};
use crate::config::{Config, ServerConfig};
use crate::remote::Remote;

pub async fn run(command: Command, address: &str, global: &Global) -> Result<Exit, CliError> {
    // Of a configuration only how to log counts here; one that is named must be sound all the same.
    let config = match global.config {
        Some(_) => load(global)?.config,
        None => Config::default(),
    };
    let _telemetry = telemetry::start(&config, global)?;
    let help = "entitled --help tells of --server and its token";
    let server = ServerConfig::read(address, &environment()).map_err(|what| CliError::usage(what, help))?;
    if server.travels_in_clear {
        tracing::warn!("--server: plain http outside loopback sends secrets and personal data in clear");
    }
    let remote = Remote::new(server)?;
    match command {
        Command::User(user) => user::run(user, &remote).await,
        Command::Group(group) => group::run(group, &remote).await,
        Command::Token(token) => token::run(token, &remote).await,
        Command::Grant(grant) => grant::run(grant, &remote).await,
        Command::Role(role) => role::run(role, &remote).await,
        Command::Plan(plan) => plan::run(plan, &remote).await,
        Command::History(options) => history::run(options, &remote).await,
        Command::Members(options) => history::members(options, &remote).await,
        Command::Diff(options) => history::diff(options, &remote).await,
        Command::Why(options) => history::why(options, &remote).await,
        Command::Events(events) => log::events(events, &remote).await,
        Command::Audit(options) => log::audit(options, &remote).await,
        Command::Healthcheck => log::healthcheck(&remote).await,
        Command::Source(source) => source::run(source, &remote).await,
        Command::Serve
        | Command::Sync(_)
        | Command::Migrate(_)
        | Command::BreakGlass(_)
        | Command::Snapshot(_)
        | Command::Verify(_)
        | Command::Rebuild
        | Command::Config(_)
        | Command::Doctor(_)
        | Command::Simulate(_)
        | Command::Demo(_) => Err(on_the_database()),
    }
}

/// The answer to a command that has no route.
fn on_the_database() -> CliError {
    CliError::usage(
        "this command works on the database only, not with --server",
        "run it where the database is, without --server and ENTITLED_SERVER",
    )
}
