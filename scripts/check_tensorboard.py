#!/usr/bin/env python3
"""Reads event files with TensorBoard's own reader and checks what is in them.

    check_tensorboard.py LOGDIR [--require TAG]... [--kinds scalars,histograms,images,text]

LOGDIR is the folder with the event files (`tensorboard` in a run directory). Prints each tag with
its kind, the number of its points and their first and last step. Exits 1 if a required kind or a
required tag (a shell pattern such as 'unitmem/train/*') is missing. Needs `pip install tensorboard`.
"""

import argparse
import fnmatch
import logging
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

KINDS = ("scalars", "histograms", "images", "text")


def tags_by_kind(logdir):
    """Returns {kind: {tag: [step, ...]}} of all points that TensorBoard would show."""
    # 0 means "keep every point", for each kind of data.
    keep = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}
    events = EventAccumulator(logdir, size_guidance=keep)
    events.Reload()
    found = {
        "scalars": {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]},
        "histograms": {tag: events.Histograms(tag) for tag in events.Tags()["histograms"]},
        "images": {tag: events.Images(tag) for tag in events.Tags()["images"]},
    }
    for tag in events.Tags()["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name or "tensors"
        found.setdefault(plugin, {})[tag] = events.Tensors(tag)
    return {
        kind: {tag: [point.step for point in points] for tag, points in tags.items()}
        for kind, tags in found.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logdir")
    parser.add_argument("--require", action="append", default=[], metavar="TAG")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds that must be there")
    arguments = parser.parse_args()
    # The reader warns of each purge after a resume, which is what a resume is meant to do.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)

    found = tags_by_kind(arguments.logdir)
    for kind in sorted(found):
        tags = found[kind]
        print(f"{kind}: {len(tags)} tags, {sum(map(len, tags.values()))} points")
        for tag in sorted(tags):
            steps = tags[tag]
            span = f"steps {steps[0]}..{steps[-1]}" if steps else "no steps"
            print(f"  {tag}: {len(steps)} points, {span}")

    missing = [f"kind {kind}" for kind in arguments.kinds.split(",") if kind and not found.get(kind)]
    every = [tag for tags in found.values() for tag in tags]
    for pattern in arguments.require:
        if not fnmatch.filter(every, pattern):
            missing.append(f"tag {pattern}")
    doubled = [
        f"{kind} {tag}"
        for kind, tags in found.items()
        for tag, steps in tags.items()
        if any(after <= before for before, after in zip(steps, steps[1:]))
    ]
    for what in missing:
        print(f"missing: {what}", file=sys.stderr)
    for what in doubled:
        print(f"steps do not increase: {what}", file=sys.stderr)
    return 1 if missing or doubled else 0


if __name__ == "__main__":
    sys.exit(main())
