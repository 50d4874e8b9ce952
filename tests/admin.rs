//! What administrators decide by hand, over HTTP and on the command line, on both stores.

mod support;

#[path = "admin/access.rs"]
mod access;
#[path = "admin/authzen.rs"]
mod authzen;
#[path = "admin/check.rs"]
mod check;
#[path = "admin/features.rs"]
mod features;
#[path = "admin/grants.rs"]
mod grants;
#[path = "admin/groups.rs"]
mod groups;
#[path = "admin/hand.rs"]
mod hand;
#[path = "admin/members.rs"]
mod members;
#[path = "admin/nasty.rs"]
mod nasty;
#[path = "admin/page.rs"]
mod page;
#[path = "admin/plans.rs"]
mod plans;
