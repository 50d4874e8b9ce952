//! `entitled config`: check and show.

use clap::Subcommand;

use super::say::say;
use super::{CliError, Exit};
use crate::clock::Clock;
use crate::config::{self, Loaded};
use crate::daemon::StartError;
use crate::source::Registry;

#[derive(Subcommand)]
pub enum Settings {
    /// Check the configuration without starting
    Check,
    /// Print every key with its value; secrets by where they come from
    Show,
}

pub fn run(settings: Settings, loaded: Loaded) -> Result<Exit, CliError> {
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    match settings {
        Settings::Check => {
            // What only the sources themselves can tell: whether a key can sign, whether a secret can be sent.
            Registry::build(&loaded.config, &Clock::system()).map_err(StartError::from)?;
            let file = loaded.file.map_or_else(|| "built-in defaults".to_owned(), |file| file.display().to_string());
            say!("ok: {file}, {} sources", loaded.config.sources.len());
        }
        Settings::Show => say!("{}", config::show(&loaded.config).trim_end()),
    }
    Ok(Exit::Done)
}
