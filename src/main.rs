//! The `entitled` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    entitled::cli::main()
}
