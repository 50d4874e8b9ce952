//! `entitled history`, `members`, `diff` and `why` on a server: its pages, put together to one answer.

use serde::de::DeserializeOwned;

use crate::cli::history::{self, AboutOptions, DiffOptions, HistoryOptions, MembersOptions};
use crate::cli::why;
use crate::cli::{CliError, Exit};
use crate::http::{DiffView, HistoryView, MembershipsView};
use crate::remote::{Remote, RemoteError};

/// The rows of a page.
const PAGE_ROWS: usize = 1_000;

/// An answer that may be cut.
trait Cut: DeserializeOwned {
    fn rows(&self) -> usize;
    fn next(&self) -> Option<&str>;
    /// The parameters that keep the pages to come at the positions of the first.
    fn pinned(&self) -> Vec<(&'static str, String)>;
    fn extend(&mut self, page: Self);
}

macro_rules! cut {
    ($view:ty { $rows:ident } at $($parameter:literal: $position:ident),*) => {
        impl Cut for $view {
            fn rows(&self) -> usize {
                self.$rows.len()
            }

            fn next(&self) -> Option<&str> {
                self.next.as_deref()
            }

            fn pinned(&self) -> Vec<(&'static str, String)> {
                vec![$(($parameter, format!("@{}", self.$position))),*]
            }

            fn extend(&mut self, page: Self) {
                self.$rows.extend(page.$rows);
                self.next = page.next;
            }
        }
    };
}

cut!(HistoryView { entries } at "since": from_position, "until": to_position);
cut!(DiffView { changes } at "from": from_position, "to": to_position);
// The place of the page behind names the position.
cut!(MembershipsView { memberships } at);

type Query = Vec<(&'static str, String)>;

/// Up to `rows_max` rows of an answer.
async fn whole<T: Cut>(remote: &Remote, path: &str, query: Query, rows_max: usize) -> Result<T, RemoteError> {
    let page = async |query: &Query, left: usize| {
        let limit = left.min(PAGE_ROWS).to_string();
        let mut asked: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        asked.push(("limit", &limit));
        remote.get::<T>(&[path], &asked).await
    };
    let mut answer = page(&query, rows_max).await?;
    let mut asked: Query = query.into_iter().filter(|(name, _)| *name != "after").collect();
    for (name, value) in answer.pinned() {
        asked.retain(|(given, _)| *given != name);
        asked.push((name, value));
    }
    while answer.rows() < rows_max
        && let Some(next) = answer.next().map(str::to_owned)
    {
        let mut behind = asked.clone();
        behind.push(("after", next.clone()));
        answer.extend(page(&behind, rows_max - answer.rows()).await?);
        if answer.next() == Some(next.as_str()) {
            return Err(RemoteError::Endless);
        }
    }
    Ok(answer)
}

/// The parameters that were given.
fn query(given: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Query {
    given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

pub async fn run(options: HistoryOptions, remote: &Remote) -> Result<Exit, CliError> {
    let HistoryOptions { about: AboutOptions { user, group }, since, until, after, form } = options;
    let window = [("since", text(since)), ("until", text(until)), ("after", text(after))];
    let asked = query([("user", user), ("group", group)].into_iter().chain(window));
    history::show(whole(remote, "history", asked, form.rows_max()).await?, &form)
}

pub async fn members(options: MembersOptions, remote: &Remote) -> Result<Exit, CliError> {
    let MembersOptions { as_of, user, group, after, form } = options;
    let asked = query([("as_of", text(as_of)), ("user", user), ("group", group), ("after", text(after))]);
    history::show_members(whole(remote, "memberships", asked, form.rows_max()).await?, &form)
}

pub async fn diff(options: DiffOptions, remote: &Remote) -> Result<Exit, CliError> {
    let DiffOptions { from, to, after, form } = options;
    let asked = query([("from", text(Some(from))), ("to", text(Some(to))), ("after", text(after))]);
    history::show_diff(whole(remote, "diff", asked, form.rows_max()).await?, &form)
}

pub async fn why(options: why::Options, remote: &Remote) -> Result<Exit, CliError> {
    let why::Options { user, group, output } = options;
    why::show(remote.get(&["why"], &[("user", &user), ("group", &group)]).await?, output)
}
