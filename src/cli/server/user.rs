//! `entitled user` on a server.

use serde_json::{Value, json};

use crate::cli::say::say;
use crate::cli::user::{self, HeldAccess, Known, User};
use crate::cli::{CliError, Exit};
use crate::http::{
    AdminUserView, AdminUsersView, EffectiveAccessView, ResourceAccessView, StatedEntitlementsView, UserMembershipsView,
};
use crate::remote::{Remote, RemoteError};

const USERS: [&str; 2] = ["admin", "users"];
const PAGE_RESOURCES: &str = "1000";

pub async fn run(user: User, remote: &Remote) -> Result<Exit, CliError> {
    match user {
        User::List { output } => user::show_list(remote.all::<AdminUsersView>(&USERS, &[]).await?, output),
        User::Create { email } => {
            let made: AdminUserView = remote.post(&USERS, &json!({ "email": email })).await?;
            say!("{}", made.id);
        }
        User::Deactivate { user } => status(remote, &user, "deactivated").await?,
        User::Reactivate { user } => status(remote, &user, "active").await?,
        User::Access { user, output } => {
            let mut user = found(remote, &user).await?;
            let (mut held, mut after) = (Vec::new(), None::<String>);
            let position = loop {
                let mut query = vec![("limit", PAGE_RESOURCES)];
                query.extend(after.as_deref().map(|after| ("after", after)));
                let page: EffectiveAccessView =
                    remote.get(&["admin", "users", &user.id, "effective-access"], &query).await?;
                user.status = page.status;
                held.extend(page.resources.into_iter().flat_map(permissions));
                match page.next {
                    None => break page.position,
                    next if next == after => return Err(RemoteError::Endless.into()),
                    next => after = next,
                }
            };
            user::show_access(&user, position, held, output);
        }
        User::Show { user, output } => {
            let id = found(remote, &user).await?.id;
            let of_user = |what| ["admin", "users", id.as_str(), what];
            let known = Known {
                user: remote.get(&["admin", "users", &id], &[]).await?,
                memberships: remote.all::<UserMembershipsView>(&of_user("memberships"), &[]).await?,
                entitlements: remote.all::<StatedEntitlementsView>(&of_user("entitlements"), &[]).await?,
            };
            user::show_one(known, output);
        }
        User::Erase { user, reason } => {
            let user = found(remote, &user).await?.id;
            let erased: AdminUserView =
                remote.post(&["admin", "users", &user, "erase"], &json!({ "reason": reason })).await?;
            say!("erased: {}", erased.id);
        }
    }
    Ok(Exit::Done)
}

/// The user of that e-mail, sub or id.
pub(super) async fn found(remote: &Remote, name: &str) -> Result<AdminUserView, CliError> {
    let AdminUsersView { mut users, .. } = remote.get(&USERS, &[("user", name)]).await?;
    match (users.pop(), users.is_empty()) {
        (Some(user), true) => Ok(user),
        (None, _) => Err(user::unknown()),
        // It was not asked for these.
        (Some(_), false) => Err(RemoteError::Unasked.into()),
    }
}

async fn status(remote: &Remote, user: &str, status: &str) -> Result<(), CliError> {
    let user = found(remote, user).await?.id;
    let _: Value = remote.patch(&["admin", "users", &user], &json!({ "status": status })).await?;
    Ok(())
}

fn permissions(resource: ResourceAccessView) -> impl Iterator<Item = HeldAccess> {
    let ResourceAccessView { resource_type, resource_id, access } = resource;
    let paths = access.into_iter().flat_map(|held| {
        let permission = held.permission;
        held.paths.into_iter().map(move |path| (permission.clone(), path))
    });
    paths.map(move |(permission, path)| HeldAccess {
        resource_type: resource_type.clone(),
        resource_id: resource_id.clone(),
        permission,
        path,
    })
}
