//! One-shot runs of the real binary against the simulators, and the store beneath them, on both kinds of database.

mod support;

#[path = "sync/absence.rs"]
mod absence;
#[path = "sync/accounts.rs"]
mod accounts;
#[path = "sync/administrators.rs"]
mod administrators;
#[path = "sync/backend.rs"]
mod backend;
#[path = "sync/clock.rs"]
mod clock;
#[path = "sync/concurrency.rs"]
mod concurrency;
#[path = "sync/configuration.rs"]
mod configuration;
#[path = "sync/crash.rs"]
mod crash;
#[path = "sync/damage.rs"]
mod damage;
#[path = "sync/directory.rs"]
mod directory;
#[path = "sync/doctor.rs"]
mod doctor;
#[path = "sync/dry_run.rs"]
mod dry_run;
#[path = "sync/erasure.rs"]
mod erasure;
#[path = "sync/faults.rs"]
mod faults;
#[path = "sync/guard.rs"]
mod guard;
#[path = "sync/log.rs"]
mod log;
#[path = "sync/middle.rs"]
mod middle;
#[path = "sync/migration.rs"]
mod migration;
#[path = "sync/oddities.rs"]
mod oddities;
#[path = "sync/orphans.rs"]
mod orphans;
#[path = "sync/output.rs"]
mod output;
#[path = "sync/ownership.rs"]
mod ownership;
#[path = "sync/partial.rs"]
mod partial;
#[path = "sync/people.rs"]
mod people;
#[path = "sync/privacy.rs"]
mod privacy;
#[path = "sync/quiet.rs"]
mod quiet;
#[path = "sync/readonly_role.rs"]
mod readonly_role;
#[path = "sync/rehearsal.rs"]
mod rehearsal;
#[path = "sync/renames.rs"]
mod renames;
#[path = "sync/stage.rs"]
mod stage;
#[path = "sync/together.rs"]
mod together;
#[path = "sync/waiting.rs"]
mod waiting;
