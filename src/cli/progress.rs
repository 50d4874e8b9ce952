//! How far a long reading is, on a terminal only.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::source::Progress;

/// A line on stderr that follows the reading; nothing when stderr is no terminal.
pub struct OnTerminal(Option<ProgressBar>);

pub fn on_terminal() -> OnTerminal {
    if !std::io::stderr().is_terminal() {
        return OnTerminal(None);
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    OnTerminal(Some(bar))
}

impl OnTerminal {
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Progress for OnTerminal {
    fn pages(&self, what: &str, done: u64, expected: Option<u64>) {
        let Some(bar) = &self.0 else { return };
        bar.set_message(match expected {
            Some(expected) => format!("{what}: {done} of {expected}"),
            None => format!("{what}: {done}"),
        });
    }
}
