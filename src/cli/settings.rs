//! `entitled config`: check and show.

use clap::Subcommand;

use super::say::say;
use super::{CliError, Exit};
use crate::config::{self, Loaded};

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
            let file = loaded.file.map_or_else(|| "built-in defaults".to_owned(), |file| file.display().to_string());
            say!("ok: {file}, {} sources", loaded.config.sources.len());
        }
        Settings::Show => say!("{}", config::show(&loaded.config).trim_end()),
    }
    Ok(Exit::Done)
}
