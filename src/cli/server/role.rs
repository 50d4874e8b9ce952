//! `entitled role` on a server.

use serde_json::{Value, json};

use super::{group, user};
use crate::cli::role::{self, Role, Subject};
use crate::cli::{CliError, Exit};
use crate::http::{RoleView, RolesView};
use crate::remote::Remote;

const ROLES: [&str; 2] = ["admin", "roles"];

pub async fn run(role: Role, remote: &Remote) -> Result<Exit, CliError> {
    match role {
        Role::List { output } => {
            let roles = remote.all::<RolesView>(&ROLES, &[]).await?;
            role::show(roles.into_iter().map(row), output);
        }
        Role::Set { role, subject } => {
            let (kind, id) = named(remote, subject).await?;
            let body = json!({format!("{kind}_id"): id, "role": role.as_str()});
            let _: Value = remote.post(&ROLES, &body).await?;
        }
        Role::Remove { subject } => {
            let (kind, id) = named(remote, subject).await?;
            remote.delete(&["admin", "roles", &format!("{kind}s"), &id]).await?;
        }
    }
    Ok(Exit::Done)
}

/// The kind of the subject, and its id.
async fn named(remote: &Remote, subject: Subject) -> Result<(&'static str, String), CliError> {
    match subject {
        Subject { user: Some(user), .. } => Ok(("user", user::found(remote, &user).await?.id)),
        Subject { group, .. } => Ok(("group", group::found(remote, &group.unwrap_or_default()).await?)),
    }
}

fn row(RoleView { user_id, group_id, role, since }: RoleView) -> [String; 4] {
    let kind = if user_id.is_some() { "user" } else { "group" };
    [kind.to_owned(), user_id.or(group_id).unwrap_or_default(), role, since]
}
