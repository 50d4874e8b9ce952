//! `entitled events`, `audit` and `healthcheck` on a server.

use serde_json::json;

use crate::cli::audit::{self, PAGE_ROWS, Telling};
use crate::cli::events::{Events, LAST_EVENTS, WAIT, line};
use crate::cli::say::{self, say};
use crate::cli::serve::Signals;
use crate::cli::{CliError, Exit, Output};
use crate::http::{AccessView, AccessesView, AuditView, EventsView};
use crate::remote::{Remote, RemoteError};

pub async fn events(events: Events, remote: &Remote) -> Result<Exit, CliError> {
    let Events::Tail { after, follow, output } = events;
    let mut after = match after {
        Some(after) => after.0,
        None => {
            let newest: AuditView = remote.get(&["audit"], &[("limit", "1")]).await?;
            let head = newest.events.first().map_or(0, |event| event.position);
            (head - LAST_EVENTS).max(0)
        }
    };
    let mut signals = Signals::listen()?;
    tokio::select! {
        told = tell(remote, &mut after, follow, output) => told?,
        () = signals.next() => {}
    }
    Ok(Exit::Done)
}

/// Tells all events behind a position; when it follows, it waits for more.
async fn tell(remote: &Remote, after: &mut i64, follow: bool, output: Output) -> Result<(), CliError> {
    let wait = if follow { WAIT.as_secs() } else { 0 }.to_string();
    loop {
        let page: EventsView = remote.get(&["events"], &[("after", &after.to_string()), ("wait", &wait)]).await?;
        let is_empty = page.events.is_empty();
        for event in page.events {
            line(&event, output)?;
        }
        if say::is_unheard() || (is_empty && !follow) {
            return Ok(());
        }
        if !is_empty && page.next <= *after {
            return Err(RemoteError::Endless.into());
        }
        *after = page.next;
    }
}

pub async fn audit(options: audit::Options, remote: &Remote) -> Result<Exit, CliError> {
    let audit::Options { refusals: is_refusals, actor, action, subject, since, until, before, limit, output } = options;
    if is_refusals {
        return refusals(before.map(|before| before.to_string()), Telling::new(limit, output), remote).await;
    }
    let subject = subject.map(|(category, id)| format!("{category}:{id}"));
    let (since, until) = (since.map(|since| since.to_string()), until.map(|until| until.to_string()));
    let given = [("actor", &actor), ("action", &action), ("subject", &subject), ("since", &since), ("until", &until)];
    let mut telling = Telling::new(limit, output);
    let mut before: Option<i64> = None;
    while telling.goes_on() {
        let (rows, behind) = (telling.left.min(PAGE_ROWS).to_string(), before.map(|before| before.to_string()));
        let mut asked: Vec<(&str, &str)> =
            given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        asked.push(("limit", &rows));
        asked.extend(behind.as_deref().map(|behind| ("before", behind)));
        let page: AuditView = remote.get(&["audit"], &asked).await?;
        telling.page(page.events, json!(page.next))?;
        match page.next {
            None => break,
            Some(next) if before.is_some_and(|before| next >= before) => return Err(RemoteError::Endless.into()),
            next => before = next,
        }
    }
    telling.end();
    Ok(Exit::Done)
}

async fn refusals(
    mut before: Option<String>,
    mut telling: Telling<AccessView>,
    remote: &Remote,
) -> Result<Exit, CliError> {
    while telling.goes_on() {
        let rows = telling.left.min(PAGE_ROWS).to_string();
        let mut asked = vec![("limit", rows.as_str())];
        asked.extend(before.as_deref().map(|before| ("before", before)));
        let AccessesView { accesses, next } = remote.get(&["admin", "refusals"], &asked).await?;
        let is_empty = accesses.is_empty();
        telling.page(accesses, json!(next))?;
        match next {
            None => break,
            // It would be asked for ever.
            next if is_empty || next == before => return Err(RemoteError::Endless.into()),
            next => before = next,
        }
    }
    telling.end();
    Ok(Exit::Done)
}

pub async fn healthcheck(remote: &Remote) -> Result<Exit, CliError> {
    if remote.is_ready().await? {
        return Ok(Exit::Done);
    }
    say!("it is not ready");
    Ok(Exit::Unwell)
}
