//! Reads the small text files a configuration consists of or names. Imports std only.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No configuration, secret or key file is larger than this.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The file's text.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or is larger than 1 MiB.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(text)
}

/// Whether the file can be opened and is one.
///
/// # Errors
/// When it is missing, unreadable or a directory.
pub(super) fn check_readable(path: &Path) -> io::Result<()> {
    match File::open(path)?.metadata()?.is_dir() {
        true => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        false => Ok(()),
    }
}
