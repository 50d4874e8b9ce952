//! `entitled demo`.
use clap::Args;

use super::{CliError, Exit, Global};

#[derive(Args)]
pub struct Options {
    /// Play the story and exit
    #[arg(long)]
    once: bool,
}

pub async fn run(options: Options, _global: &Global) -> Result<Exit, CliError> {
    let _ = options.once;
    Ok(Exit::Done)
}
