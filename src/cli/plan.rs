//! `entitled plan`: plans that are held, and a person's word about them.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, open};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::http::{DueRemovalView, DueRemovalsView, PlanView};
use crate::store::{Access, HeldPlan, Store};

/// The waiting removals that are read at once.
const PAGE_ROWS: u64 = 1_000;

#[derive(Subcommand)]
pub enum Plan {
    /// Plans that are held, and those that they took the place of
    List {
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// What a plan would do
    Show {
        /// The plan's hash, or enough of its beginning
        hash: String,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Removals that wait for their time
    Due {
        /// Only of this source
        #[arg(long)]
        source: Option<String>,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Let a plan be applied by the next run of its source, once, as long as it is this very plan
    Approve {
        /// The plan's hash, or enough of its beginning
        hash: String,
        /// Why it is right
        #[arg(long)]
        reason: String,
        /// How long the approval waits for that run, such as 4h
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires_in: Option<Duration>,
    },
    /// Say that a plan is not wanted; it stays held, and an approval of it ends
    Reject {
        /// The plan's hash, or enough of its beginning
        hash: String,
        /// Why it is wrong
        #[arg(long)]
        reason: String,
    },
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text).ok_or_else(|| "expected a whole number and ms, s, m, h or d".to_owned())
}

pub async fn run(plan: Plan, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    match plan {
        Plan::List { output } => list(&open(config, clock, Access::ReadOnly).await?, output).await?,
        Plan::Show { hash, output } => show(&open(config, clock, Access::ReadOnly).await?, &hash, output).await?,
        Plan::Due { source, output } => {
            due(&open(config, clock, Access::ReadOnly).await?, source.as_deref(), output).await?;
        }
        Plan::Approve { hash, reason, expires_in } => {
            let expires_at = expires_in.map(|wait| clock.now() + wait);
            let plan = admin(config, clock).await?.approve_plan(&hash, &reason, expires_at).await?;
            show_approved(&plan.hash, plan.source.as_str());
        }
        Plan::Reject { hash, reason } => {
            let plan = admin(config, clock).await?.reject_plan(&hash, &reason).await?;
            say!("rejected: {}", plan.hash);
        }
    }
    Ok(Exit::Done)
}

async fn due(store: &Store, source: Option<&str>, output: Output) -> Result<(), CliError> {
    let (mut waiting, mut behind) = (Vec::new(), None);
    loop {
        let (page, last) = DueRemovalsView::read(store, source, behind.as_ref(), PAGE_ROWS).await?;
        waiting.extend(page.removals);
        if last.is_none() {
            break;
        }
        behind = last;
    }
    show_due(waiting, output);
    Ok(())
}

pub(super) fn show_due(waiting: Vec<DueRemovalView>, output: Output) {
    match output {
        Output::Json => say!("{:#}", json!(waiting)),
        Output::Table => {
            let row = |row: DueRemovalView| [row.due_at, row.email.unwrap_or(row.user), row.group, row.source];
            say!("{}", table(["due at", "user", "group", "source"], waiting.into_iter().map(row)));
        }
    }
}

async fn list(store: &Store, output: Output) -> Result<(), CliError> {
    let mut listed = Vec::new();
    for plan in store.held_plans(store.reader()).await? {
        listed.push(PlanView { changes: None, ..view(store, plan).await? });
    }
    show_list(listed, output);
    Ok(())
}

pub(super) fn show_list(plans: Vec<PlanView>, output: Output) {
    match output {
        Output::Json => say!("{:#}", json!(plans)),
        Output::Table => {
            let rows = plans.into_iter().map(|plan| {
                let (hash, changes) = (short(&plan.hash).to_owned(), format!("+{} -{}", plan.created, plan.removed));
                [hash, plan.source, plan.status, changes, plan.since, plan.held]
            });
            say!("{}", table(["plan", "source", "status", "changes", "held since", "why"], rows));
        }
    }
}

/// Enough of a hash to name the plan.
pub(super) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

async fn show(store: &Store, hash: &str, output: Output) -> Result<(), CliError> {
    let found = store.held_plan(store.reader(), hash).await?;
    show_one(view(store, found.ok_or_else(unknown)?).await?, output);
    Ok(())
}

pub(super) fn unknown() -> CliError {
    CliError::usage("there is no held plan of that hash", "entitled plan list shows all")
}

pub(super) fn show_one(plan: PlanView, output: Output) {
    if output == Output::Json {
        say!("{:#}", json!(plan));
        return;
    }
    let PlanView { hash, source, status, held, created, removed, changes, .. } = plan;
    say!("{hash}\n{source}  {status}  +{created} -{removed}\n{held}");
    let changes = changes.unwrap_or_default();
    let rows = [("+", "created"), ("-", "removed")].into_iter().flat_map(|(sign, list)| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let listed = changes[list].as_array().into_iter().flatten();
        listed.map(move |change| [sign.to_owned(), text(&change["user"]), text(&change["group"])])
    });
    say!("{}", table(["", "user", "group"], rows));
}

pub(super) fn show_approved(hash: &str, source: &str) {
    say!("approved: {hash}\nthe next run of {source} applies it, if it is still the same plan");
}

async fn view(store: &Store, plan: HeldPlan) -> Result<PlanView, CliError> {
    let approval = store.approval(store.reader(), &plan.source).await?;
    Ok(PlanView::of(plan, approval.as_ref()))
}
