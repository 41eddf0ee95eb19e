//! The batch script of a job array.

use crate::config::SlurmConfig;
use crate::executor::Program;
use crate::folder::Folder;
use crate::shell::{quoted, quoted_text};

/// A script whose task `n` runs the trial on line `n` of the batch's list, `attempt name`.
///
/// It passes SIGTERM on to the trial, which writes a checkpoint and ends. At SIGUSR1, which Slurm
/// sends when the time limit is near, it does the same and puts itself back into the queue; started
/// again (by itself, after preemption, after a node's failure) it goes on from the checkpoint. A lock
/// keeps a node that Slurm has given up, and that is not dead, from running the trial beside the
/// new one. The exit code and the seconds since the start are left in a file, unless the task goes back
/// into the queue. Each command of `setup` must succeed.
pub(super) fn script(
    folder: &Folder,
    program: &Program,
    ticket: &str,
    settings: &SlurmConfig,
) -> String {
    let list = quoted(&folder.slurm().join(format!("{ticket}.tasks")));
    let (logs, configs, trials) = (
        quoted(&folder.logs()),
        quoted(&folder.configs()),
        quoted(&folder.trials()),
    );
    let program_path = quoted(&program.path);
    let setup: String = settings
        .setup
        .iter()
        .map(|command| quoted_text(command))
        .map(|command| format!("eval {command} || unprepared {command}\n"))
        .collect();
    format!(
        r#"#!/bin/bash
set -u
list={list} logs={logs} configs={configs} trials={trials} program={program_path}
read -r attempt name <<<"$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$list")"
log=$logs/$name.$attempt
exec >>"$log.err" 2>&1
echo "node ${{SLURMD_NODENAME:-?}}, job ${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID, start $((${{SLURM_RESTART_COUNT:-0}} + 1))"
finish() {{
    echo "$1 $SECONDS" >"$log.exit.tmp" && mv "$log.exit.tmp" "$log.exit"
    exit "$1"
}}
exec 9>>"$logs/$name.lock"
flock --wait 600 9 || {{ echo "the trial is still running elsewhere"; finish 75; }}
rm -f "$log.exit"
child= again= asked=
ask() {{
    asked=yes
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}}
trap ask TERM
trap 'again=yes; ask' USR1
# Back into the queue, if the time limit is why it ended.
leave() {{
    if [ -n "$again" ] && [ "$1" = 143 ]; then
        exec 9>&-
        if scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"; then
            rm -f "$log.exit"
            sleep 60
            exit "$1"
        fi
    fi
    finish "$1"
}}
unprepared() {{
    [ -z "$asked" ] || leave 143
    echo "the setup failed (slurm.setup): $1"
    finish 1
}}
export RAYON_NUM_THREADS="${{RAYON_NUM_THREADS:-{threads}}}"
# Scripts that prepare environments use variables that are not set.
set +u
{setup}set -u
[ -z "$asked" ] || leave 143
"$program" run "$configs/$name.toml" --out "$trials/$name" --resume --json >>"$log.out" &
child=$!
[ -z "$asked" ] || ask
wait "$child"
code=$?
# A trap ends `wait` before the child has ended.
while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
done
# It may have ended while the trap ran: then its own code is still to be had.
wait "$child" 2>/dev/null
last=$?
[ "$last" = 127 ] || code=$last
leave "$code"
"#,
        threads = program.threads,
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};

    use super::*;

    /// Runs the script as Slurm would, with `setup`, and with stand-ins for the program and `scontrol`.
    fn run(place: &Path, setup: &[&str], program: &str) -> (Output, Folder) {
        let folder = Folder::open(&place.join("out")).unwrap();
        for path in [folder.slurm(), folder.logs(), folder.trials()] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(folder.slurm().join("t.tasks"), "1 a\n").unwrap();
        let stand_in = |name: &str, text: &str| -> PathBuf {
            let path = place.join(name);
            fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        stand_in("scontrol", "exit 0");
        stand_in("sleep", "exit 0");
        let program = Program {
            path: stand_in("program", program),
            threads: 1,
        };
        let settings = SlurmConfig {
            setup: setup.iter().map(|&line| line.to_owned()).collect(),
            ..SlurmConfig::default()
        };
        let text = script(&folder, &program, "t", &settings);
        let path = stand_in("task", &text);
        let paths = format!(
            "{}:{}",
            place.display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let output = Command::new(path)
            .env("PATH", paths)
            .env("SLURM_ARRAY_TASK_ID", "0")
            .env("SLURM_ARRAY_JOB_ID", "7")
            .output()
            .unwrap();
        (output, folder)
    }

    fn code_left(folder: &Folder) -> Option<String> {
        let text = fs::read_to_string(folder.log("a", 1, "exit")).ok()?;
        Some(text.split(' ').next()?.to_owned())
    }

    #[test]
    fn setup_may_use_what_is_not_set_and_sees_its_failures_told() {
        let place = tempfile::tempdir().unwrap();
        let setup = ["export A=\"x$NOT_SET_ANYWHERE\"", "B=it\\'s"];
        let (output, folder) = run(place.path(), &setup, "[ \"$A\" = x ] || exit 9");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(code_left(&folder).as_deref(), Some("0"));
        for broken in ["no-such-command --at all", "if true; then"] {
            let place = tempfile::tempdir().unwrap();
            let (output, folder) = run(place.path(), &["true", broken, "true"], "exit 0");
            assert_eq!(output.status.code(), Some(1), "{broken}");
            assert_eq!(code_left(&folder).as_deref(), Some("1"), "{broken}");
            let last = folder.last_lines("a", 1, 1).concat();
            assert_eq!(last, format!("the setup failed (slurm.setup): {broken}"));
        }
    }

    #[test]
    fn a_signal_during_setup_keeps_the_program_from_starting() {
        let place = tempfile::tempdir().unwrap();
        let (output, folder) = run(place.path(), &["kill -TERM $$"], "touch \"$4\"");
        assert_eq!(output.status.code(), Some(143));
        assert_eq!(code_left(&folder).as_deref(), Some("143"));
        assert!(!folder.run("a").exists(), "it was started");
    }

    #[test]
    fn a_task_that_goes_back_into_the_queue_leaves_no_end() {
        let place = tempfile::tempdir().unwrap();
        let (output, folder) = run(place.path(), &["kill -USR1 $$"], "exit 0");
        assert_eq!(output.status.code(), Some(143));
        assert_eq!(code_left(&folder), None);
        // A time limit that comes near while the program is at work.
        let program = "trap 'exit 143' TERM\nkill -USR1 $PPID\nwhile :; do /bin/sleep 0.05; done";
        let place = tempfile::tempdir().unwrap();
        let (output, folder) = run(place.path(), &[], program);
        assert_eq!(output.status.code(), Some(143));
        assert_eq!(code_left(&folder), None);
    }
}
