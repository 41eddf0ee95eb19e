#!/usr/bin/env python3
"""A sweep of 24 short trials through an injected failure, a kill of the sweep and one of a trial.

    cargo build --release && scripts/sweep_drill.py                   # processes of this machine
    eval "$(scripts/slurm_cluster.sh start)" && scripts/sweep_drill.py --executor slurm
    scripts/sweep_drill.py --stages                                   # 24 trials in two stages

One trial of the 24 has a plugin that ends the run with an error. While the sweep is at work, it is
killed (SIGKILL) and started again, and a trial in the middle of its run is killed, too; with Slurm, a
node with all that runs on it. Then the sweep must be complete, with 23 trials done and one failed;
the ledger must name each trial's end once; each trial's metrics must be those, to the byte, of the
same config run straight; and no step may have been done twice but those behind a last checkpoint.

With --stages, three seeds train an encoder, and three seeds fail to; nine trials fine-tune each. A
parent and a child are killed, and the sweep in between: nine children of failed parents must be
skipped with one line each, and no child may have begun before its parent was done.

Prints what happened, and ends with 1 if something is not as it should be. Needs nothing but Python.
"""

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SWEEP = """
name = "drill"
config = "tiny.toml"
metric = {{ name = "eval/knn", against = ["loss/train"] }}
set = {{ epochs = {epochs} }}
retries = 1
[search]
kind = "sobol"
samples = 23
[search.space]
"objective.temperature" = {{ low = 0.05, high = 1.0, log = true }}
"schedule.peak" = {{ low = 1e-4, high = 1e-2, log = true }}
[[arms]]
name = "searched"
[[arms]]
name = "broken"
alone = true
# The second one meets the second attempt, which goes on behind the first one's step.
set = {{ plugins = [
    {{ kind = "chaos", step = 25, panic = false, intervenes = true }},
    {{ kind = "chaos", id = "again", step = 26, panic = false, intervenes = true }},
] }}
"""

STAGES = """
name = "drill"
config = "tiny.toml"
seeds = [1, 2, 3]
metric = {{ name = "eval/knn", against = ["loss/train"] }}
set = {{ epochs = {epochs} }}
retries = 1
[[stages]]
name = "train"
[[stages.arms]]
name = "plain"
[[stages.arms]]
name = "broken"
set = {{ plugins = [
    {{ kind = "chaos", step = 5, panic = false, intervenes = true }},
    {{ kind = "chaos", id = "again", step = 6, panic = false, intervenes = true }},
] }}
[[stages]]
name = "tune"
needs = ["train"]
set = {{ "fine_tune.from" = "{{train}}", "fine_tune.layers" = "last:1" }}
grid = {{ "objective.temperature" = [0.1, 0.3, 0.5] }}
arms = [{{ name = "plain" }}, {{ name = "broken" }}]
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/afterimage")
    parser.add_argument("--executor", choices=["local", "slurm"], default="local")
    parser.add_argument("--stages", action="store_true", help="trials that use the runs of others")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=8, help="epochs of a trial; ten steps each")
    parser.add_argument("--straight", type=int, default=23, help="trials to compare with straight runs")
    parser.add_argument("--cluster", default="/tmp/afterimage-slurm", help="folder of slurm_cluster.sh")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder to keep everything in")
    return parser.parse_args()


class Drill:
    def __init__(self, options):
        self.options = options
        self.place = options.keep or Path(tempfile.mkdtemp(prefix="sweep drill "))
        self.place.mkdir(parents=True, exist_ok=True)
        self.out = self.place / "out"
        shutil.copy(ROOT / "crates/testkit/src/tiny.toml", self.place / "tiny.toml")
        self.file = self.place / "sweep.toml"
        self.file.write_text((STAGES if options.stages else SWEEP).format(epochs=options.epochs))
        self.began = time.monotonic()
        self.errors = []

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def check(self, holds, what):
        self.say(("ok: " if holds else "WRONG: ") + what)
        if not holds:
            self.errors.append(what)

    def start(self):
        words = [self.options.binary, "sweep", self.file, "--out", self.out]
        words += ["--executor", self.options.executor]
        if self.options.executor == "local":
            words += ["--jobs", str(self.options.jobs)]
        log = open(self.place / "sweep.log", "ab")
        return subprocess.Popen(words, stdout=log, stderr=log)

    def entries(self):
        path = self.out / "ledger.jsonl"
        if not path.exists():
            return []
        whole = path.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line]

    def over(self):
        return {e["trial"]: e["end"] for e in self.entries()
                if e["event"] == "end" and e["end"] in ("done", "failed", "stopped")}

    def checkpoints(self, trial):
        return sorted((self.out / "trials" / trial / "checkpoints").glob("step-*"))

    def in_mid_run(self):
        """Trials with a checkpoint that are not over."""
        over = self.over()
        running = [e["trial"] for e in self.entries() if e["event"] == "running"]
        return [t for t in dict.fromkeys(running) if t not in over and self.checkpoints(t)]

    def wait(self, reached, what, patience=300):
        limit = time.monotonic() + patience
        while not reached():
            if time.monotonic() > limit:
                sys.exit(f"waited {patience} s for {what}; see {self.place}")
            time.sleep(0.01)

    def pid(self, trial):
        """The trial's process on this machine."""
        wanted = str(self.out / "trials" / trial).encode()
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (proc / "cmdline").read_bytes().split(b"\0"):
                    return int(proc.name)
            except OSError:
                pass
        return None

    def kill_a_trial(self, beginning=""):
        def due():
            return [trial for trial in self.in_mid_run() if trial.startswith(beginning)]
        while True:
            self.wait(due, "a trial in the middle of its run")
            # It may be over by now.
            trial = next(iter(due()), None)
            pid = trial and self.pid(trial)
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                step = self.checkpoints(trial)[-1].name
                self.say(f"killed the trial {trial} behind {step}")
                return trial

    def kill_a_node(self):
        node = "n2"
        def busy():
            listed = subprocess.run(["squeue", "-h", "-t", "R", "-w", node, "-o", "%i"],
                                    capture_output=True, text=True)
            return listed.stdout.strip() and self.in_mid_run()
        self.wait(busy, f"a trial on {node}")
        script = [ROOT / "scripts/slurm_cluster.sh", "kill-node", node, self.options.cluster]
        said = subprocess.run(script, capture_output=True, text=True)
        self.say((said.stdout + said.stderr).strip())
        self.check(said.returncode == 0, "a node was killed")
        # Powered up again once Slurm has noticed.
        def noticed():
            state = subprocess.run(["sinfo", "-h", "-n", node, "-o", "%T"],
                                   capture_output=True, text=True)
            return "down" in state.stdout
        self.wait(noticed, "Slurm to notice")
        self.say(f"Slurm took {node} for down")
        script[1] = "start-node"
        subprocess.run(script, check=True)

    def run(self):
        draw = random.Random(self.options.seed)
        sweep = self.start()
        self.wait(lambda: len(self.over()) >= 3, "three trials")
        time.sleep(draw.uniform(0, 0.5))
        sweep.kill()
        sweep.wait()
        self.say(f"killed the sweep after {len(self.over())} of 24 trials")
        time.sleep(draw.uniform(0, 1))
        second = self.start()
        killed = self.kill_a_trial()
        if self.options.executor == "slurm":
            self.kill_a_node()
        code = second.wait()
        self.say(f"the second call of the sweep ended with exit code {code}")
        self.check(code == 5, "exit code 5: there is a failed trial")
        self.judge(killed)
        third = self.start()
        before = len(self.entries())
        self.check(third.wait() == 5 and len(self.entries()) == before, "a third call runs nothing")
        self.compare()

    def run_stages(self):
        draw = random.Random(self.options.seed)
        sweep = self.start()
        parent = self.kill_a_trial("train,plain")
        self.wait(lambda: any(t.startswith("tune,") for t in self.in_mid_run()), "a child at work")
        time.sleep(draw.uniform(0, 0.5))
        sweep.kill()
        sweep.wait()
        self.say("killed the sweep with a child at work")
        second = self.start()
        child = self.kill_a_trial("tune,plain")
        code = second.wait()
        self.say(f"the second call of the sweep ended with exit code {code}")
        self.check(code == 5, "exit code 5: there are failed trials")
        entries = self.entries()
        counts = collections.Counter(self.over().values())
        self.check(counts == {"done": 12, "failed": 3}, f"12 done, 3 failed (got {dict(counts)})")
        ends = collections.Counter(e["trial"] for e in entries if e["event"] == "end"
                                   and e["end"] in ("done", "failed", "stopped"))
        self.check(all(n == 1 for n in ends.values()), "each trial ended once")
        skips = [e["trial"] for e in entries if e["event"] == "skip"]
        self.check(len(skips) == len(set(skips)) == 9
                   and all(t.startswith("tune,broken") for t in skips),
                   f"the nine children of failed parents were skipped, one line each (got {len(skips)})")
        starts = collections.Counter(e["trial"] for e in entries if e["event"] == "start")
        repeated = {t for t, n in starts.items() if n > 1 and not t.startswith("train,broken")}
        self.check(repeated <= {parent, child}, "only the killed and the broken trials were started again")
        self.check(self.in_order(entries), "no child began before its parent was done")
        third = self.start()
        self.check(third.wait() == 5 and len(self.entries()) == len(entries), "a third call runs nothing")
        self.compare()

    def in_order(self, entries):
        done = set()
        for entry in entries:
            if entry["event"] == "end" and entry["end"] == "done":
                done.add(entry["trial"])
            if entry["event"] == "start" and entry["trial"].startswith("tune,"):
                arm, seed = entry["trial"].split(",")[1], entry["trial"].split(",")[-1]
                if f"train,{arm},{seed}" not in done:
                    return False
        return True

    def judge(self, killed):
        over = self.over()
        counts = collections.Counter(over.values())
        self.check(counts == {"done": 23, "failed": 1}, f"23 done, 1 failed (got {dict(counts)})")
        self.check(over.get("broken") == "failed", "the broken trial is the failed one")
        ends = collections.Counter(e["trial"] for e in self.entries() if e["event"] == "end"
                                   and e["end"] in ("done", "failed", "stopped"))
        self.check(all(n == 1 for n in ends.values()), "each trial ended once")
        starts = collections.Counter(e["trial"] for e in self.entries() if e["event"] == "start")
        repeated = {t: n for t, n in starts.items() if n > 1}
        self.say(f"attempts beyond the first: {repeated or 'none'}")
        if self.options.executor == "local":
            self.check(set(repeated) <= {killed, "broken"},
                       "only the killed and the broken trial were started again")
        else:
            again = [p for p in (self.out / "logs").glob("*.err") if ", start 2" in p.read_text()]
            self.check(again, f"Slurm started {len(again)} trials of the dead node again")
        log = (self.place / "sweep.log").read_text()
        self.check("chaos, as configured" in log, "the failed trial's last lines were shown")

    def compare(self):
        """The killed sweep's trials beside straight runs of the same configs."""
        same = different = 0
        kind = "*,plain*.toml" if self.options.stages else "searched*.toml"
        configs = sorted((self.out / "configs").glob(kind))
        for config in configs[: self.options.straight]:
            name = config.name.removesuffix(".toml")
            straight = self.place / "straight" / name
            subprocess.run([self.options.binary, "run", config, "--out", straight],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            trial = self.out / "trials" / name
            equal = all((straight / f).read_bytes() == (trial / f).read_bytes()
                        for f in ["metrics.jsonl", "config.toml"])
            same += equal
            different += not equal
            if not equal:
                self.say(f"differs: {name}")
        self.check(different == 0, f"{same} trials have the metrics of a straight run, to the byte")


def main():
    options = arguments()
    if not options.binary.exists():
        sys.exit(f"{options.binary}: not there; build it with `cargo build --release`")
    drill = Drill(options)
    if options.stages:
        drill.run_stages()
    else:
        drill.run()
    if drill.errors:
        sys.exit(f"{len(drill.errors)} things are wrong; everything is in {drill.place}")
    if not options.keep:
        shutil.rmtree(drill.place)
    print("complete after all kills, nothing run twice, nothing lost")


if __name__ == "__main__":
    main()
