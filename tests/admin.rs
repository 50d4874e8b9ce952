//! What administrators decide by hand, over HTTP and on the command line, on both stores.

mod support;

#[path = "admin/features.rs"]
mod features;
#[path = "admin/groups.rs"]
mod groups;
#[path = "admin/hand.rs"]
mod hand;
#[path = "admin/members.rs"]
mod members;
#[path = "admin/plans.rs"]
mod plans;
