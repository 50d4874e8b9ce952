//! `entitled group` on a server.

use entitled_model::instant::written;
use serde_json::{Value, json};

use super::user;
use crate::cli::group::{self, Group, Listed, Member};
use crate::cli::say::say;
use crate::cli::{CliError, Exit};
use crate::clock::Clock;
use crate::http::{AdminGroupView, AdminGroupsView, ListedGroupView, MemberView, MembersView};
use crate::remote::{Remote, RemoteError};

const GROUPS: [&str; 2] = ["admin", "groups"];

pub async fn run(group: Group, remote: &Remote) -> Result<Exit, CliError> {
    match group {
        Group::List { output } => {
            let groups = remote.all::<AdminGroupsView>(&GROUPS, &[]).await?;
            group::show_list(groups.into_iter().map(listed).collect(), output);
        }
        Group::Members { group, output } => {
            let group = found(remote, &group).await?;
            let members = remote.all::<MembersView>(&["admin", "groups", &group, "members"], &[]).await?;
            group::show_members(members.into_iter().flat_map(supports).collect(), output);
        }
        Group::Create { name, description } => {
            let body = json!({"name": name, "description": description});
            let made: AdminGroupView = remote.post(&GROUPS, &body).await?;
            say!("{}", made.id);
        }
        Group::Delete { group } => {
            let group = found(remote, &group).await?;
            remote.delete(&["admin", "groups", &group]).await?;
        }
        Group::AddMember { group, user, expires_at, expires_in } => {
            let (group, user) = (found(remote, &group).await?, user::found(remote, &user).await?.id);
            let expires_at = expires_at.or(expires_in.map(|wait| Clock::system().now() + wait)).map(written);
            let body = json!({"user_id": user, "expires_at": expires_at});
            let _: Value = remote.post(&["admin", "groups", &group, "members"], &body).await?;
        }
        Group::RemoveMember { group, user } => {
            let (group, user) = (found(remote, &group).await?, user::found(remote, &user).await?.id);
            remote.delete(&["admin", "groups", &group, "members", &user]).await?;
        }
    }
    Ok(Exit::Done)
}

/// The id of the group of that name or id.
pub(super) async fn found(remote: &Remote, name: &str) -> Result<String, CliError> {
    let AdminGroupsView { mut groups, .. } = remote.get(&GROUPS, &[("group", name)]).await?;
    match (groups.pop(), groups.is_empty()) {
        (Some(group), true) => Ok(group.group.id),
        (None, _) => Err(group::unknown()),
        // It was not asked for these.
        (Some(_), false) => Err(RemoteError::Unasked.into()),
    }
}

fn listed(ListedGroupView { group, members }: ListedGroupView) -> Listed {
    Listed { id: group.id, name: group.name, managed_by: group.managed_by, members }
}

fn supports(MemberView { user_id, email, sources }: MemberView) -> impl Iterator<Item = Member> {
    sources.into_iter().map(move |support| Member {
        user: user_id.clone(),
        email: email.clone(),
        source: support.source,
        added_at: support.added_at,
        due_at: support.due_at,
    })
}
