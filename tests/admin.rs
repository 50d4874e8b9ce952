//! What administrators decide by hand, over HTTP and on the command line, on both stores.

mod support;

#[path = "admin/features.rs"]
mod features;
#[path = "admin/follow.rs"]
mod follow;
#[path = "admin/groups.rs"]
mod groups;
#[path = "admin/hand.rs"]
mod hand;
#[path = "admin/history.rs"]
mod history;
#[path = "admin/members.rs"]
mod members;
#[path = "admin/past.rs"]
mod past;
#[path = "admin/paths.rs"]
mod paths;
#[path = "admin/plans.rs"]
mod plans;
#[path = "admin/why.rs"]
mod why;
