#!/usr/bin/env python3
"""Checks all configs of the project against `afterimage schema` with a JSON schema validator of somebody else.

Needs Python 3.11 and the package `jsonschema`. Call: scripts/check_schema.py target/release/afterimage
"""

import json
import pathlib
import subprocess
import sys
import tomllib

import jsonschema


def validator(program, *flags):
    text = subprocess.run([program, "schema", *flags], check=True, capture_output=True, text=True).stdout
    schema = json.loads(text)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def main():
    experiment, sweep = validator(sys.argv[1]), validator(sys.argv[1], "--sweep")
    root = pathlib.Path(__file__).resolve().parent.parent
    files = [path for folder in ("configs", "experiments") for path in sorted((root / folder).rglob("*.toml"))]
    counts, wrong = {"experiment": 0, "sweep": 0}, 0
    for path in files:
        value = tomllib.loads(path.read_text())
        if path.stem == "base":
            value["extends"] = []  # A base leaves keys to the files that extend it.
        if "package" in value:
            continue
        kind = "sweep" if "metric" in value else "experiment"
        if kind == "experiment" and not {"epochs", "extends", "plugins"} & value.keys():
            continue
        counts[kind] += 1
        for error in (sweep if kind == "sweep" else experiment).iter_errors(value):
            wrong += 1
            print(f"{path.relative_to(root)}: {error.json_path}: {error.message[:300]}")
    right = tomllib.loads((root / "configs/quickstart.toml").read_text())
    mistakes = [
        {"epohcs": 1},
        {"epochs": "three"},
        {"encoder": {"kind": "resnet18"}},
        {"optimizer": {"kind": "adamw", "lr": 0.1}},
        {"plugins": [{"kind": "unitmme"}]},
        {"plugins": [{"kind": "unitmem", "pionts": 1}]},
        {"plugins": [{"kind": "unitmem", "every": "often"}]},
    ]
    accepted = [mistake for mistake in mistakes if experiment.is_valid({**right, **mistake})]
    print(f"{counts}, {wrong} mistakes; of {len(mistakes)} wrong keys {len(accepted)} accepted: {accepted}")
    return int(wrong > 0 or bool(accepted))


sys.exit(main())
