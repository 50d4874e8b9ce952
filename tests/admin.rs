//! What administrators decide by hand, over HTTP and on the command line, on both stores.

mod support;

#[path = "admin/access.rs"]
mod access;
#[path = "admin/accesses.rs"]
mod accesses;
#[path = "admin/audit.rs"]
mod audit;
#[path = "admin/authzen.rs"]
mod authzen;
#[path = "admin/check.rs"]
mod check;
#[path = "admin/directory.rs"]
mod directory;
#[path = "admin/erase.rs"]
mod erase;
#[path = "admin/features.rs"]
mod features;
#[path = "admin/follow.rs"]
mod follow;
#[path = "admin/grants.rs"]
mod grants;
#[path = "admin/groups.rs"]
mod groups;
#[path = "admin/hand.rs"]
mod hand;
#[path = "admin/history.rs"]
mod history;
#[path = "admin/idempotency.rs"]
mod idempotency;
#[path = "admin/identity.rs"]
mod identity;
#[path = "admin/looking.rs"]
mod looking;
#[path = "admin/members.rs"]
mod members;
#[path = "admin/nasty.rs"]
mod nasty;
#[path = "admin/page.rs"]
mod page;
#[path = "admin/past.rs"]
mod past;
#[path = "admin/paths.rs"]
mod paths;
#[path = "admin/plans.rs"]
mod plans;
#[path = "admin/roles.rs"]
mod roles;
#[path = "admin/schemathesis.rs"]
mod schemathesis;
#[path = "admin/server.rs"]
mod server;
#[path = "admin/tag.rs"]
mod tag;
#[path = "admin/tokens.rs"]
mod tokens;
#[path = "admin/users.rs"]
mod users;
#[path = "admin/why.rs"]
mod why;
