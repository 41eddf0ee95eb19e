//! The command under test, as a process of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use afterimage::Registry;

use crate::error::Broken;

/// The variable that hands the words of the command to a test that answers them, as a JSON array.
const WORDS: &str = "AFTERIMAGE_TESTKIT_WORDS";

/// How the command is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A program that is the command, as `env!("CARGO_BIN_EXE_…")` names it.
    Command(PathBuf),
    /// The test of this name in the executable of this process, whose body is [`answer`].
    Test(String),
}

impl Program {
    /// The test `as_a_process` of `module`, as `module_path!()` names it.
    pub fn this_test(module: &str) -> Self {
        // Tests are named without their crate.
        let name = match module.split_once("::") {
            Some((_, inner)) => format!("{inner}::as_a_process"),
            None => "as_a_process".to_owned(),
        };
        Self::Test(name)
    }

    /// The command with `words`, deaf to the tester's own settings.
    ///
    /// # Errors
    /// An executable of this process that the system does not name, and words that are not UTF-8 where a
    /// test answers them.
    pub(crate) fn command(&self, words: &[OsString]) -> Result<Command, Broken> {
        let mut command = match self {
            Self::Command(path) => {
                let mut command = Command::new(path);
                command.args(words);
                command
            }
            Self::Test(name) => {
                let this = std::env::current_exe().map_err(Broken::io("this executable"))?;
                let plain = words.iter().map(|word| {
                    let path = || Broken::file(PathBuf::from(word), "the name is not UTF-8");
                    word.to_str().ok_or_else(path)
                });
                let plain = plain.collect::<Result<Vec<&str>, Broken>>()?;
                let mut command = Command::new(this);
                command.args(["--exact", name, "--ignored", "--nocapture"]);
                command.env(WORDS, serde_json::json!(plain).to_string());
                command
            }
        };
        command
            .env_remove("AFTERIMAGE_LOG")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        Ok(command)
    }
}

/// Runs the command with the plugins of `registry` and ends the process with its exit code, if another test
/// started this one with words; otherwise does nothing, as when all ignored tests are run.
// The harness has no other way to end with the exit code of what a test did, and nothing is alive behind the call.
#[expect(clippy::disallowed_methods)]
pub fn answer(registry: &Registry) {
    let Some(words) = std::env::var_os(WORDS) else {
        return;
    };
    let words: Vec<String> = serde_json::from_str(&words.to_string_lossy()).unwrap_or_default();
    let words = std::iter::once("afterimage".to_owned()).chain(words);
    let call = afterimage_cli::Call {
        words: words.map(OsString::from).collect(),
        program: None,
    };
    std::process::exit(i32::from(call.run(registry)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_named_without_its_crate() {
        let name = |module| match Program::this_test(module) {
            Program::Test(name) => name,
            Program::Command(path) => path.display().to_string(),
        };
        assert_eq!(
            name("my_crate::spread::tests"),
            "spread::tests::as_a_process"
        );
        assert_eq!(name("conformance"), "as_a_process");
    }
}
