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
pub(super) const PAGE_EVENTS: usize = 1_000;
/// How much of a payload a table shows, in characters.
const PAYLOAD_CHARS_MAX: usize = 80;

#[derive(Args)]
pub struct Options {
    /// Who decided: operator, system, key:NAME, source:NAME
    #[arg(long)]
    pub(super) actor: Option<String>,
    /// An event's type, or with * at its end the beginning of some: membership.changed, user.*
    #[arg(long)]
    pub(super) action: Option<String>,
    /// What it happened to: user:ID, group:ID, resource:TYPE:ID, plan:HASH, source:NAME
    #[arg(long, value_parser = subject)]
    pub(super) subject: Option<(String, String)>,
    /// Only what came after: an instant such as 2026-11-22T10:00:00Z, or a position of the log such as @1234
    #[arg(long, value_name = "T")]
    pub(super) since: Option<Moment>,
    /// Only what came up to
    #[arg(long, value_name = "T")]
    pub(super) until: Option<Moment>,
    /// The most events [default: 100 in a table, all otherwise]
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub(super) output: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
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
    let mut telling = Telling::new(limit, output);
    let mut asked = Audit { actor, action, subject, since, until, before: None };
    while telling.goes_on() {
        let page = history.audit(&asked, telling.left.min(PAGE_EVENTS)).await.map_err(refused)?;
        telling.page(page.rows.into_iter().map(EventView::from).collect())?;
        asked.before = page.next;
        if asked.before.is_none() {
            break;
        }
    }
    telling.end();
    Ok(Exit::Done)
}

/// What is told page by page; a table is told at the end.
pub(super) struct Telling {
    /// How many events may still be told.
    pub left: usize,
    output: Form,
    shown: Vec<EventView>,
    is_first: bool,
}

impl Telling {
    pub fn new(limit: Option<usize>, output: Form) -> Self {
        let left = limit.unwrap_or(if output == Form::Table { 100 } else { usize::MAX });
        Self { left, output, shown: Vec::new(), is_first: true }
    }

    pub fn goes_on(&self) -> bool {
        self.left > 0 && !say::is_unheard()
    }

    pub fn page(&mut self, events: Vec<EventView>) -> Result<(), CliError> {
        self.left = self.left.saturating_sub(events.len());
        match self.output {
            Form::Table => self.shown.extend(events),
            Form::Jsonl => write(&http::audit_lines(&events)),
            Form::Csv => write(&csv(&events, self.is_first)?),
        }
        self.is_first = false;
        Ok(())
    }

    pub fn end(self) {
        if self.output != Form::Table {
            return;
        }
        let row = |event: EventView| {
            let payload = cut(&event.payload.to_string(), PAYLOAD_CHARS_MAX);
            [event.position.to_string(), event.recorded_at, event.actor, event.event_type, payload]
        };
        say!("{}", table(["position", "at", "actor", "action", "what"], self.shown.into_iter().map(row)));
    }
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
