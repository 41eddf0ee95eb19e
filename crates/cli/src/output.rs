//! What the commands say.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{OnceLock, RwLock};

use afterimage::files::{plain, visible};
use serde_json::{Value, json};

/// Arguments of the command that would break a line, as those that name files may.
static BREAKING: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Takes the words of the command, the program first, whose arguments are then shown on one line.
pub(crate) fn remember(words: &[OsString]) {
    let arguments = words.iter().skip(1);
    let breaking = arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        // One that is blank would stand for every end of a line.
        .filter(|argument| argument.trim().contains(['\n', '\t']));
    if let Ok(mut all) = BREAKING.write() {
        *all = breaking.collect();
    }
}

/// What a terminal shows of `text`, with arguments of the user on one line.
fn told(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for argument in BREAKING.read().iter().flat_map(|all| all.iter()) {
        text = Cow::Owned(text.replace(argument.as_str(), &plain(argument)));
    }
    match visible(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => Cow::Owned(shown),
    }
}

/// What a terminal shows of a line that another draws.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    told(text)
}

/// Why standard output took no more, if it did not for another reason than that its reader closed it.
static FULL: OnceLock<String> = OnceLock::new();

/// Writes to standard output; a reader that has closed it has seen enough.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(told(text).as_bytes())
        .and_then(|()| out.flush());
    note_output(written);
}

/// Says what a command that went well found, and its `result` under `name` as one JSON object on the last line.
pub(crate) fn conclude(found: &str, name: &str, result: Option<Value>) {
    say(found);
    if let Some(result) = result {
        let line = json!({ "exit_code": 0, (name): result });
        say(&format!("{line}\n"));
    }
}

/// Keeps why standard output could not be written, for the exit code.
pub(crate) fn note_output(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        // The first reason is the one that counts.
        let _ = FULL.set(error.to_string());
    }
}

/// The exit code of a command that would end with `code`: what it printed may have been cut off.
pub(crate) fn ended(code: u8) -> u8 {
    match FULL.get() {
        None => code,
        Some(why) => {
            complain(&format!("error: standard output cannot be written: {why}"));
            code.max(1)
        }
    }
}

/// Writes a line to standard error.
pub fn complain(text: &str) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{}", told(text.trim_end()));
}

/// Writes one line to standard error, whatever names of others are in it.
pub fn complain_line(text: &str) {
    complain(&plain(text.trim_end()));
}
