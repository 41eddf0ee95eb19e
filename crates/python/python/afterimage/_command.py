"""The command `afterimage`."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from typing import NoReturn

from . import _native


def _program() -> str | None:
    """The script that is this command, which trials of a sweep are started with."""
    name = "afterimage.exe" if os.name == "nt" else "afterimage"
    for path in (sys.argv[0], os.path.join(sysconfig.get_path("scripts"), name)):
        if os.path.basename(path) == name and os.access(path, os.X_OK):
            return os.path.abspath(path)
    return None


def main() -> NoReturn:
    """Runs the command line of this process and ends it with the command's exit code."""
    # Python would only note the signal, and look at it when the command is over.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_native.command(["afterimage", *sys.argv[1:]], _program()))
