//! SeaORM entities of entitled: one file a table, named as the table is. Only the store imports them.

pub mod entitlement;
pub mod event;
pub mod membership;
pub mod observation;
pub mod run;
pub mod user_account;
pub mod user_group;
pub mod user_profile;
