//! The `afterimage` command.

use std::process::ExitCode;

use afterimage::Registry;

fn main() -> ExitCode {
    afterimage_cli::main(&Registry::standard())
}
