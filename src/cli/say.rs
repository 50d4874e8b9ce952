//! Answers on stdout. A reader that has gone (`entitled user list | head`) is no fault; a full disk is.

use comfy_table::{Table, presets};
use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};
use std::sync::{Mutex, PoisonError};

/// The first fault of stdout.
static FAULT: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Writes one line to stdout.
pub fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        FAULT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
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

/// A table without lines, for reading and for `awk` alike.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    table
}
