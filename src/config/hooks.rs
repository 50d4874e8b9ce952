//! `[hooks]`: what applications and identity providers call. Imports the reader.

use std::time::Duration;

use super::reader::Section;
use super::writer::{Page, time};

/// `[hooks]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HooksConfig {
    /// `[hooks.login]`.
    pub login: LoginHookConfig,
    /// `[hooks.deploycenter]`.
    pub deploycenter: DeployCenterHookConfig,
}

/// `[hooks.deploycenter]`: `POST /hooks/deploycenter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployCenterHookConfig {
    /// How long after a webhook the source is asked: it is sent before the change commits. Default: 5 s.
    pub settle: Duration,
}

/// `[hooks.login]`: `POST /hooks/login`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginHookConfig {
    /// The hook answers within this time, from the store where a source is slower. Default: 2 s.
    pub deadline: Duration,
    /// Whether a fresh or cached `can_access: false` denies the login. Default: false.
    pub enforce_can_access: bool,
}

impl HooksConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            login: section.table("login", LoginHookConfig::read),
            deploycenter: section.table("deploycenter", DeployCenterHookConfig::read),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let Self { login, deploycenter } = self;
        login.show(page);
        deploycenter.show(page);
    }
}

impl LoginHookConfig {
    fn read(section: &mut Section<'_>) -> Self {
        let deadlines = Duration::from_millis(10)..=Duration::from_mins(1);
        Self {
            deadline: section.key("deadline").duration(deadlines).unwrap_or(Duration::from_secs(2)),
            enforce_can_access: section.key("enforce_can_access").boolean().unwrap_or(false),
        }
    }

    fn show(&self, page: &mut Page) {
        let Self { deadline, enforce_can_access } = self;
        page.section("hooks.login");
        page.put("deadline", time(*deadline));
        page.put("enforce_can_access", *enforce_can_access);
    }
}

impl DeployCenterHookConfig {
    fn read(section: &mut Section<'_>) -> Self {
        let delays = Duration::ZERO..=Duration::from_mins(10);
        Self { settle: section.key("settle").duration(delays).unwrap_or(Duration::from_secs(5)) }
    }

    fn show(&self, page: &mut Page) {
        let Self { settle } = self;
        page.section("hooks.deploycenter");
        page.put("settle", time(*settle));
    }
}
