//! Lists, page by page, each read to its end or not at all.
//!
//! Wire facts: `startIndex` counts from 1, and a page may hold fewer resources than were asked for, so that a list
//! advances by what was returned (RFC 7644, 3.4.2.4). A list without `Resources` is empty when it states 0 results. By
//! cursor, the first page is asked for by an empty one, and a missing `nextCursor` ends the list (RFC 9865, 2).

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use entitled_model::Failure;

use super::features::By;
use super::incomplete;
use super::wire::{Page, Resource};

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    Index(u64),
    Cursor(String),
}

/// A list while it is read. Pure: it says where to go on, and whether what was read is all.
pub struct Progressed {
    at: At,
    total: Option<u64>,
    cursors: HashSet<String>,
    /// Hashes of the ids seen, so that a resource served twice doesn't make up for one never served.
    seen: HashSet<u64>,
    hasher: RandomState,
}

/// What follows a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    AnotherPage,
    End,
}

impl Progressed {
    pub fn new(by: By) -> Self {
        let at = match by {
            By::Index => At::Index(1),
            By::Cursor => At::Cursor(String::new()),
        };
        Self { at, total: None, cursors: HashSet::new(), seen: HashSet::new(), hasher: RandomState::new() }
    }

    /// Where the next page begins.
    pub fn at(&self) -> &At {
        &self.at
    }

    /// Takes a page, less the resources that came before.
    ///
    /// # Errors
    /// `incomplete` when the list can't be what the server holds.
    pub fn take<R: Resource>(&mut self, page: Page<R>) -> Result<(Vec<R>, Then), Failure> {
        let Page { total, resources, next_cursor } = page;
        self.agree(total)?;
        let resources = match (resources, total) {
            (Some(resources), _) => resources,
            (None, Some(0)) => Vec::new(),
            (None, _) => return Err(incomplete("a page has no Resources, though totalResults is not 0")),
        };
        let returned = resources.len() as u64;
        let (seen, hasher) = (&mut self.seen, &self.hasher);
        let fresh = resources.into_iter().filter(|one| seen.insert(hasher.hash_one(one.id()))).collect();
        let then = match self.at {
            At::Index(from) => self.after_index(from, returned)?,
            At::Cursor(_) => self.after_cursor(next_cursor, returned)?,
        };
        if then == Then::End {
            self.hold_to_total()?;
        }
        Ok((fresh, then))
    }

    /// How many resources the list states.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    fn agree(&mut self, total: Option<u64>) -> Result<(), Failure> {
        match (self.total, total, &self.at) {
            (None, None, At::Index(_)) => Err(incomplete("a list has no totalResults")),
            (Some(before), now, At::Index(_)) if now != Some(before) => Err(changed()),
            (Some(before), Some(now), At::Cursor(_)) if now != before => Err(changed()),
            _ => {
                self.total = total.or(self.total);
                Ok(())
            }
        }
    }

    fn after_index(&mut self, from: u64, returned: u64) -> Result<Then, Failure> {
        let total = self.total.unwrap_or(0);
        let next = from.saturating_add(returned);
        if next > total {
            return Ok(Then::End);
        }
        if returned == 0 {
            return Err(incomplete("an empty page came before the end of a list"));
        }
        self.at = At::Index(next);
        Ok(Then::AnotherPage)
    }

    fn after_cursor(&mut self, next: Option<String>, returned: u64) -> Result<Then, Failure> {
        let Some(next) = next else { return Ok(Then::End) };
        let asked = match std::mem::replace(&mut self.at, At::Cursor(next.clone())) {
            At::Cursor(asked) => asked,
            At::Index(_) => String::new(),
        };
        self.cursors.insert(asked);
        if self.cursors.contains(&next) {
            return Err(incomplete("a cursor came twice"));
        }
        if returned == 0 {
            return Err(incomplete("an empty page came before the end of a list"));
        }
        Ok(Then::AnotherPage)
    }

    fn hold_to_total(&self) -> Result<(), Failure> {
        let read = self.seen.len() as u64;
        match self.total {
            Some(total) if total != read => Err(incomplete(format!("a list states {total} resources and held {read}"))),
            _ => Ok(()),
        }
    }
}

fn changed() -> Failure {
    incomplete("totalResults changed while a list was read")
}
