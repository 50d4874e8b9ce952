//! `entitled doctor`: is the store there, is its schema right, does every source answer, with these credentials and these
//! rights, by the same clock?
//!
//! Invariant: it writes nothing, and names a user by id alone.

mod finding;
mod ground;
mod source;

use clap::Args;

use super::{CliError, Exit, Output};
use crate::clock::Clock;
use crate::config::Config;
use crate::report::chain;
use crate::source::Registry;
use finding::{Finding, Findings};

#[derive(Args)]
pub struct Options {
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Exits 0 when all is well, warnings or not, and 1 when not.
pub async fn run(options: Options, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let mut findings = Findings::new(options.output);
    let people = ground::examine(config, clock, &mut findings).await;
    match Registry::build(config, clock) {
        Err(error) => findings.add(Finding::fail("sources", chain(&error), "see the setting that is named")),
        Ok(registry) => {
            for source in registry.iter() {
                source::examine(source, &people, clock, &mut findings).await;
            }
        }
    }
    Ok(if findings.end() { Exit::Done } else { Exit::Unwell })
}
