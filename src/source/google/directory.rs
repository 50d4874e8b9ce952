//! The directory's lists, page by page, each read to its end or not at all.
//!
//! Wire facts: pages of at most 200, of users 500; a missing `nextPageToken` ends a list; `userKey` takes a user's or a group's address
//! and lists direct memberships. The parameter `fields` is not sent: without `nextPageToken` in it a list is cut silently.

mod rights;

use std::collections::BTreeSet;
use std::sync::Arc;

use entitled_model::{ErrorClass, Failure};
use url::Url;

use super::token::Tokens;
use super::wire::{self, Answered, Group, GroupCount, GroupsPage, Kinded, Member, MembersPage, Page, User, UsersPage};
use crate::config::{self, GoogleWorkspaceConfig};
use crate::source::Urgency;
use crate::source::client::{Call, Client};

pub struct Directory {
    source: String,
    client: Arc<Client>,
    tokens: Tokens,
    api_base: Url,
    listed: config::Directory,
    pages_max: u32,
}

/// Whether there was anything to list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    ToTheEnd,
    /// The user or group is not known there: its list is empty, on the directory's own word.
    NoSuchKey,
}

impl Directory {
    pub fn new(source: &str, settings: &GoogleWorkspaceConfig, client: Arc<Client>, tokens: Tokens) -> Self {
        Self {
            source: source.to_owned(),
            client,
            tokens,
            api_base: settings.api_base.clone(),
            listed: settings.directory.clone(),
            pages_max: settings.page_cap,
        }
    }

    /// Whether the source's circuit is open.
    pub fn is_unreachable(&self) -> bool {
        self.client.gate().is_open()
    }

    /// The groups of which the user or group with this address is a direct member; `None` when there is no such one.
    pub async fn groups_of(&self, address: &str, urgency: Urgency) -> Result<Option<Vec<Group>>, Failure> {
        let mut url = self.address("groups", &[]);
        url.query_pairs_mut().append_pair("userKey", address);
        let mut groups = Vec::new();
        let listed = self.list::<GroupsPage>(url, urgency, |page| groups.extend(page)).await?;
        Ok((listed == Listed::ToTheEnd).then_some(groups))
    }

    /// Every group, page by page.
    pub async fn all_groups(&self, each: impl FnMut(Vec<Group>) + Send) -> Result<Listed, Failure> {
        self.list::<GroupsPage>(self.listed("groups"), Urgency::Background, each).await
    }

    /// Every person's account, page by page.
    pub async fn all_users(&self, each: impl FnMut(Vec<User>) + Send) -> Result<Listed, Failure> {
        let mut url = self.listed("users");
        url.query_pairs_mut().append_pair("projection", "basic");
        self.list::<UsersPage>(url, Urgency::Background, each).await
    }

    /// The account with this address or immutable id; `None` when there is no such one.
    pub async fn user(&self, key: &str, urgency: Urgency) -> Result<Option<User>, Failure> {
        let mut url = self.address("users", &[key]);
        url.query_pairs_mut().append_pair("projection", "basic");
        Ok(match self.ask::<User>(url, urgency).await? {
            Answered::With(user) => Some(user),
            Answered::NoSuchKey => None,
        })
    }

    /// The direct members of a group, page by page; the key is its id or its address.
    pub async fn members(&self, key: &str, each: impl FnMut(Vec<Member>) + Send) -> Result<Listed, Failure> {
        self.list::<MembersPage>(self.address("groups", &[key, "members"]), Urgency::Background, each).await
    }

    /// How many direct members a group states now; `None` when it doesn't, or is gone.
    pub async fn members_stated(&self, key: &str) -> Result<Option<u64>, Failure> {
        Ok(match self.ask::<GroupCount>(self.address("groups", &[key]), Urgency::Background).await? {
            Answered::With(group) => group.direct_members_count,
            Answered::NoSuchKey => None,
        })
    }

    async fn list<P: Page>(
        &self,
        url: Url,
        urgency: Urgency,
        mut each: impl FnMut(Vec<P::Entry>) + Send,
    ) -> Result<Listed, Failure> {
        let mut tokens = BTreeSet::new();
        let mut token: Option<String> = None;
        for _ in 0..self.pages_max {
            let (entries, next) = match self.ask::<P>(with_page::<P>(url.clone(), token.as_deref()), urgency).await? {
                Answered::With(page) => page.into_parts(),
                Answered::NoSuchKey if token.is_none() => return Ok(Listed::NoSuchKey),
                Answered::NoSuchKey => return Err(incomplete("what was listed went away between two pages")),
            };
            each(entries);
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(Listed::ToTheEnd),
                Some(next) if !tokens.insert(next.clone()) => return Err(incomplete("a page token came twice")),
                next => token = next,
            }
        }
        let Self { source, pages_max, .. } = self;
        Err(incomplete(&format!("a list has more than {pages_max} pages: see sources.{source}.page_cap")))
    }

    async fn ask<T: Kinded>(&self, url: Url, urgency: Urgency) -> Result<Answered<T>, Failure> {
        self.client
            .ask(&Call::get(url).urgency(urgency), &self.tokens, |reply| wire::read::<T>(reply, &self.source))
            .await
    }

    /// The address of a list of the whole directory.
    fn listed(&self, what: &str) -> Url {
        let mut url = self.address(what, &[]);
        match &self.listed {
            config::Directory::Customer(customer) => url.query_pairs_mut().append_pair("customer", customer),
            config::Directory::Domain(domain) => url.query_pairs_mut().append_pair("domain", domain),
        };
        url
    }

    fn address(&self, what: &str, below: &[&str]) -> Url {
        let mut url = self.api_base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["admin", "directory", "v1", what]).extend(below);
        }
        url
    }
}

pub fn incomplete(why: &str) -> Failure {
    Failure::new(ErrorClass::Incomplete, why)
}

fn with_page<P: Page>(mut url: Url, token: Option<&str>) -> Url {
    url.query_pairs_mut().append_pair("maxResults", P::ROWS_MAX);
    if let Some(token) = token {
        url.query_pairs_mut().append_pair("pageToken", token);
    }
    url
}
