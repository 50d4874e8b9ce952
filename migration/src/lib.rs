//! The schema of entitled, as frozen steps: a step that has been released is never edited, and never imports an entity.
//!
//! Statements are plain SQL, because that is what an operator reads in a dump; `dialect` gives the few words in which
//! SQLite and PostgreSQL differ.

pub use sea_orm_migration::prelude::*;

mod dialect;
mod m20261122_000001_event_log;
mod m20261122_000002_read_models;
mod m20261122_000003_runs;
mod m20261122_000004_resources;
mod m20261124_000005_directory;
mod m20261124_000006_plans;
mod m20261125_000007_removals;
mod m20261125_000008_history;
mod m20261125_000009_tokens;
mod m20261125_000010_grants;
mod m20261125_000011_roles;
mod m20261125_000012_paths;
mod m20261125_000013_idempotency;
mod m20261125_000014_administrators;
mod m20261125_000015_blocked;
mod m20261125_000016_newest_runs;

/// All steps, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_event_log::Migration),
            Box::new(m20261122_000002_read_models::Migration),
            Box::new(m20261122_000003_runs::Migration),
            Box::new(m20261122_000004_resources::Migration),
            Box::new(m20261124_000005_directory::Migration),
            Box::new(m20261124_000006_plans::Migration),
            Box::new(m20261125_000007_removals::Migration),
            Box::new(m20261125_000008_history::Migration),
            Box::new(m20261125_000009_tokens::Migration),
            Box::new(m20261125_000010_grants::Migration),
            Box::new(m20261125_000011_roles::Migration),
            Box::new(m20261125_000012_paths::Migration),
            Box::new(m20261125_000013_idempotency::Migration),
            Box::new(m20261125_000014_administrators::Migration),
            Box::new(m20261125_000015_blocked::Migration),
            Box::new(m20261125_000016_newest_runs::Migration),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_named_once_in_order_and_without_a_gap() {
        // H2
        let names: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
        for (index, name) in names.iter().enumerate() {
            let parts: Vec<_> = name.splitn(3, '_').collect();
            assert!(parts[0].len() == 9 && parts[0].starts_with('m'), "{name}: mYYYYMMDD_NNNNNN_what");
            assert_eq!(parts[1].parse::<usize>().ok(), Some(index + 1), "{name}: a duplicate or a gap");
        }
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(names, sorted, "steps run in the order of their names");
    }
}
