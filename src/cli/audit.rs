//! `entitled audit`: who did what to whom, the newest first; all of it for an export.

use clap::{Args, ValueEnum};
use entitled_model::Moment;

use super::history::history;
use super::say::{self, cut, say, table};
use super::{CliError, Exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::history::{Audit, HistoryError};
use crate::http::{self, EventView};

/// The events that are read at once.
const PAGE_EVENTS: usize = 1_000;
/// How much of a payload a table shows, in characters.
const PAYLOAD_CHARS_MAX: usize = 80;

#[derive(Args)]
pub struct Options {
    /// Who decided: operator, system, key:NAME, source:NAME
    #[arg(long)]
    actor: Option<String>,
    /// An event's type, or with * at its end the beginning of some: membership.changed, user.*
    #[arg(long)]
    action: Option<String>,
    /// What it happened to: user:ID, group:ID, resource:TYPE:ID, plan:HASH, source:NAME
    #[arg(long, value_parser = subject)]
    subject: Option<(String, String)>,
    /// Only what came after: an instant such as 2026-11-22T10:00:00Z, or a position of the log such as @1234
    #[arg(long, value_name = "T")]
    since: Option<Moment>,
    /// Only what came up to
    #[arg(long, value_name = "T")]
    until: Option<Moment>,
    /// The most events [default: 100 in a table, all otherwise]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[arg(long, value_enum, default_value_t = Form::Table)]
    output: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    /// An event a line
    Jsonl,
    Csv,
}

fn subject(text: &str) -> Result<(String, String), String> {
    Audit::subject(text).ok_or_else(|| "expected a category, a colon and an id: group:ID".to_owned())
}

pub async fn run(options: Options, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let history = history(config, clock).await?;
    let Options { actor, action, subject, since, until, limit, output } = options;
    let mut left = limit.unwrap_or(if output == Form::Table { 100 } else { usize::MAX });
    let mut asked = Audit { actor, action, subject, since, until, before: None };
    let mut shown = Vec::new();
    let mut is_first = true;
    while left > 0 && !say::is_unheard() {
        let page = history.audit(&asked, left.min(PAGE_EVENTS)).await.map_err(refused)?;
        left -= page.rows.len();
        let events: Vec<EventView> = page.rows.into_iter().map(EventView::from).collect();
        match output {
            Form::Table => shown.extend(events),
            Form::Jsonl => write(&http::audit_lines(&events)),
            Form::Csv => write(&csv(&events, is_first)?),
        }
        is_first = false;
        asked.before = page.next;
        if asked.before.is_none() {
            break;
        }
    }
    if output == Form::Table {
        let row = |event: EventView| {
            let payload = cut(&event.payload.to_string(), PAYLOAD_CHARS_MAX);
            [event.position.to_string(), event.recorded_at, event.actor, event.event_type.to_owned(), payload]
        };
        say!("{}", table(["position", "at", "actor", "action", "what"], shown.into_iter().map(row)));
    }
    Ok(Exit::Done)
}

fn refused(error: HistoryError) -> CliError {
    match error {
        HistoryError::Store(error) => error.into(),
        error => CliError::usage(error.to_string(), "entitled events tail shows the newest positions"),
    }
}

/// The names of the columns stand in the first page alone.
fn csv(events: &[EventView], is_first: bool) -> Result<String, CliError> {
    let text = http::audit_csv(events).map_err(|error| CliError::internal("CSV can't be written", error))?;
    Ok(if is_first { text } else { text.split_once("\r\n").map(|(_, rest)| rest.to_owned()).unwrap_or_default() })
}

fn write(text: &str) {
    if !text.is_empty() {
        say!("{}", text.trim_end_matches(['\r', '\n']));
    }
}
