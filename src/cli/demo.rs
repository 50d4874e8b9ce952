//! `entitled demo`: simulators, daemon and sample data in one process, with a story that shows what entitled does.
//!
//! The story is true: every sentence that claims something was checked against the store or an answer over HTTP, and a
//! sentence that does not hold ends the demo with an error. All of it lives on loopback and in a temporary folder; the
//! operator's own configuration, environment and database are never looked at.
//!
//! [`stage`] (what runs) → [`story`] (what happens) → [`voice`] (how it is told).

mod cast;
mod hook;
mod stage;
mod story;
mod voice;
mod watch;

use clap::Args;

use super::serve::Signals;
use super::{CliError, Exit, Global, telemetry};
use crate::clock::Clock;
use crate::config::Config;
use stage::Stage;
use voice::Voice;
use watch::StoryError;

#[derive(Args)]
pub struct Options {
    /// Play the story and exit
    #[arg(long)]
    once: bool,
}

pub async fn run(options: Options, global: &Global) -> Result<Exit, CliError> {
    let mut signals = Signals::listen()?;
    let _telemetry = telemetry::start(&quiet(), global)?;
    let voice = Voice::of_stdout();
    let stage = Stage::set(&Clock::system()).await?;
    let ended = tokio::select! {
        ended = perform(&stage, &voice, options.once) => ended,
        () = signals.next() => Ok(()),
    };
    let cleared = tokio::select! {
        cleared = stage.clear() => cleared,
        // What is dropped here stops at once, and takes the folder with it.
        () = signals.next() => Ok(()),
    };
    cleared.map_err(|error| CliError::internal("the temporary folder can't be removed", error))?;
    match ended.and_then(|()| voice.tell("Everything was stopped, and the temporary folder is gone.")) {
        // Whoever listened has gone: that ends a demo as well as any signal.
        Ok(()) | Err(StoryError::Unheard) => Ok(Exit::Done),
        Err(error) => Err(CliError::internal("the story did not come out as told", error)),
    }
}

/// Plays the story. Without `once` it then goes on until it is dropped.
async fn perform(stage: &Stage, voice: &Voice, once: bool) -> Result<(), StoryError> {
    story::play(stage, voice).await?;
    if once {
        return voice.tell("Without --once the demo keeps running after its story, to be tried out.");
    }
    story::hand_over(stage, voice)?;
    std::future::pending().await
}

/// The narration says what happens; the log only what it does not foresee.
fn quiet() -> Config {
    let mut config = Config::default();
    "warn".clone_into(&mut config.log.level);
    config
}
