//! What administrators decide by hand, over HTTP and on the command line, on both stores.

mod support;

#[path = "admin/accesses.rs"]
mod accesses;
#[path = "admin/features.rs"]
mod features;
#[path = "admin/groups.rs"]
mod groups;
#[path = "admin/hand.rs"]
mod hand;
#[path = "admin/identity.rs"]
mod identity;
#[path = "admin/members.rs"]
mod members;
#[path = "admin/plans.rs"]
mod plans;
#[path = "admin/tokens.rs"]
mod tokens;
#[path = "admin/users.rs"]
mod users;
