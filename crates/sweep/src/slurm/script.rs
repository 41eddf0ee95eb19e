//! The batch script of a job array.

use crate::config::SlurmConfig;
use crate::executor::Program;
use crate::folder::Folder;
use crate::shell::quoted;

/// A script whose task `n` runs the trial on line `n` of the batch's list, `attempt name`.
///
/// It passes SIGTERM on to the trial, which writes a checkpoint and ends. At SIGUSR1, which Slurm
/// sends when the time limit is near, it does the same and puts itself back into the queue; started
/// again (by itself, after preemption, after a node's failure) it goes on from the checkpoint. A lock
/// keeps a node that Slurm has given up, and that is not dead, from running the trial beside the
/// new one. The exit code and the seconds since the start are left in a file.
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
    let setup = settings.setup.join("\n");
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
child= again=
ask() {{ [ -z "$child" ] || kill -TERM "$child" 2>/dev/null; }}
trap ask TERM
trap 'again=yes; ask' USR1
export RAYON_NUM_THREADS="${{RAYON_NUM_THREADS:-{threads}}}"
{setup}
"$program" run "$configs/$name.toml" --out "$trials/$name" --resume --json >>"$log.out" &
child=$!
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
if [ -n "$again" ] && [ "$code" = 143 ]; then
    exec 9>&-
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID" && sleep 60
fi
finish "$code"
"#,
        threads = program.threads,
    )
}
