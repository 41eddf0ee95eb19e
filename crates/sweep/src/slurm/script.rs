//! The batch script of a job array.

use std::borrow::Cow;
use std::path::Path;

use afterimage_files::{word, word_of};

use super::SlurmConfig;
use crate::executor::Program;
use crate::folder::Folder;

/// A script whose task `n` runs the trial on line `n` of the batch's list, `attempt name`.
///
/// It passes SIGTERM on to the trial, which writes a checkpoint and ends. At SIGUSR1, which Slurm
/// sends when the time limit is near, it does the same and puts itself back into the queue; started
/// again (by itself, after preemption, after a node's failure) it goes on from the checkpoint. A lock
/// keeps a node that Slurm has given up, and that is not dead, from running the trial beside the
/// new one. The exit code and the seconds since the start are left in a file, unless the task goes back
/// into the queue. Each command of `setup` must succeed. A trial of several processes is a step of the job,
/// which ends when one of them dies.
pub(super) fn script(
    folder: &Folder,
    program: &Program,
    ticket: &str,
    settings: &SlurmConfig,
) -> String {
    let quoted = |path: &Path| word(path).into_owned();
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
        .map(|command| word_of(Cow::Borrowed(command)))
        .map(|command| format!("eval {command} || unprepared {command}\n"))
        .collect();
    let (launch, tell) = way(settings);
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
tell() {{
    {tell}
}}
ask() {{
    asked=yes
    [ -z "$child" ] || tell
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
{launch}"$program" run "$configs/$name.toml" --out "$trials/$name" --resume --json >>"$log.out" &
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

/// What stands before the program to start it, and the shell's command that tells it to write a checkpoint
/// and end.
fn way(settings: &SlurmConfig) -> (String, &'static str) {
    let SlurmConfig {
        cpus, processes, ..
    } = settings;
    if *processes < 2 {
        return (String::new(), r#"kill -TERM "$child" 2>/dev/null"#);
    }
    let launch = format!(
        "srun --ntasks={processes} --cpus-per-task={cpus} --kill-on-bad-exit=1 \\\n    \
         --mpi=\"${{SLURM_MPI_TYPE:-pmix}}\" "
    );
    // A signal to `srun` itself would kill the step. The step may not have begun, so it is told again; the
    // lock is not for who tells it.
    let tell = r#"while kill -0 "$child" 2>/dev/null; do
        scancel --signal=TERM "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
        sleep 5
    done 9>&- &"#;
    (launch, tell)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::process::{Command, Output};

    use super::*;

    /// Runs the script as Slurm would, with `setup`, and with stand-ins for the program and `scontrol`.
    fn run(place: &Path, setup: &[&str], program: &str) -> (Output, Folder) {
        run_in(place, 1, setup, program)
    }

    /// As [`run`], with `processes` of each trial, of which the stand-in for `srun` starts one.
    fn run_in(place: &Path, processes: u32, setup: &[&str], program: &str) -> (Output, Folder) {
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
        let here = "here=$(dirname \"$0\")\n";
        let srun = "echo \"$@\" >\"$here/srun.words\"\nwhile [ \"${1#--}\" != \"$1\" ]; do shift; done\n\
                    \"$@\" &\necho $! >\"$here/step\"\nwait $!";
        stand_in("srun", &format!("{here}{srun}"));
        let scancel = "echo \"$@\" >\"$here/scancel.words\"\nkill -TERM \"$(cat \"$here/step\")\"";
        stand_in("scancel", &format!("{here}{scancel}"));
        let program = Program {
            path: stand_in("program", program),
            threads: 1,
        };
        let settings = SlurmConfig {
            processes,
            cpus: 3,
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

    #[test]
    fn a_trial_of_several_processes_is_a_step_that_is_told_to_end_by_slurm() {
        let place = tempfile::tempdir().unwrap();
        let (output, folder) = run_in(place.path(), 2, &[], "exit 3");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(code_left(&folder).as_deref(), Some("3"));
        let words = |name: &str| fs::read_to_string(place.path().join(name)).ok();
        let own = format!(
            "--ntasks=2 --cpus-per-task=3 --kill-on-bad-exit=1 --mpi=pmix {} run ",
            place.path().join("program").display()
        );
        assert!(words("srun.words").unwrap().starts_with(&own), "{own}");
        assert_eq!(words("scancel.words"), None);
        // Told by its time limit, and the way of MPI that a site has.
        let place = tempfile::tempdir().unwrap();
        let program = "trap 'exit 143' TERM\nkill -USR1 $(ps -o ppid= $PPID)\nwhile :; do /bin/sleep 0.05; done";
        let setup = ["export SLURM_MPI_TYPE=pmi2"];
        let (output, folder) = run_in(place.path(), 2, &setup, program);
        assert_eq!(output.status.code(), Some(143));
        assert_eq!(code_left(&folder), None);
        let words = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
        assert_eq!(words("scancel.words"), "--signal=TERM 7_0\n");
        assert!(words("srun.words").contains(" --mpi=pmi2 "));
    }

    #[test]
    fn a_trial_of_one_process_is_started_without_slurm() {
        let place = tempfile::tempdir().unwrap();
        run(place.path(), &[], "exit 0");
        assert!(!place.path().join("srun.words").exists());
    }
}
