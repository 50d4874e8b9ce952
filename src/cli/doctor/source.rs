//! One source: reachable, its credential accepted, its rights there, its clock, its limit, and what it says of somebody.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use entitled_model::observation::UserAnswer;
use entitled_model::{EmailAddress, ErrorClass, Failure, UserId};
use serde_json::Value;

use super::{Finding, Findings};
use crate::clock::Clock;
use crate::source::{Asks, Limit, Person, Right, Source, Urgency};

/// An address that nobody has (RFC 2606): a source that answers about it is reachable and takes the credential.
const NOBODY: &str = "doctor@entitled.invalid";

/// A claim that nobody has, for sources that ask for one.
const NO_CLAIM: &str = "00000000000000";

/// Two clocks that differ by more than this are worth a word.
const CLOCK_AGREES_MAX: TimeDelta = TimeDelta::seconds(5);

/// Two clocks that differ by more than this break what rests on them.
const CLOCK_APART_MAX: TimeDelta = TimeDelta::seconds(60);

pub async fn examine(source: &Source, people: &[Person], clock: &Clock, findings: &mut Findings) {
    let what = format!("source {}", source.name);
    let askable = |person: &&Person| {
        person.email.is_some() && source.required_claims.iter().all(|claim| person.claims.contains_key(claim))
    };
    let known = people.iter().find(askable);
    let answered = ask(source, known.cloned().unwrap_or_else(|| nobody(source, clock))).await;
    findings.add(match &answered {
        Ok(_) => Finding::ok(&what, format!("{} answers and takes the credential", source.kind)),
        Err(failure) => Finding::fail(&what, told(failure), help(failure.class, source)),
    });
    rights(source, &what, answered.as_ref().err(), findings).await;
    lists(source, &what, findings).await;
    let heard = source.health.read();
    let clocks = heard.clock_ahead.map(|ahead| of_clock(&what, ahead));
    let limit = heard.limit.map(|limit| of_limit(&what, limit, source));
    let somebody = answered.ok().zip(known).map(|(answer, person)| of_person(&what, &answer, person.user));
    clocks.into_iter().chain(limit).chain(somebody).for_each(|finding| findings.add(finding));
}

async fn ask(source: &Source, person: Person) -> Result<UserAnswer, Failure> {
    match &source.asks {
        Asks::Backend(backend) => backend.answer(&person, Urgency::Awaited).await,
        Asks::Groups(groups) => groups.groups_of(&person, Urgency::Awaited).await,
    }
}

fn nobody(source: &Source, clock: &Clock) -> Person {
    let claims: BTreeMap<String, Value> =
        source.required_claims.iter().map(|claim| (claim.clone(), Value::from(NO_CLAIM))).collect();
    Person {
        user: UserId(clock.new_id()),
        email: EmailAddress::parse(NOBODY).ok(),
        sub: None,
        external_id: None,
        claims,
    }
}

/// Which rights the credential has, unless the source can't be asked at all.
async fn rights(source: &Source, what: &str, failure: Option<&Failure>, findings: &mut Findings) {
    let Asks::Groups(groups) = &source.asks else { return };
    if failure.is_some_and(|failure| !speaks_of_rights(failure.class)) {
        return;
    }
    let rights = groups.rights().await;
    let (had, missing): (Vec<_>, Vec<_>) = rights.into_iter().partition(|right| right.tried.is_ok());
    if !had.is_empty() {
        let opens: Vec<&str> = had.iter().map(|right| right.opens).collect();
        findings.add(Finding::ok(what, format!("may read {}", opens.join(", "))));
    }
    // Where nothing is open the credential itself is to blame, which has been said.
    let worth_a_word = failure.is_none() || !had.is_empty();
    for Right { opens, tried, remedy } in missing.into_iter().filter(|_| worth_a_word) {
        let Err(failure) = tried else { continue };
        let help = remedy.unwrap_or_else(|| help(failure.class, source));
        findings.add(Finding::fail(what, format!("may not read {opens}: {}", told(&failure)), help));
    }
}

/// Whether the lists can be read from which many users are derived, where a source has such.
async fn lists(source: &Source, what: &str, findings: &mut Findings) {
    let Asks::Backend(backend) = &source.asks else { return };
    let Some(enumerator) = backend.enumerator() else { return };
    let what = format!("lists of {what}");
    findings.add(match enumerator.enumerate(&[]).await {
        Ok(_) => Finding::ok(&what, "they can be read to their end".to_owned()),
        Err(failure) => Finding::fail(&what, told(&failure), help(failure.class, source)),
    });
}

fn speaks_of_rights(class: ErrorClass) -> bool {
    match class {
        ErrorClass::Unauthorized | ErrorClass::Forbidden => true,
        ErrorClass::Timeout
        | ErrorClass::Connect
        | ErrorClass::Http5xx
        | ErrorClass::RateLimited
        | ErrorClass::Malformed
        | ErrorClass::Incomplete
        | ErrorClass::MissingClaim => false,
    }
}

fn of_clock(what: &str, ahead: TimeDelta) -> Finding {
    let apart = ahead.abs();
    let which = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
    let says = format!("its clock is {} s {which} ours", apart.num_seconds());
    let help = "set this machine's clock (NTP), or tell whoever runs the source: signed assertions and dates in \
                Retry-After rest on it";
    if apart <= CLOCK_AGREES_MAX {
        Finding::ok(what, "its clock agrees with ours")
    } else if apart <= CLOCK_APART_MAX {
        Finding::warn(what, says, help)
    } else {
        Finding::fail(what, says, help)
    }
}

fn of_limit(what: &str, limit: Limit, source: &Source) -> Finding {
    let Limit { left, of } = limit;
    let of = of.map_or_else(String::new, |of| format!(" of {of}"));
    let says = format!("{left}{of} calls left of its own limit");
    if left > 0 {
        return Finding::ok(what, says);
    }
    Finding::warn(what, says, format!("lower sources.{}.rate, or ask less often (schedule, cache_ttl)", source.name))
}

fn of_person(what: &str, answer: &UserAnswer, user: UserId) -> Finding {
    let entitlements = answer.stated.entitlements().map_or(0, BTreeMap::len);
    if !answer.present {
        return Finding::ok(what, format!("user {user} is unknown there"));
    }
    Finding::ok(what, format!("user {user}: {} groups, {entitlements} entitlements", answer.groups.len()))
}

fn told(failure: &Failure) -> String {
    let Failure { class, message, .. } = failure;
    format!("{class}: {message}")
}

/// What to do, with the setting to look at.
fn help(class: ErrorClass, source: &Source) -> String {
    let name = &source.name;
    let (address, credential) = match source.kind {
        "google_workspace" => ("api_base and .token_uri", "credentials"),
        "local" => ("file", "file"),
        _ => ("base_url", "token"),
    };
    match class {
        ErrorClass::Timeout => format!("is it slow? sources.{name}.timeout bounds the wait"),
        ErrorClass::Connect => format!("see sources.{name}.{address}: is it right, and does a firewall stand between?"),
        ErrorClass::Http5xx => "the source itself is failing: ask whoever runs it".to_owned(),
        ErrorClass::RateLimited => format!("wait, and lower sources.{name}.rate"),
        ErrorClass::Unauthorized => format!("the credential is not accepted: renew sources.{name}.{credential}"),
        ErrorClass::Forbidden => format!("sources.{name}.{credential} is accepted, and lacks a scope or a role"),
        ErrorClass::Malformed if source.kind == "local" => format!("see sources.{name}.file"),
        ErrorClass::Malformed => {
            format!("is sources.{name}.{address} that of the API? a proxy or a login page may stand in front")
        }
        ErrorClass::Incomplete => "the answer was cut off: a proxy may stand in front".to_owned(),
        ErrorClass::MissingClaim => format!("see sources.{name}.claims"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_five_seconds_and_must_not_by_more_than_sixty() {
        // S17, G8
        for (milliseconds, starts, says) in [
            (0, "ok    ", "agrees"),
            (5_000, "ok    ", "agrees"),
            (-5_000, "ok    ", "agrees"),
            (5_001, "warn  ", "5 s ahead of"),
            (-60_000, "warn  ", "60 s behind"),
            (60_001, "FAIL  ", "60 s ahead of"),
            (-3_600_000, "FAIL  ", "3600 s behind"),
        ] {
            let finding = of_clock("source s", TimeDelta::milliseconds(milliseconds)).to_string();
            assert!(finding.starts_with(starts) && finding.contains(says), "{milliseconds}: {finding}");
        }
    }
}
