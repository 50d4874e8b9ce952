//! `entitled user`: who is known, with what they have; made known and shut out by hand.

use clap::Subcommand;
use entitled_model::EmailAddress;
use entitled_model::Position;
use entitled_model::access::ResourceRef;
use serde_json::{Value, json};

use super::say::{say, table};
use super::{CliError, Exit, Output, admin, open};
use crate::admin::AdminError;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{
    AdminUserView, PathView, StatedEntitlementView, StatedEntitlementsView, UserMembershipView, UserProfileView,
};
use crate::store::{Access, AccessRow, Seen, Store, UserRecord};

/// How many resources are read at a time.
const PAGE_RESOURCES: u64 = 1_000;

#[derive(Subcommand)]
pub enum User {
    /// One user with memberships and entitlements
    Show {
        /// An e-mail, a sub or a user id
        #[arg(value_name = "U")]
        user: String,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Make a user known
    Create {
        /// Their address
        email: String,
    },
    /// Shut a user out, whatever sources say
    Deactivate {
        /// An e-mail, a sub or a user id
        #[arg(value_name = "U")]
        user: String,
    },
    /// Let a deactivated user in again
    Reactivate {
        /// An e-mail, a sub or a user id
        #[arg(value_name = "U")]
        user: String,
    },
    /// Erase what is personal about a user; the id stays, deactivated, and the log stays whole
    Erase {
        /// An e-mail, a sub or a user id
        #[arg(value_name = "U")]
        user: String,
        /// Why, without naming anybody: it stays in the log
        #[arg(long)]
        reason: String,
    },
    /// All that a user has, by resource: each permission with the groups and sources that give it
    Access {
        /// An e-mail, a sub or a user id
        #[arg(value_name = "U")]
        user: String,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// All users
    List {
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}

pub async fn run(user: User, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    match user {
        User::Show { user, output } => {
            let store = open(config, clock, Access::ReadOnly).await?;
            show(&store, found(&store, &user).await?, output).await?;
        }
        User::Create { email } => {
            let admin = admin(config, clock).await?;
            let email = EmailAddress::parse(&email).map_err(AdminError::from)?;
            say!("{}", admin.create_user(&email).await?.id);
        }
        User::Deactivate { user } => {
            let admin = admin(config, clock).await?;
            admin.deactivate_user(found(&admin.store, &user).await?.id, &|_| true).await?;
        }
        User::Reactivate { user } => {
            let admin = admin(config, clock).await?;
            admin.reactivate_user(found(&admin.store, &user).await?.id, &|_| true).await?;
        }
        User::Erase { user, reason } => drop(erase(config, clock, &user, &reason).await?),
        User::Access { user, output } => {
            let store = open(config, clock, Access::ReadOnly).await?;
            access(&store, &found(&store, &user).await?, output).await?;
        }
        User::List { output } => {
            let store = open(config, clock, Access::ReadOnly).await?;
            let users = store.users(store.reader(), false).await?;
            show_list(users.into_iter().map(AdminUserView::from).collect(), output);
        }
    }
    Ok(Exit::Done)
}

async fn erase(config: &Config, clock: &Clock, user: &str, reason: &str) -> Result<Exit, CliError> {
    let admin = admin(config, clock).await?;
    let user = found(&admin.store, user).await?.id;
    admin.erase_user(user, reason).await?;
    // On SQLite this folds the write-ahead log, with the pages before, into the file.
    admin.store.close().await?;
    say!("erased: {user}");
    Ok(Exit::Done)
}

pub(super) async fn found(store: &Store, name: &str) -> Result<UserRecord, CliError> {
    let found = store.user_by_any_name(store.reader(), name).await?;
    found.ok_or_else(unknown)
}

pub(super) fn unknown() -> CliError {
    CliError::usage("there is no such user", "entitled user list shows who is known")
}

pub(super) fn show_list(users: Vec<AdminUserView>, output: Output) {
    match output {
        Output::Json => say!("{:#}", json!(users)),
        Output::Table => {
            let rows = users.into_iter().map(|user| [user.id, user.email.unwrap_or_default(), user.status]);
            say!("{}", table(["id", "e-mail", "status"], rows));
        }
    }
}

/// Of one user, all that is known.
pub(super) struct Known {
    pub user: UserProfileView,
    pub memberships: Vec<UserMembershipView>,
    pub entitlements: Vec<StatedEntitlementView>,
}

async fn show(store: &Store, user: UserRecord, output: Output) -> Result<(), CliError> {
    let memberships = store.memberships_after(store.reader(), user.id, "", u64::MAX).await?;
    let StatedEntitlementsView { entitlements, .. } =
        StatedEntitlementsView::read(store, user.id, ("", ""), u64::MAX).await?;
    let memberships = memberships.into_iter().map(UserMembershipView::from).collect();
    show_one(Known { user: user.into(), memberships, entitlements }, output);
    Ok(())
}

pub(super) fn show_one(Known { user, memberships, mut entitlements }: Known, output: Output) {
    // Databases differ in what they take for the order of texts.
    entitlements.sort_by(|one, other| (&one.source, &one.key).cmp(&(&other.source, &other.key)));
    match output {
        Output::Json => {
            let mut document = json!(user);
            let membership = |m: UserMembershipView| {
                let mut shown = json!({"group": m.group, "source": m.source, "added_at": m.added_at});
                if let Some(due_at) = m.due_at {
                    shown["due_at"] = due_at.into();
                }
                shown
            };
            document["memberships"] = memberships.into_iter().map(membership).collect();
            document["entitlements"] = json!(entitlements);
            say!("{document:#}");
        }
        Output::Table => {
            let AdminUserView { id, email, status, .. } = user.user;
            say!("{id}  {}  {status}", email.unwrap_or_default());
            let rows = memberships.into_iter().map(|m| [m.group, m.source, m.added_at, m.due_at.unwrap_or_default()]);
            say!("{}", table(["group", "source", "added at", "due at"], rows));
            let rows = entitlements.into_iter().map(|stated| [stated.key, stated.source, stated.value.to_string()]);
            say!("{}", table(["entitlement", "source", "value"], rows));
        }
    }
}

async fn access(store: &Store, user: &UserRecord, output: Output) -> Result<(), CliError> {
    let (mut found, mut after, mut position) = (Vec::new(), ResourceRef::before_all(), Position(0));
    // A page follows where the one before ended, so that the whole is listed.
    while let Some(Seen { position: at, found: (_, page) }) =
        store.access_of_user(store.reader(), user.id, None, &after, PAGE_RESOURCES).await?
    {
        position = at;
        let Some(last) = page.last() else { break };
        after = last.resource.clone();
        found.extend(page);
    }
    let row = |AccessRow { resource, permission, path }| HeldAccess {
        resource_type: resource.resource_type,
        resource_id: resource.resource_id,
        permission,
        path: path.into(),
    };
    let rows = found.into_iter().map(row).collect();
    show_access(&AdminUserView::from(user.clone()), position.0, rows, output);
    Ok(())
}

/// A permission on a resource, and what gives it.
pub(super) struct HeldAccess {
    pub resource_type: String,
    pub resource_id: String,
    pub permission: String,
    pub path: PathView,
}

pub(super) fn show_access(user: &AdminUserView, position: i64, found: Vec<HeldAccess>, output: Output) {
    match output {
        Output::Json => {
            let row = |HeldAccess { resource_type, resource_id, permission, path }| {
                json!({"resource_type": resource_type, "resource_id": resource_id, "permission": permission,
                    "group": path.group, "group_id": path.group_id, "by": path.by, "grant_id": path.grant_id,
                    "sources": path.sources})
            };
            let access: Value = found.into_iter().map(row).collect();
            say!("{:#}", json!({"user_id": user.id, "status": user.status, "position": position, "access": access}));
        }
        Output::Table => {
            say!("{}  {}  {}", user.id, user.email.as_deref().unwrap_or_default(), user.status);
            let rows = found.into_iter().map(|HeldAccess { resource_type, resource_id, permission, path }| {
                let resource = format!("{resource_type}:{resource_id}");
                [resource, permission, path.group, path.by, path.sources.join(", ")]
            });
            say!("{}", table(["resource", "permission", "group", "by", "sources"], rows));
        }
    }
}
