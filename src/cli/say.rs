//! Answers on stdout. A reader that has gone (`entitled user list | head`) is no fault.

use std::fmt::Arguments;
use std::io::Write as _;

/// Writes one line to stdout.
pub fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to be told.
    let _ = writeln!(out, "{text}");
}

/// `println!`, without its panic on a closed pipe.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say::line(format_args!($($text)*)) };
}

pub(crate) use say;
