//! `entitled group`: groups and their members, and what an administrator does about them by hand.

use std::time::Duration;

use clap::Subcommand;
use entitled_model::instant::written;
use entitled_model::{GroupId, GroupName, Instant, UserId};
use serde_json::{Value, json};

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, open, user};
use crate::admin::AdminError;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Access, GroupRow, MembershipRow, Store};

#[derive(Subcommand)]
pub enum Group {
    /// All groups
    List {
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// A group's members, with the source of each
    Members {
        /// The group's name or id
        group: String,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Make a group whose members are put in by hand
    Create {
        /// Unique
        name: String,
        /// What the group is for
        #[arg(long)]
        description: Option<String>,
    },
    /// Delete a group that was made by hand, with its memberships and grants
    Delete {
        /// The group's name or id
        group: String,
    },
    /// Put a user into a group by hand
    AddMember {
        /// The group's name or id
        group: String,
        /// An e-mail, a sub or a user id
        #[arg(value_name = "U")]
        user: String,
        /// When the membership ends by itself, such as 2026-12-31T18:00:00Z [default: never]
        #[arg(long, value_name = "INSTANT", value_parser = instant, conflicts_with = "expires_in")]
        expires_at: Option<Instant>,
        /// The same, from now on, such as 8h
        #[arg(long, value_name = "DURATION", value_parser = super::plan::duration)]
        expires_in: Option<Duration>,
    },
    /// Take a user out of a group into which they were put by hand
    RemoveMember {
        /// The group's name or id
        group: String,
        /// An e-mail, a sub or a user id
        #[arg(value_name = "U")]
        user: String,
    },
}

pub async fn run(group: Group, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    match group {
        Group::List { output } => list(&open(config, clock, Access::ReadOnly).await?, output).await?,
        Group::Members { group, output } => {
            let store = open(config, clock, Access::ReadOnly).await?;
            members(&store, found(&store, &group).await?, output).await?;
        }
        Group::Create { name, description } => {
            let admin = admin(config, clock).await?;
            let name = GroupName::parse(&name).map_err(AdminError::from)?;
            let group = admin.create_group(name, description.as_deref()).await?;
            say!("{group}");
        }
        Group::Delete { group } => {
            let admin = admin(config, clock).await?;
            admin.delete_group(found(&admin.store, &group).await?, &|_| true).await?;
        }
        Group::AddMember { group, user, expires_at, expires_in } => {
            let admin = admin(config, clock).await?;
            let (group, user) = (found(&admin.store, &group).await?, user_of(&admin.store, &user).await?);
            let expires_at = expires_at.or(expires_in.map(|wait| clock.now() + wait));
            admin.add_member(group, user, expires_at).await?;
        }
        Group::RemoveMember { group, user } => {
            let admin = admin(config, clock).await?;
            let (group, user) = (found(&admin.store, &group).await?, user_of(&admin.store, &user).await?);
            admin.remove_member(group, user).await?;
        }
    }
    Ok(Exit::Done)
}

fn instant(text: &str) -> Result<Instant, String> {
    entitled_model::instant::read(text).ok_or_else(|| "expected an instant of RFC 3339".to_owned())
}

pub(super) async fn found(store: &Store, name: &str) -> Result<GroupId, CliError> {
    let found = store.group_by_any_name(name).await?;
    found.ok_or_else(unknown)
}

pub(super) fn unknown() -> CliError {
    CliError::usage("there is no such group", "entitled group list shows all")
}

async fn user_of(store: &Store, name: &str) -> Result<UserId, CliError> {
    user::found(store, name).await.map(|user| user.id)
}

/// A group in the list.
pub(super) struct Listed {
    pub id: String,
    pub name: String,
    pub managed_by: Option<String>,
    pub members: u64,
}

/// A source's support for a membership.
pub(super) struct Member {
    pub user: String,
    pub email: Option<String>,
    pub source: String,
    pub added_at: String,
    pub due_at: Option<String>,
}

async fn list(store: &Store, output: Output) -> Result<(), CliError> {
    let listed = |group: GroupRow| Listed {
        id: group.id.to_string(),
        name: group.name,
        managed_by: group.managed_by.map(|source| source.to_string()),
        members: group.members,
    };
    show_list(store.groups().await?.into_iter().map(listed).collect(), output);
    Ok(())
}

pub(super) fn show_list(groups: Vec<Listed>, output: Output) {
    match output {
        Output::Json => {
            let group =
                |g: Listed| json!({"id": g.id, "name": g.name, "managed_by": g.managed_by, "members": g.members});
            say!("{:#}", Value::from_iter(groups.into_iter().map(group)));
        }
        Output::Table => {
            let rows = groups.into_iter().map(|g| [g.name, g.managed_by.unwrap_or_default(), g.members.to_string()]);
            say!("{}", table(["group", "managed by", "members"], rows));
        }
    }
}

async fn members(store: &Store, group: GroupId, output: Output) -> Result<(), CliError> {
    let members = store.memberships_of_group(store.reader(), group).await?;
    let users: Vec<_> = members.iter().map(|member| member.user).collect();
    let addresses = store.emails_of(store.reader(), &users).await?;
    let member = |row: &MembershipRow| Member {
        user: row.user.to_string(),
        email: addresses.get(&row.user).cloned(),
        source: row.source.to_string(),
        added_at: written(row.added_at),
        due_at: row.due_at.map(written),
    };
    show_members(members.iter().map(member).collect(), output);
    Ok(())
}

pub(super) fn show_members(members: Vec<Member>, output: Output) {
    match output {
        Output::Json => {
            let member = |Member { user, email, source, added_at, due_at }| {
                let mut member = json!({"user": user, "email": email, "source": source, "added_at": added_at});
                if let Some(due_at) = due_at {
                    member["due_at"] = Value::from(due_at);
                }
                member
            };
            say!("{:#}", Value::from_iter(members.into_iter().map(member)));
        }
        Output::Table => {
            let row = |m: Member| [m.email.unwrap_or(m.user), m.source, m.added_at, m.due_at.unwrap_or_default()];
            say!("{}", table(["user", "source", "added at", "due at"], members.into_iter().map(row)));
        }
    }
}
