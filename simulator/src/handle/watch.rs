//! Faults, tokens and the tape, through the handle.

use std::time::Duration;

use super::{DeadlinePassed, Handle, Requests, State};
use crate::call::System;
use crate::fault::{Fault, Target};
use crate::recorder::RecordedRequest;

/// Faults.
impl Handle {
    /// Installs a fault behind those that are.
    pub fn fault(&self, target: Target, fault: Fault) -> &Handle {
        self.0.faults.install(target, fault);
        self
    }

    /// The faults installed, in order, with the times they have left.
    pub fn faults(&self) -> Vec<(Target, Fault)> {
        self.0.faults.list()
    }

    /// Removes all faults and releases whatever is held.
    pub fn clear_faults(&self) -> &Handle {
        self.0.faults.clear();
        self
    }

    /// Releases every answer held under a name, and lets later ones pass. False when no hold has this name.
    pub fn release(&self, name: &str) -> bool {
        self.0.faults.release(name)
    }
}

/// Tokens and time.
impl Handle {
    /// Access tokens issued since the start, by the token endpoint and the metadata server together.
    pub fn tokens_issued(&self) -> u64 {
        self.0.tokens.issued_count()
    }

    /// Makes every access token unknown: the next call with one answers 401.
    pub fn revoke_tokens(&self) -> &Handle {
        self.0.tokens.revoke_all();
        self
    }

    /// Delegates these scopes to the service account and no others: a token that asks for more is refused with 401. At
    /// first all are.
    pub fn delegate_scopes(&self, scopes: &[&str]) -> &Handle {
        self.0.tokens.delegate(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self
    }

    /// Sets the lifetime of access tokens issued from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) -> &Handle {
        self.0.tokens.set_lifetime(lifetime);
        self
    }

    /// Moves the simulator's clock forwards: access tokens and page tokens age, assertions look old.
    pub fn advance_clock(&self, by: Duration) -> &Handle {
        self.0.clock.advance(by);
        self
    }
}

/// The tape.
impl Handle {
    /// The requests a system received since the last clear, oldest first; the ring keeps the latest 20,000 of all.
    pub fn requests(&self, system: System) -> Vec<RecordedRequest> {
        self.0.recorder.requests(system)
    }

    /// How many requests a system received since the last clear.
    pub fn count(&self, system: System) -> u64 {
        self.0.recorder.count(system)
    }

    /// How many bytes a system's answers had, without their heads, since the last clear.
    pub fn bytes_answered(&self, system: System) -> u64 {
        self.0.recorder.bytes_answered(system)
    }

    /// The most requests a system was answering at once since the last clear.
    pub fn peak_concurrency(&self, system: System) -> usize {
        self.0.recorder.peak_concurrency(system)
    }

    /// Forgets the requests and their counts.
    pub fn clear_requests(&self) -> &Handle {
        self.0.recorder.clear();
        self
    }

    /// Waits until a system has received `n` requests since the last clear. A request counts when it arrives, so one
    /// that is held counts.
    ///
    /// # Errors
    /// When the deadline passes first.
    pub async fn wait_for_requests(&self, system: System, n: u64, deadline: Duration) -> Result<(), DeadlinePassed> {
        let waited = tokio::time::timeout(deadline, self.0.recorder.wait_for(system, n)).await;
        waited.map_err(|_| DeadlinePassed { system, wanted: n, seen: self.count(system) })
    }

    /// Counts of everything.
    pub fn state(&self) -> State {
        let organisation = self.0.organisation();
        let requests =
            |system| (system, Requests { count: self.count(system), peak_concurrency: self.peak_concurrency(system) });
        State {
            users: organisation.workspace.users_count(),
            groups: organisation.workspace.groups_count(),
            memberships: organisation.workspace.memberships_count(),
            organisations: organisation.subscriptions.organizations_count(),
            accounts: organisation.subscriptions.accounts_count(),
            faults: self.faults().len(),
            tokens_issued: self.tokens_issued(),
            requests: System::ALL.into_iter().map(requests).collect(),
        }
    }
}
