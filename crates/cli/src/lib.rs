//! The `afterimage` command, for programs that add plugins of their own to it.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use afterimage::Registry;
//!
//! fn main() -> ExitCode {
//!     // `.with(PluginKind::new(…))` adds a kind of plugin to the standard ones.
//!     afterimage_cli::main(&Registry::standard())
//! }
//! ```

mod alive;
mod arguments;
mod ask_tell;
mod commands;
mod compact;
mod data;
mod export;
mod help;
mod intervene;
mod logging;
mod new;
mod output;
mod probe;
mod room;
mod select;
mod select_input;
mod select_settings;
mod select_told;
mod sensitivity;
mod shell;
mod source;
mod sweep;
mod sweep_executor;
mod sweep_left;
mod together;
mod value;
mod value_learner;

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use afterimage::Registry;
use afterimage::files::visible;
use clap::FromArgMatches as _;

use crate::arguments::Arguments;
use crate::output::complain;
use crate::together::Together;

/// Runs the command line of this process with the plugins of `registry`.
///
/// All commands know them: configs of `run`, `check` and `sweep` can name them, `plugins` lists them,
/// and trials of a sweep are processes of the calling program.
pub fn main(registry: &Registry) -> ExitCode {
    let call = Call {
        words: std::env::args_os().collect(),
        program: None,
    };
    ExitCode::from(together::run(call, registry))
}

/// A call of the command by a program that is not the command alone, as an interpreter that has it as a
/// library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The words of the command line, the name of the program first.
    pub words: Vec<OsString>,
    /// The program that is the command and nothing else: trials of a sweep are processes of it. Without,
    /// the program of this process.
    pub program: Option<PathBuf>,
}

impl Call {
    /// Runs the command with the plugins of `registry`; the result is the exit code.
    pub fn run(self, registry: &Registry) -> u8 {
        self.run_in(registry, &Together::unjoined())
    }

    fn run_in(self, registry: &Registry, together: &Together) -> u8 {
        output::remember(&self.words);
        let parsed = help::command()
            .try_get_matches_from(&self.words)
            .and_then(|mut matches| {
                let parsed = Arguments::from_arg_matches_mut(&mut matches);
                parsed.map_err(|error| error.format(&mut help::command()))
            });
        match parsed {
            Ok(arguments) => {
                let code = commands::execute(registry, arguments, self.program, together);
                output::ended(code)
            }
            Err(error) => {
                // Help and version are no mistakes; a wrong flag is one in what the user configured.
                let code = if error.use_stderr() { 2 } else { 0 };
                if !together.speaks() {
                    return code;
                }
                // The message shows what was typed, and a terminal would obey some of it.
                let obeyed =
                    |word: &OsString| matches!(visible(&word.to_string_lossy()), Cow::Owned(_));
                if self.words.iter().any(obeyed) {
                    complain(&error.render().to_string());
                } else {
                    output::note_output(error.print());
                }
                output::ended(code)
            }
        }
    }
}
