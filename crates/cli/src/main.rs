//! The `afterimage` command.

mod arguments;
mod commands;
mod compact;
mod intervene;
mod logging;
mod output;
mod probe;
mod select;
mod source;
mod sweep;
mod value;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no mistakes; a wrong flag is one in what the user configured.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    ExitCode::from(commands::execute(arguments))
}
