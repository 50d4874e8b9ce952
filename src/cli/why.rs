//! `entitled why`: why somebody is in a group, or what is lacking.

use clap::Args;

use super::history::{document, history};
use super::say::say;
use super::{CliError, Exit, Output};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::WhyView;

#[derive(Args)]
pub struct Options {
    /// An e-mail, a sub or a user id
    #[arg(value_name = "USER")]
    pub(super) user: String,
    /// The group's name or id; one that was deleted, or that an entitlement may name, included
    #[arg(value_name = "GROUP")]
    pub(super) group: String,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
}

pub async fn run(options: Options, config: &Config, clock: &Clock) -> Result<Exit, CliError> {
    let history = history(config, clock).await?;
    show(history.why(&options.user, &options.group).await?.into(), options.output)
}

pub(super) fn show(answer: WhyView, output: Output) -> Result<Exit, CliError> {
    if output == Output::Json {
        return document(&answer);
    }
    let WhyView { position, user, group, member, effective, supports, lacking, held } = answer;
    let verdict = match (member, effective) {
        (true, true) => "is in",
        (true, false) => "is in, without effect,",
        (false, _) => "is not in",
    };
    say!("{} {verdict} {}  (at position {position})", user.email.unwrap_or(user.id), group.name);
    for support in supports {
        say!("\nby {}: {}", support.source, support.says);
        field("path", support.path.map(|path| path.join(" > ")).or(Some("not recorded".to_owned())));
        field("event", Some(format!("{} by {}", support.event.position, support.event.actor)));
        field("run", support.event.run_id.map(|run| run + &trigger(support.event.trigger)));
        field("observed", Some(support.event.observed_at));
        field("recorded", Some(support.event.recorded_at));
        field("last heard", support.confirmed_at);
        field("removal due", support.removal_due_at);
        field("removal blocked", support.removal_blocked_at.map(|position| format!("event {position}")));
    }
    if !lacking.is_empty() {
        say!("\nlacking:");
    }
    for lack in lacking {
        say!("  {}: {}", lack.reason, lack.says);
    }
    for held in held {
        let word = match held.would.as_str() {
            "perhaps" => "may speak of it (it is too long to tell)".to_owned(),
            would => format!("would {would} it"),
        };
        say!(
            "\nthe held plan {} of {} {word}, since {}",
            &held.plan[..held.plan.len().min(12)],
            held.source,
            held.since
        );
    }
    Ok(Exit::Done)
}

fn trigger(trigger: Option<String>) -> String {
    trigger.map(|trigger| format!(" ({trigger})")).unwrap_or_default()
}

fn field(name: &str, value: Option<String>) {
    if let Some(value) = value {
        say!("  {name:<16}{value}");
    }
}
