//! The steps of a walk, each of them one line of text: `join ann a`, `sync google_sync`, `clock -90`.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree as _;

pub type Name = &'static str;

pub const PEOPLE: [Name; 3] = ["ann", "bob", "cem"];
/// Groups of the directory; the last one is mapped to `Admin`.
pub const GROUPS: [Name; 3] = ["a", "b", "admins"];
/// Groups that administrators put members into; the first one they make and delete as well.
pub const BY_HAND: [Name; 2] = ["staff", "Admin"];
pub const DOMAINS: [Name; 2] = ["x.fr", "y.fr"];
pub const GOOGLE: Name = "google_sync";
pub const DEPLOYCENTER: Name = "deploycenter";
pub const SOURCES: [Name; 2] = [GOOGLE, DEPLOYCENTER];
/// What befalls every answer of a system.
pub const FAULTS: [Name; 7] = ["status", "reset", "truncate", "html", "json", "refused", "timeout"];
/// What befalls a part of the answers; a `short` list is cut in half without a word.
pub const UNREADABLE: [Name; 4] = ["status", "truncate", "json", "short"];
pub const UNANSWERED: [Name; 3] = ["status", "truncate", "html"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The directory.
    Join(Name, Name),
    Leave(Name, Name),
    Make(Name),
    Drop(Name),
    Suspend(Name),
    Reactivate(Name),
    /// The backend: domains to administer, a value, and an answer that does not speak of domains at all.
    Domains(Name, Vec<Name>),
    Plan(Name, u8),
    Hush(Name),
    Speak(Name),
    /// Faults.
    Break(Name, Name),
    Unread(Name, Name),
    Unanswered(Name, Name),
    Mend,
    /// What starts a run.
    Sync(Name, Option<Name>),
    Login(Name),
    /// A run that is answered now, and goes on at its release.
    Hold(Name, Option<Name>),
    Release,
    /// Administrators.
    Create,
    Delete,
    Add(Name, Name),
    Remove(Name, Name),
    Provision(Name),
    /// Minutes.
    Clock(i64),
    Restart,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Join(person, group) => write!(f, "join {person} {group}"),
            Step::Leave(person, group) => write!(f, "leave {person} {group}"),
            Step::Make(group) => write!(f, "make {group}"),
            Step::Drop(group) => write!(f, "drop {group}"),
            Step::Suspend(person) => write!(f, "suspend {person}"),
            Step::Reactivate(person) => write!(f, "reactivate {person}"),
            Step::Domains(person, domains) => write!(f, "domains {person} {}", domains.join(" ")),
            Step::Plan(person, value) => write!(f, "plan {person} {value}"),
            Step::Hush(person) => write!(f, "hush {person}"),
            Step::Speak(person) => write!(f, "speak {person}"),
            Step::Break(source, fault) => write!(f, "break {source} {fault}"),
            Step::Unread(group, fault) => write!(f, "unread {group} {fault}"),
            Step::Unanswered(person, fault) => write!(f, "unanswered {person} {fault}"),
            Step::Mend => write!(f, "mend"),
            Step::Sync(source, user) => write!(f, "sync {source} {}", user.unwrap_or_default()),
            Step::Login(person) => write!(f, "login {person}"),
            Step::Hold(source, user) => write!(f, "hold {source} {}", user.unwrap_or_default()),
            Step::Release => write!(f, "release"),
            Step::Create => write!(f, "create"),
            Step::Delete => write!(f, "delete"),
            Step::Add(group, person) => write!(f, "add {group} {person}"),
            Step::Remove(group, person) => write!(f, "remove {group} {person}"),
            Step::Provision(domain) => write!(f, "provision {domain}"),
            Step::Clock(minutes) => write!(f, "clock {minutes:+}"),
            Step::Restart => write!(f, "restart"),
        }
    }
}

/// Finds a word among those that there are.
fn one_of(words: &[Name], word: &str) -> Name {
    words.iter().find(|known| **known == word).unwrap_or_else(|| panic!("{word:?} is none of {words:?}"))
}

/// Reads a script: a step a line; what follows a `#` is left out.
pub fn read(text: &str) -> Vec<Step> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(step_of).collect()
}

fn step_of(line: &str) -> Step {
    let words: Vec<&str> = line.split_whitespace().collect();
    let person = |at: usize| one_of(&PEOPLE, words[at]);
    let group = |at: usize| one_of(&GROUPS, words[at]);
    let source = || one_of(&SOURCES, words[1]);
    let user = || words.get(2).map(|_| person(2));
    match words[0] {
        "join" => Step::Join(person(1), group(2)),
        "leave" => Step::Leave(person(1), group(2)),
        "make" => Step::Make(group(1)),
        "drop" => Step::Drop(group(1)),
        "suspend" => Step::Suspend(person(1)),
        "reactivate" => Step::Reactivate(person(1)),
        "domains" => Step::Domains(person(1), words[2..].iter().map(|domain| one_of(&DOMAINS, domain)).collect()),
        "plan" => Step::Plan(person(1), words[2].parse().expect("a number")),
        "hush" => Step::Hush(person(1)),
        "speak" => Step::Speak(person(1)),
        "break" => Step::Break(source(), one_of(&FAULTS, words[2])),
        "unread" => Step::Unread(group(1), one_of(&UNREADABLE, words[2])),
        "unanswered" => Step::Unanswered(person(1), one_of(&UNANSWERED, words[2])),
        "mend" => Step::Mend,
        "sync" => Step::Sync(source(), user()),
        "login" => Step::Login(person(1)),
        "hold" => Step::Hold(source(), user()),
        "release" => Step::Release,
        "create" => Step::Create,
        "delete" => Step::Delete,
        "add" => Step::Add(one_of(&BY_HAND, words[1]), person(2)),
        "remove" => Step::Remove(one_of(&BY_HAND, words[1]), person(2)),
        "provision" => Step::Provision(one_of(&DOMAINS, words[1])),
        "clock" => Step::Clock(words[1].parse().expect("minutes")),
        "restart" => Step::Restart,
        other => panic!("no step begins with {other:?}"),
    }
}

fn upstream() -> impl Strategy<Value = Step> {
    let (person, group) = (select(&PEOPLE[..]), select(&GROUPS[..]));
    prop_oneof![
        16 => (person.clone(), group.clone()).prop_map(|(person, group)| Step::Join(person, group)),
        8 => (person.clone(), group.clone()).prop_map(|(person, group)| Step::Leave(person, group)),
        1 => group.clone().prop_map(Step::Make),
        3 => group.prop_map(Step::Drop),
        1 => person.clone().prop_map(Step::Suspend),
        1 => person.clone().prop_map(Step::Reactivate),
        6 => (person.clone(), subsequence(DOMAINS.to_vec(), 0..=DOMAINS.len()))
            .prop_map(|(person, domains)| Step::Domains(person, domains)),
        1 => (person.clone(), 0..3_u8).prop_map(|(person, value)| Step::Plan(person, value)),
        1 => person.clone().prop_map(Step::Hush),
        1 => person.prop_map(Step::Speak),
    ]
}

fn faults() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (select(&SOURCES[..]), select(&FAULTS[..])).prop_map(|(source, fault)| Step::Break(source, fault)),
        3 => (select(&GROUPS[..]), select(&UNREADABLE[..])).prop_map(|(group, fault)| Step::Unread(group, fault)),
        2 => (select(&PEOPLE[..]), select(&UNANSWERED[..])).prop_map(|(person, fault)| Step::Unanswered(person, fault)),
        8 => Just(Step::Mend),
    ]
}

fn runs() -> impl Strategy<Value = Step> {
    let (person, source) = (select(&PEOPLE[..]), select(&SOURCES[..]));
    let user = prop_oneof![3 => Just(None), 1 => person.clone().prop_map(Some)];
    prop_oneof![
        10 => (source.clone(), user.clone()).prop_map(|(source, user)| Step::Sync(source, user)),
        4 => person.prop_map(Step::Login),
        2 => (source, user).prop_map(|(source, user)| Step::Hold(source, user)),
        2 => Just(Step::Release),
    ]
}

fn by_hand() -> impl Strategy<Value = Step> {
    let member = (select(&BY_HAND[..]), select(&PEOPLE[..]));
    prop_oneof![
        1 => Just(Step::Create),
        1 => Just(Step::Delete),
        6 => member.clone().prop_map(|(group, person)| Step::Add(group, person)),
        6 => member.prop_map(|(group, person)| Step::Remove(group, person)),
        2 => select(&DOMAINS[..]).prop_map(Step::Provision),
        2 => (-180..180_i64).prop_map(Step::Clock),
        1 => Just(Step::Restart),
    ]
}

/// A walk of so many steps at most.
pub fn scripts(steps_max: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![8 => upstream(), 2 => faults(), 7 => runs(), 3 => by_hand()];
    prop::collection::vec(step, 1..=steps_max)
}

#[test]
fn a_script_is_read_as_it_was_written() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let written = scripts(200).new_tree(&mut runner).expect("a script").current();
    let text: String = written.iter().map(|step| format!("{step}\n")).collect();
    assert_eq!(read(&text), written);
}
