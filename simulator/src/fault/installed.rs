//! The faults installed, in order, and the gates that hold answers back.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::{Fault, Target};
use crate::call::Call;
use crate::organisation::{Organisation, Workspace, folded};

/// Installed faults.
#[derive(Debug, Default)]
pub(crate) struct Installed(Mutex<Board>);

#[derive(Debug, Default)]
struct Board {
    faults: Vec<(Target, Fault)>,
    gates: BTreeMap<String, CancellationToken>,
}

/// What befalls one call, sorted by when it acts.
#[derive(Debug, Default)]
pub(super) struct Befalling {
    pub waits: Vec<Wait>,
    /// Answers instead of the system.
    pub instead: Option<Fault>,
    /// Change the system's answer; empty when there is none to change.
    pub reshaping: Vec<Fault>,
}

/// Something to wait for.
#[derive(Debug)]
pub(super) enum Wait {
    Delay {
        ms: u64,
    },
    /// Before the answer is made.
    CallGate(CancellationToken),
    /// After the answer is made.
    AnswerGate(CancellationToken),
}

enum Effect {
    Wait,
    Instead,
    Reshape,
}

impl Fault {
    fn effect(&self) -> Effect {
        match self {
            Fault::Delay { .. } | Fault::Hold { .. } => Effect::Wait,
            Fault::Status { .. }
            | Fault::GoogleError { .. }
            | Fault::Reset
            | Fault::Close
            | Fault::Html
            | Fault::InvalidJson
            | Fault::Redirect { .. } => Effect::Instead,
            Fault::Truncate
            | Fault::WrongType { .. }
            | Fault::ShortList
            | Fault::Oversize { .. }
            | Fault::RepeatToken
            | Fault::EndlessPages
            | Fault::OmitKey { .. }
            | Fault::NullKey { .. }
            | Fault::ReplaceKey { .. }
            | Fault::SetHeader { .. } => Effect::Reshape,
        }
    }
}

impl Installed {
    /// Installs a fault behind those that are. A hold gets a closed gate, though one of its name was released before.
    pub(crate) fn install(&self, target: Target, fault: Fault) {
        let mut board = self.board();
        if let Fault::Hold { name, .. } = &fault {
            let gate = board.gates.entry(name.clone()).or_default();
            if gate.is_cancelled() {
                *gate = CancellationToken::new();
            }
        }
        board.faults.push((target, fault));
    }

    /// Removes all faults and releases whatever is held.
    pub(crate) fn clear(&self) {
        let mut board = self.board();
        board.faults.clear();
        for gate in std::mem::take(&mut board.gates).into_values() {
            gate.cancel();
        }
    }

    /// Opens a gate for good. False when no hold has this name.
    pub(crate) fn release(&self, name: &str) -> bool {
        let board = self.board();
        let gate = board.gates.get(name);
        gate.inspect(|gate| gate.cancel()).is_some()
    }

    pub(crate) fn list(&self) -> Vec<(Target, Fault)> {
        self.board().faults.clone()
    }

    /// The faults that act on a call; each counts it, and disappears when it was its last.
    pub(super) fn befalling(&self, call: &Call, organisation: &Organisation) -> Befalling {
        let mut board = self.board();
        let mut befalling = Befalling::default();
        let Board { faults, gates } = &mut *board;
        for (target, fault) in faults.iter_mut() {
            if matches(target, call, &organisation.workspace) && befalling.accept(fault, gates) {
                target.times = target.times.map(|times| times.saturating_sub(1));
            }
        }
        faults.retain(|(target, _)| target.times != Some(0));
        befalling
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Befalling {
    /// Takes a fault up, unless an earlier one leaves it nothing to act on.
    fn accept(&mut self, fault: &Fault, gates: &mut BTreeMap<String, CancellationToken>) -> bool {
        match fault.effect() {
            Effect::Wait => self.waits.extend(wait(fault, gates)),
            Effect::Instead | Effect::Reshape if self.instead.is_some() => return false,
            Effect::Instead if !self.reshaping.is_empty() => return false,
            Effect::Instead => self.instead = Some(fault.clone()),
            Effect::Reshape => self.reshaping.push(fault.clone()),
        }
        true
    }
}

fn wait(fault: &Fault, gates: &mut BTreeMap<String, CancellationToken>) -> Option<Wait> {
    match fault {
        Fault::Delay { ms } => Some(Wait::Delay { ms: *ms }),
        Fault::Hold { name, answer } => {
            let gate = gates.entry(name.clone()).or_default().clone();
            Some(match answer {
                super::HeldAnswer::AsOfArrival => Wait::AnswerGate(gate),
                super::HeldAnswer::AsOfRelease => Wait::CallGate(gate),
            })
        }
        _ => None,
    }
}

fn matches(target: &Target, call: &Call, workspace: &Workspace) -> bool {
    let Target { system, path_contains, page, user, group, times } = target;
    *system == call.system
        && *times != Some(0)
        && path_contains.as_ref().is_none_or(|piece| call.target().contains(piece))
        && page.is_none_or(|page| call.page() == page)
        && user.as_ref().is_none_or(|user| call.user_keys().any(|key| same(user, key, workspace)))
        && group.as_ref().is_none_or(|group| call.group_keys().any(|key| same(group, key, workspace)))
}

/// Two keys name the same one when they fold to the same text, or lead to the same principal.
fn same(one: &str, other: &str, workspace: &Workspace) -> bool {
    let principal = workspace.principal(one);
    folded(one) == folded(other) || (principal.is_some() && principal == workspace.principal(other))
}
