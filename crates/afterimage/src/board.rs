//! A run in TensorBoard: how it is opened, and as a session of the HParams tab, what was set and how it
//! ended.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use afterimage_files::{word, word_of};
use afterimage_hooks::{Outcome, Sink as _};
use afterimage_track::{
    HParam, Session, SessionStatus, TensorBoard, TrackError, files, name_of, replay,
};
use toml::Value;

use crate::flat_config::{flat, has_effect};
use crate::run_dir::RunDir;

/// The words that open TensorBoard on a run, beside others of its folder, so that each has its folder's
/// name. A run right in the folder at work is opened alone: TensorBoard would search all that lies there.
pub(crate) fn board_of(run: &Path) -> String {
    let above = run.parent().filter(|above| above.file_name().is_some());
    match (above, run.file_name()) {
        (Some(above), _) => format!("--logdir {}", word(above)),
        (None, Some(name)) => {
            let board = run.join(files::TENSORBOARD);
            let spec = format!("{}:{}", name.to_string_lossy(), board.display());
            format!("--logdir_spec {}", word_of(spec.into()))
        }
        (None, None) => format!("--logdir {}", word(run)),
    }
}

/// Says that a run with the `resolved` config begins. A run without it is whole: what goes wrong is a
/// warning.
pub(crate) fn begin_session(run: &RunDir, resolved: &str) {
    let session = session(name_of(run.path()), resolved);
    write(&run.tensorboard(), |board| board.hparams_session(&session));
}

/// Says in the new folder `board`, which is not yet that of the run `group`, that this run begins at what
/// another one in the folder `theirs` was behind `step`: what that one measured until then, and settings of its
/// own.
///
/// # Errors
/// A file that cannot be read or written.
pub(crate) fn begin_forked(
    board: &Path,
    theirs: &Path,
    step: u64,
    group: String,
    resolved: &str,
) -> Result<(), TrackError> {
    let session = session(group, resolved);
    write_session(board, |board| board.hparams_session(&session))?;
    replay(theirs, board, step, resolved)
}

fn session(group: String, resolved: &str) -> Session {
    Session {
        group,
        hparams: settings(resolved),
        started: now(),
        ended: None,
        status: SessionStatus::Running,
    }
}

/// Says how the run ended, likewise; nothing of an interrupted one, which is not over.
pub(crate) fn end_session(run: &RunDir, outcome: &Outcome) {
    let status = match outcome {
        Outcome::Interrupted(_) => return,
        Outcome::Completed | Outcome::Stopped(_) => SessionStatus::Success,
        Outcome::Diverged | Outcome::Failed(_) => SessionStatus::Failure,
    };
    write(&run.tensorboard(), |board| board.hparams_end(status, now()));
}

/// Seconds since 1970.
fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

fn write(board: &Path, say: impl FnOnce(&mut TensorBoard) -> io::Result<()>) {
    if let Err(error) = write_session(board, say) {
        tracing::warn!("TensorBoard's HParams tab lacks what was set in this run: {error}");
    }
}

fn write_session(
    board: &Path,
    say: impl FnOnce(&mut TensorBoard) -> io::Result<()>,
) -> Result<(), TrackError> {
    let mut board = TensorBoard::create(board, None)?;
    let told = say(&mut board).and_then(|()| board.flush());
    told.map_err(|source| TrackError::Io {
        action: "write",
        path: board.path().to_owned(),
        source,
    })
}

/// What a config sets, by key; plugins by their ids.
pub(crate) fn settings(resolved: &str) -> BTreeMap<String, HParam> {
    let table: toml::Table = toml::from_str(resolved).unwrap_or_default();
    let all = flat(&table).into_iter();
    all.filter(|(key, _)| has_effect(key))
        .map(|(key, value)| (key, hparam(&value)))
        .collect()
}

/// A value of a config as the tab shows it.
pub(crate) fn hparam(value: &Value) -> HParam {
    match value {
        Value::Float(x) => HParam::Number(*x),
        Value::Integer(n) => HParam::Number(*n as f64),
        Value::Boolean(flag) => HParam::Flag(*flag),
        Value::String(text) => HParam::Text(text.clone()),
        other => HParam::Text(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_by_their_keys() {
        let text = "name = \"x\"\nseed = 7\nloader = { threads = 2 }\n[optimizer]\nkind = \"sgd\"\n\
                    nesterov = true\n[limits]\ntrain = 10\n[[plugins]]\nkind = \"unitmem\"\nid = \"a\"\n\
                    points = 5\n[[plugins]]\nkind = \"watch\"\nhistograms = false\n";
        let settings = settings(text);
        let expected = [
            ("limits.train", HParam::Number(10.0)),
            ("optimizer.kind", HParam::Text("sgd".to_owned())),
            ("optimizer.nesterov", HParam::Flag(true)),
            ("plugins.a.id", HParam::Text("a".to_owned())),
            ("plugins.a.kind", HParam::Text("unitmem".to_owned())),
            ("plugins.a.points", HParam::Number(5.0)),
            ("plugins.watch.histograms", HParam::Flag(false)),
            ("plugins.watch.kind", HParam::Text("watch".to_owned())),
            ("seed", HParam::Number(7.0)),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(settings, BTreeMap::from(expected));
    }

    #[test]
    fn tensorboard_is_opened_so_that_runs_have_names() {
        for (run, words) in [
            ("runs/quickstart/1-ab", "--logdir runs/quickstart"),
            ("/tmp/a b/run", "--logdir '/tmp/a b'"),
            ("/tmp/q&b$HOME/run", "--logdir '/tmp/q&b$HOME'"),
            ("run", "--logdir_spec run:run/tensorboard"),
            ("./run", "--logdir_spec run:./run/tensorboard"),
            ("/run", "--logdir_spec run:/run/tensorboard"),
        ] {
            assert_eq!(board_of(Path::new(run)), words);
        }
    }
}
