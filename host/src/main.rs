//! The `mhost` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mhost::cli::main()
}
