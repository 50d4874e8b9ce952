//! Answers on stdout. A reader that has gone (`entitled user list | head`) is no fault; a full disk is.

use comfy_table::{Table, presets};
use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The first fault of stdout.
static FAULT: Mutex<Option<std::io::Error>> = Mutex::new(None);
/// Whether writing to stdout has failed: there is no use in going on.
static UNHEARD: AtomicBool = AtomicBool::new(false);

/// Writes one line to stdout.
pub fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) else { return };
    UNHEARD.store(true, Ordering::Relaxed);
    if error.kind() != ErrorKind::BrokenPipe {
        FAULT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Whether nobody hears any more what is said.
pub fn is_unheard() -> bool {
    UNHEARD.load(Ordering::Relaxed)
}

/// What kept an answer from being written, if anything did.
pub fn fault() -> Option<std::io::Error> {
    FAULT.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// `println!`, without its panic on a closed pipe.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say::line(format_args!($($text)*)) };
}

pub(crate) use say;

/// A text's beginning, where it is longer than a line shows.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A table without lines, for reading and for `awk` alike.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    table
}
