//! `entitled audit`: who did what to whom, the newest first; all of it for an export. And who was turned away.

use clap::{Args, ValueEnum};
use entitled_model::{Moment, Position};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::history::history;
use super::say::{self, cut, say, table};
use super::{CliError, Exit, open};
use crate::clock::Clock;
use crate::config::Config;
use crate::history::{Audit, HistoryError};
use crate::http::{self, AccessView, AccessesView, EventView};
use crate::store::{Access, Accesses};

/// The rows that are read at once.
pub(super) const PAGE_ROWS: usize = 1_000;
/// How many rows are told unless asked otherwise, where they are not told as they are read.
const ROWS: usize = 100;
/// How much of a payload a table shows, in characters.
const PAYLOAD_CHARS_MAX: usize = 80;

#[derive(Args)]
pub struct Options {
    /// Instead: who was turned away, for want of a credential or of a right
    #[arg(long, conflicts_with_all = ["actor", "action", "subject", "since", "until"])]
    pub(super) refusals: bool,
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
    /// Only refusals before this one
    #[arg(long, value_name = "ID", requires = "refusals")]
    pub(super) before: Option<Uuid>,
    /// The most rows [default: 100 in a table or in a document, all otherwise]
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub(super) output: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Table,
    /// One document, with the place where the next begins
    Json,
    /// A row a line
    Jsonl,
    Csv,
}

fn subject(text: &str) -> Result<(String, String), String> {
    Audit::subject(text).ok_or_else(|| "expected a category, a colon and an id: group:ID".to_owned())
}

pub async fn run(options: Options, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let Options { refusals: is_refusals, actor, action, subject, since, until, before, limit, output } = options;
    if is_refusals {
        return refusals(before, Telling::new(limit, output), config, clock).await;
    }
    let history = history(config, clock).await?;
    let mut telling = Telling::new(limit, output);
    let mut asked = Audit { actor, action, subject, since, until, before: None };
    while telling.goes_on() {
        let page = history.audit(&asked, telling.left.min(PAGE_ROWS)).await.map_err(refused)?;
        let next = page.next.map(|Position(next)| next);
        telling.page(page.rows.into_iter().map(EventView::from).collect(), json!(next))?;
        asked.before = page.next;
        if asked.before.is_none() {
            break;
        }
    }
    telling.end();
    Ok(Exit::Done)
}

async fn refusals(
    mut before: Option<Uuid>,
    mut telling: Telling<AccessView>,
    config: &Config,
    clock: &Clock,
) -> Result<Exit, CliError> {
    let store = open(config, clock, Access::ReadOnly).await?;
    while telling.goes_on() {
        let rows_max = telling.left.min(PAGE_ROWS) as u64;
        let found = store.accesses_before(Accesses::Failed, before, rows_max + 1).await?;
        let AccessesView { accesses, next } = AccessesView::of(found, rows_max);
        before = next.as_deref().and_then(|next| next.parse().ok());
        telling.page(accesses, json!(next))?;
        if before.is_none() {
            break;
        }
    }
    telling.end();
    Ok(Exit::Done)
}

/// A row of what is told here.
pub(super) trait Row: Serialize + Sized {
    /// The name of the list in a document, as the route's.
    const LIST: &'static str;

    fn table(rows: Vec<Self>) -> String;

    /// A line of names, then a row a line.
    fn csv(rows: &[Self]) -> Result<String, csv::Error>;
}

impl Row for EventView {
    const LIST: &'static str = "events";

    fn table(rows: Vec<Self>) -> String {
        let row = |event: EventView| {
            let payload = cut(&event.payload.to_string(), PAYLOAD_CHARS_MAX);
            [event.position.to_string(), event.recorded_at, event.actor, event.event_type, payload]
        };
        table(["position", "at", "actor", "action", "what"], rows.into_iter().map(row)).to_string()
    }

    fn csv(rows: &[Self]) -> Result<String, csv::Error> {
        http::audit_csv(rows)
    }
}

impl Row for AccessView {
    const LIST: &'static str = "accesses";

    fn table(rows: Vec<Self>) -> String {
        let row = |access: AccessView| {
            let AccessView { id, at, token: _, principal, verdict, method, route, status, address, request_id: _ } =
                access;
            let (principal, address) = (principal.unwrap_or_default(), address.unwrap_or_default());
            [id, at, verdict, principal, method, route, status.to_string(), address]
        };
        let header = ["id", "at", "verdict", "who", "method", "route", "status", "address"];
        table(header, rows.into_iter().map(row)).to_string()
    }

    fn csv(rows: &[Self]) -> Result<String, csv::Error> {
        http::accesses_csv(rows)
    }
}

/// What is told page by page; a table and a document are told at the end.
pub(super) struct Telling<R> {
    /// How many rows may still be told.
    pub left: usize,
    output: Form,
    shown: Vec<R>,
    next: Value,
    is_first: bool,
}

impl<R: Row> Telling<R> {
    pub fn new(limit: Option<usize>, output: Form) -> Self {
        let is_whole = matches!(output, Form::Table | Form::Json);
        let left = limit.unwrap_or(if is_whole { ROWS } else { usize::MAX });
        Self { left, output, shown: Vec::new(), next: Value::Null, is_first: true }
    }

    pub fn goes_on(&self) -> bool {
        self.left > 0 && !say::is_unheard()
    }

    /// The rows of a page, and where the next one begins.
    pub fn page(&mut self, rows: Vec<R>, next: Value) -> Result<(), CliError> {
        self.left = self.left.saturating_sub(rows.len());
        match self.output {
            Form::Table | Form::Json => self.shown.extend(rows),
            Form::Jsonl => write(&http::json_lines(&rows)),
            Form::Csv => write(&csv(&rows, self.is_first)?),
        }
        (self.is_first, self.next) = (false, next);
        Ok(())
    }

    pub fn end(self) {
        match self.output {
            Form::Table => say!("{}", R::table(self.shown)),
            Form::Json => {
                let list = R::LIST;
                say!("{:#}", json!({list: self.shown, "next": self.next}));
            }
            Form::Jsonl | Form::Csv => {}
        }
    }
}

fn refused(error: HistoryError) -> CliError {
    match error {
        HistoryError::Store(error) => error.into(),
        error => CliError::usage(error.to_string(), "entitled events tail shows the newest positions"),
    }
}

/// The names of the columns stand in the first page alone.
fn csv<R: Row>(rows: &[R], is_first: bool) -> Result<String, CliError> {
    let text = R::csv(rows).map_err(|error| CliError::internal("CSV can't be written", error))?;
    Ok(if is_first { text } else { text.split_once("\r\n").map(|(_, rest)| rest.to_owned()).unwrap_or_default() })
}

fn write(text: &str) {
    if !text.is_empty() {
        say!("{}", text.trim_end_matches(['\r', '\n']));
    }
}
