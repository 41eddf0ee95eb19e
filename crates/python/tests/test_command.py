"""The command in the wheel, and types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import afterimage

from conftest import COMMAND, ROOT, call

USER = """
from pathlib import Path
import numpy as np
import afterimage
from afterimage import FacilityLocation

x = np.zeros((10, 2), dtype=np.float32)
values = afterimage.value(x, np.arange(10) % 2, learners=10)
lowest: int = int(values.lowest()[0])
chosen: list[int] = afterimage.select(x, k=2).indices.tolist()
gains = FacilityLocation(n_samples=3).fit(x).gains_
mean: float = float(gains.mean() + values.cells.mean())
config: dict[str, object] = afterimage.load_run(Path("run")).config
"""


def test_the_tests_see_the_wheel() -> None:
    assert "site-packages" in str(Path(afterimage.__file__).resolve())


def test_the_command_says_its_version() -> None:
    from importlib.metadata import version

    assert call("--version").stdout == f"afterimage {version('afterimage')}\n"
    assert afterimage.__version__ == version("afterimage")
    module = subprocess.run(
        [sys.executable, "-m", "afterimage", "--version"], capture_output=True, text=True, check=True
    )
    assert module.stdout == call("--version").stdout


def test_exit_codes_are_those_of_the_command(tmp_path: Path) -> None:
    assert "no-such-flag" in call("run", "--no-such-flag", expected=2).stderr
    (tmp_path / "wrong.toml").write_text("epochs = 'many'\n")
    assert "wrong.toml" in call("check", tmp_path / "wrong.toml", expected=2).stderr
    assert "ok" in call("check", ROOT / "configs" / "quickstart.toml").stdout
    assert "Usage: afterimage" in call("--help").stdout


def test_output_can_be_cut_off() -> None:
    shown = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {COMMAND} schema | head -c 10"], capture_output=True, check=False
    )
    assert len(shown.stdout) == 10 and b"Traceback" not in shown.stderr


def test_trials_of_a_sweep_are_processes_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(
        f"""
name = "two"
config = "{ROOT / 'configs' / 'quickstart.toml'}"
seeds = [1]
metric = {{ name = "eval/knn" }}

[set]
epochs = 1
"limits.train" = 100
"limits.held_out" = 50
"encoder.width" = 0.125

[grid]
"objective.temperature" = [0.2, 0.3]
"""
    )
    call("sweep", tmp_path / "sweep.toml", "--out", tmp_path / "sweep", "--jobs", 1)
    assert len(list((tmp_path / "sweep" / "trials").glob("*/result.json"))) == 2


def test_a_users_file_passes_a_strict_check_of_types(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "user.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
