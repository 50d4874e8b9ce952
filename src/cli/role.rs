//! `entitled role`: roles in entitled's own API, assigned by the operator.

use clap::{Args, Subcommand};
use entitled_model::event::RoleSubject;
use entitled_model::instant::written;
use entitled_model::role::Role as Word;
use serde_json::{Value, json};

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, group, open, user};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Access, Store};

/// The assignments that are read at once.
const PAGE_ROWS: u64 = 1_000;

#[derive(Subcommand)]
pub enum Role {
    /// Roles that were assigned
    List {
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Assign a role, in the place of the one before
    Set {
        /// viewer, use, manage or owner
        role: Word,
        #[command(flatten)]
        subject: Subject,
    },
    /// Take a role away
    Remove {
        #[command(flatten)]
        subject: Subject,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Subject {
    /// An e-mail, a sub or a user id
    #[arg(long, value_name = "U")]
    pub(super) user: Option<String>,
    /// The name or id of a group, for everybody in it
    #[arg(long)]
    pub(super) group: Option<String>,
}

pub async fn run(role: Role, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    match role {
        Role::List { output } => list(&open(config, clock, Access::ReadOnly).await?, output).await?,
        Role::Set { role, subject } => {
            let admin = admin(config, clock).await?;
            admin.set_role(named(&admin.store, subject).await?, Some(role)).await?;
        }
        Role::Remove { subject } => {
            let admin = admin(config, clock).await?;
            let before = admin.set_role(named(&admin.store, subject).await?, None).await?;
            before.ok_or_else(none)?;
        }
    }
    Ok(Exit::Done)
}

async fn named(store: &Store, subject: Subject) -> Result<RoleSubject, CliError> {
    match subject {
        Subject { user: Some(user), .. } => Ok(RoleSubject::User(user::found(store, &user).await?.id)),
        Subject { group, .. } => Ok(RoleSubject::Group(group::found(store, &group.unwrap_or_default()).await?)),
    }
}

async fn list(store: &Store, output: Output) -> Result<(), CliError> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = store.roles_after(after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.subject.id());
        rows.extend(page);
    }
    let row = |row: crate::store::RoleAssignment| {
        [row.subject.kind().to_owned(), row.subject.id().to_string(), row.role.to_string(), written(row.since)]
    };
    show(rows.into_iter().map(row), output);
    Ok(())
}

/// Each with the kind and the id of its subject, the role, and since when.
pub(super) fn show(rows: impl Iterator<Item = [String; 4]>, output: Output) {
    match output {
        Output::Json => {
            let one =
                |[kind, id, role, since]: [String; 4]| json!({"subject": kind, "id": id, "role": role, "since": since});
            say!("{:#}", Value::from_iter(rows.map(one)));
        }
        Output::Table => say!("{}", table(["subject", "id", "role", "since"], rows)),
    }
}

/// What there is nothing of to take away.
pub(super) fn none() -> CliError {
    CliError::usage("no role is assigned to it", "entitled role list shows all")
}
