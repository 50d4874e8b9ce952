//! `entitled source` on a server. What is left of a source is taken away on the database only.

use super::on_the_database;
use crate::cli::source::{self, Source};
use crate::cli::{CliError, Exit};
use crate::remote::Remote;

pub async fn run(source: Source, remote: &Remote) -> Result<Exit, CliError> {
    match source {
        Source::List { output } => source::show(remote.get(&["admin", "sources"], &[]).await?, output),
        Source::Forget { .. } => return Err(on_the_database()),
    }
    Ok(Exit::Done)
}
