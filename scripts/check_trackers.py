#!/usr/bin/env python3
"""Reads what runs told other tools by these tools' own readers, and compares it with the runs' metrics.jsonl.

    check_trackers.py RUN... [--trackio DIR] [--prometheus DIR] [--mlflow URL]

Trackio is read by its command (`trackio list`, `trackio get`) and its Python API, the text files of Prometheus by
`prometheus_client`, an MLflow server by its client. Every value must be there once and equal to the last digit; MLflow
keeps an infinity as the largest number and one zero. Exits 1 at the first difference. Needs `pip install trackio
prometheus_client mlflow-skinny`, each only where its tool is named.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tomllib


def lines_of(run, name):
    """Returns [(step, tag, value), ...] of a file of JSON lines."""
    lines = [json.loads(line) for line in (run / name).read_text().splitlines()]
    return [(line["step"], line["tag"], float(line["value"])) for line in lines]


def form(point):
    """A point that equals itself, NaN or not."""
    step, tag, value = point
    return step, tag, "NaN" if math.isnan(value) else value.hex()


def compare(what, told, measured):
    """Exits where the points are not the same ones, each as often."""
    told, measured = sorted(map(form, told)), sorted(map(form, measured))
    if told != measured:
        odd = sorted(set(told) ^ set(measured))
        sys.exit(f"{what}: {len(told)} points, not {len(measured)}; {len(odd)} differ, such as {odd[:3]}")
    print(f"{what}: {len(told)} points, all as in metrics.jsonl")


def title(run):
    """What a run is called in other tools."""
    config = tomllib.loads((run / "config.toml").read_text())
    return f"{config['name']}/{run.resolve().name}"


def trackio(folder, runs):
    """By the command, one metric at a time, and by the rows of the API, once for all."""
    env = {**os.environ, "TRACKIO_DIR": str(folder)}
    command = pathlib.Path(sys.executable).with_name("trackio")

    def ask(*words):
        done = subprocess.run([command, *words, "--json"], env=env, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    project = next(pathlib.Path(folder).glob("*.db")).stem
    names = {run["name"] if isinstance(run, dict) else run for run in ask("list", "runs", "--project", project)["runs"]}
    assert names == {title(run) for run in runs}, names
    os.environ["TRACKIO_DIR"] = str(folder)
    from trackio.sqlite_storage import SQLiteStorage

    for run in runs:
        measured = lines_of(run, "metrics.jsonl")
        rows = SQLiteStorage.get_logs(project, title(run), max_points=None)
        told = [
            (row["step"], tag, float(value))
            for row in rows
            for tag, value in row.items()
            if tag not in ("step", "timestamp")
        ]
        compare(f"trackio, {run.name}", told, measured)
        tag = measured[0][1]
        values = ask("get", "metric", "--project", project, "--run", title(run), "--metric", tag)["values"]
        told = [(one["step"], tag, float(one["value"])) for one in values]
        compare(f"trackio get metric {tag}, {run.name}", told, [one for one in measured if one[1] == tag])
        config = SQLiteStorage.get_run_config(project, title(run))
        assert config["epochs"] == 3 and config["encoder.width"] == 0.125, config


def prometheus(folder, runs):
    """The last value of each scalar, and where the run is."""
    from prometheus_client.parser import text_string_to_metric_families

    found = {}
    for path in pathlib.Path(folder).glob("*.prom"):
        for family in text_string_to_metric_families(path.read_text()):
            assert family.type == "gauge" and family.documentation, family
            for sample in family.samples:
                found.setdefault(sample.labels["run"], []).append(sample)
    assert set(found) == {title(run) for run in runs}, found.keys()
    for run in runs:
        last = {tag: (step, value) for step, tag, value in lines_of(run, "metrics.jsonl") + lines_of(run, "timings.jsonl")}
        samples = found[title(run)]
        told = [
            (last[sample.labels["tag"]][0], sample.labels["tag"], sample.value)
            for sample in samples
            if sample.name == "afterimage_value"
        ]
        compare(f"prometheus, {run.name}", told, [(step, tag, value) for tag, (step, value) in last.items()])
        state = {sample.name: sample.value for sample in samples}
        assert state["afterimage_running"] == 0 and state["afterimage_epoch"] == 3, state


def kept_by_mlflow(value):
    """A value as its database has it: one zero, no infinity."""
    return value if math.isnan(value) else max(min(value, sys.float_info.max), -sys.float_info.max) + 0.0


def mlflow(url, runs):
    """By the client that MLflow's own pages and programs use."""
    from mlflow import MlflowClient

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("ci")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(found) == {title(run) for run in runs}, found.keys()
    for run in runs:
        there = found[title(run)]
        told = [
            (metric.step, key, metric.value)
            for key in there.data.metrics
            for metric in client.get_metric_history(there.info.run_id, key)
        ]
        measured = [(step, tag, kept_by_mlflow(value)) for step, tag, value in lines_of(run, "metrics.jsonl")]
        compare(f"mlflow, {run.name}", told, measured)
        assert there.info.status == "FINISHED", there.info
        assert there.data.params["encoder.width"] == "0.125", there.data.params


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--trackio")
    parser.add_argument("--prometheus")
    parser.add_argument("--mlflow")
    args = parser.parse_args()
    for read, place in [(trackio, args.trackio), (prometheus, args.prometheus), (mlflow, args.mlflow)]:
        if place:
            read(place, args.runs)


if __name__ == "__main__":
    main()
