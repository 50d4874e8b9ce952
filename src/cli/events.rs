//! `entitled events`: the log as it stands, and as it grows.

use std::time::Duration;

use clap::Subcommand;
use entitled_model::{Position, moment};
use tokio_util::sync::CancellationToken;

use super::history::history;
use super::say::{self, cut, say};
use super::serve::Signals;
use super::{CliError, Exit, Output};
use crate::clock::Clock;
use crate::config::Config;
use crate::history::{Follower, History};
use crate::http::EventView;

/// How many events are told when no position is named.
pub(super) const LAST_EVENTS: i64 = 20;
/// The events that are read at once.
const PAGE_EVENTS: u64 = 100;
/// How long one wait for news lasts; then it begins anew, and whoever has gone is noticed.
pub(super) const WAIT: Duration = Duration::from_secs(30);
/// How much of a payload a line of text shows, in characters; JSON has all of it.
const PAYLOAD_CHARS_MAX: usize = 100;

#[derive(Subcommand)]
pub enum Events {
    /// Events in the order in which they were committed: the newest 20, or all behind a position
    Tail {
        /// Begin behind this position
        #[arg(long, value_name = "POSITION", value_parser = position)]
        after: Option<Position>,
        /// Go on as events come, until interrupted
        #[arg(long)]
        follow: bool,
        /// JSON is one document a line
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}

fn position(text: &str) -> Result<Position, String> {
    moment::position(text).ok_or_else(|| "expected a position: a whole number, 0 or more".to_owned())
}

pub async fn run(events: Events, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let Events::Tail { after, follow, output } = events;
    let history = history(config, clock).await?;
    let mut after = match after {
        Some(after) => after,
        None => {
            let (head, _) = history.store.head(history.store.reader()).await?;
            Position((head.0 - LAST_EVENTS).max(0))
        }
    };
    if !follow {
        tell(&history, &mut after, output).await?;
        return Ok(Exit::Done);
    }
    let (mut signals, stop) = (Signals::listen()?, CancellationToken::new());
    let follower = Follower::new(history.store.clone(), stop.clone());
    let following = async {
        loop {
            tell(&history, &mut after, output).await?;
            if say::is_unheard() {
                return Ok::<_, CliError>(());
            }
            // One waits alone here: there is always a place.
            let _ = follower.wait(after, WAIT).await?;
        }
    };
    tokio::select! {
        followed = following => followed?,
        () = signals.next() => {}
    }
    Ok(Exit::Done)
}

/// Tells all events behind a position that there are, and moves it.
async fn tell(history: &History, after: &mut Position, output: Output) -> Result<(), CliError> {
    loop {
        let events = history.events_after(*after, PAGE_EVENTS).await?;
        let Some(last) = events.last().map(|event| event.recorded.position) else { return Ok(()) };
        for event in events {
            line(&event.into(), output)?;
        }
        *after = last;
        if say::is_unheard() {
            return Ok(());
        }
    }
}

pub(super) fn line(event: &EventView, output: Output) -> Result<(), CliError> {
    if output == Output::Json {
        let text = serde_json::to_string(event);
        say!("{}", text.map_err(|error| CliError::internal("an event can't be written as JSON", error))?);
        return Ok(());
    }
    let shown = cut(&event.payload.to_string(), PAYLOAD_CHARS_MAX);
    say!("{:>7}  {}  {:<26}  {:<20}  {shown}", event.position, event.recorded_at, event.event_type, event.actor);
    Ok(())
}
