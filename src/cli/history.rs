//! `entitled history`, `entitled members` and `entitled diff`: what was, and what changed by what cause.

use std::sync::Arc;

use clap::Args;
use entitled_model::Moment;
use entitled_model::history::{About, Place};
use serde::Serialize;
use serde_json::Value;

use super::say::{cut, say, table};
use super::{CliError, Exit, Output, open};
use crate::clock::Clock;
use crate::config::Config;
use crate::history::{History, MemberPlace, Members, Rules, Window};
use crate::http::{DiffView, EntryView, HistoryView, MembershipsView};
use crate::store::Access;

/// The most rows of one answer.
const ROWS_MAX: i64 = 10_000;
/// How much of a payload a table shows, in characters; JSON has all of it.
const DETAILS_CHARS_MAX: usize = 80;

#[derive(Args)]
pub struct HistoryOptions {
    #[command(flatten)]
    pub(super) about: AboutOptions,
    /// Only what came after: an instant such as 2026-11-22T10:00:00Z, or a position of the log such as @1234
    #[arg(long, value_name = "T")]
    pub(super) since: Option<Moment>,
    /// Only what came up to
    #[arg(long, value_name = "T")]
    pub(super) until: Option<Moment>,
    /// Where the answer before was cut
    #[arg(long, value_name = "PLACE")]
    pub(super) after: Option<Place>,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct AboutOptions {
    /// An e-mail, a sub or a user id
    #[arg(long, value_name = "U")]
    pub(super) user: Option<String>,
    /// The group's name or id; one that was deleted included
    #[arg(long)]
    pub(super) group: Option<String>,
}

#[derive(Args)]
pub struct MembersOptions {
    /// An instant such as 2026-11-22T10:00:00Z, or a position of the log such as @1234 [default: now]
    #[arg(long, value_name = "T")]
    pub(super) as_of: Option<Moment>,
    /// Only those of an e-mail, a sub or a user id
    #[arg(long, value_name = "U")]
    pub(super) user: Option<String>,
    /// Only those of a group, by name or id
    #[arg(long)]
    pub(super) group: Option<String>,
    /// Where the answer before was cut; it is true at the same position
    #[arg(long, value_name = "PLACE")]
    pub(super) after: Option<MemberPlace>,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Args)]
pub struct DiffOptions {
    /// The first moment: an instant such as 2026-11-22T10:00:00Z, or a position of the log such as @1234
    #[arg(value_name = "T1")]
    pub(super) from: Moment,
    /// The second
    #[arg(value_name = "T2")]
    pub(super) to: Moment,
    /// Where the answer before was cut
    #[arg(long, value_name = "PLACE")]
    pub(super) after: Option<Place>,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Args)]
pub(super) struct Form {
    /// How many rows at most, 1 to 10,000; the answer says where the rest begins
    #[arg(long, value_name = "ROWS", default_value_t = ROWS_MAX, value_parser = clap::value_parser!(i64).range(1..=ROWS_MAX))]
    limit: i64,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
}

impl Form {
    pub(super) fn rows_max(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(1)
    }
}

/// What answers about the past, on the database itself.
pub(super) async fn history(config: &Config, clock: &Clock) -> Result<History, CliError> {
    let store = open(config, clock, Access::ReadOnly).await?;
    Ok(History { store, rules: Arc::new(Rules::of(config)) })
}

pub async fn run(options: HistoryOptions, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let HistoryOptions { about: AboutOptions { user, group }, since, until, after, form } = options;
    let history = history(config, clock).await?;
    let about = match (user, group) {
        (Some(user), _) => About::User(history.user(&user).await?),
        (None, group) => About::Group(history.group(&group.unwrap_or_default()).await?),
    };
    let window = Window { since, until, after, rows_max: form.rows_max() };
    show(history.of(about, &window).await?.into(), &form)
}

pub(super) fn show(answer: HistoryView, form: &Form) -> Result<Exit, CliError> {
    if form.output == Output::Json {
        return document(&answer);
    }
    entries(&answer.entries);
    let span = format!(" --since @{} --until @{}", answer.from_position, answer.to_position);
    rest(answer.next, &span);
    Ok(Exit::Done)
}

pub async fn members(options: MembersOptions, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let MembersOptions { as_of, user, group, after, form } = options;
    let history = history(config, clock).await?;
    let user = match user {
        Some(user) => Some(history.user(&user).await?),
        None => None,
    };
    let group = match group {
        Some(group) => Some(history.group(&group).await?),
        None => None,
    };
    let asked = Members { as_of, user, group, after, rows_max: form.rows_max() };
    show_members(history.members(&asked).await?.into(), &form)
}

pub(super) fn show_members(answer: MembershipsView, form: &Form) -> Result<Exit, CliError> {
    if form.output == Output::Json {
        return document(&answer);
    }
    let rows = answer.memberships.into_iter().map(|row| {
        let until = row.removed_at.unwrap_or_default();
        [row.group, row.email.unwrap_or(row.user), row.source, row.added_at, until]
    });
    say!("{}", table(["group", "user", "source", "added at", "until"], rows));
    rest(answer.next, "");
    Ok(Exit::Done)
}

pub async fn diff(options: DiffOptions, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let DiffOptions { from, to, after, form } = options;
    let history = history(config, clock).await?;
    let window = Window { since: Some(from), until: Some(to), after, rows_max: form.rows_max() };
    show_diff(history.difference(&window).await?.into(), &form)
}

pub(super) fn show_diff(answer: DiffView, form: &Form) -> Result<Exit, CliError> {
    if form.output == Output::Json {
        return document(&answer);
    }
    entries(&answer.changes);
    rest(answer.next, &format!(" of @{} @{}", answer.from_position, answer.to_position));
    Ok(Exit::Done)
}

pub(super) fn document(answer: &impl Serialize) -> Result<Exit, CliError> {
    let text = serde_json::to_string_pretty(answer);
    say!("{}", text.map_err(|error| CliError::internal("the answer can't be written as JSON", error))?);
    Ok(Exit::Done)
}

fn entries(entries: &[EntryView]) {
    let header = ["position", "recorded at", "observed at", "what", "user", "group", "source", "by", "run", ""];
    let rows = entries.iter().map(|entry| {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            entry.position.to_string(),
            entry.recorded_at.clone(),
            entry.observed_at.clone(),
            entry.change.as_ref().unwrap_or(&entry.event).clone(),
            entry.email.clone().or_else(|| entry.user.clone()).unwrap_or_default(),
            entry.group.clone().or_else(|| entry.group_id.clone()).unwrap_or_default(),
            or_none(&entry.source),
            entry.actor.clone(),
            or_none(&entry.run_id),
            entry.payload.as_ref().map(details).unwrap_or_default(),
        ]
    });
    say!("{}", table(header, rows));
}

/// What a payload says beside whom it is about.
fn details(payload: &Value) -> String {
    let fields = payload.as_object().into_iter().flatten();
    let told = fields
        .filter(|(name, value)| !["user", "users", "group", "source"].contains(&name.as_str()) && !value.is_null());
    let told: Vec<String> = told.map(|(name, value)| format!("{name}={value}")).collect();
    cut(&told.join(" "), DETAILS_CHARS_MAX)
}

fn rest(next: Option<String>, beside: &str) {
    if let Some(next) = next {
        say!("cut here: the rest comes with --after {next}{beside}");
    }
}
