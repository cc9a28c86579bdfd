"""``python -m tests.torture NAME [--short | --long] [--seed N]``; ``all`` runs every form."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import random
import signal
import sqlite3
import sys
import traceback

from tests.torture.harness import Run, Stop

FORMS = (
    "stampede",
    "kill",
    "takeover",
    "interrupt",
    "fork",
    "errors",
    "powercut",
    "model",
    "corrupt",
    "evil",
    "soak",
    "mutants",
)
"""Each is a module of this name in the folder forms, with a function ``torture(run)``."""


def main(arguments=None):
    """Run forms; the exit status is not 0 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("name", choices=[*FORMS, "all"])
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="a form of seconds, for every change (default)")
    length.add_argument("--long", action="store_true", help="the form whose figures count")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--minutes", type=float, help="how long the form soak lasts")
    parser.add_argument("--first", action="store_true", help="stop at the first violation")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that children are ended
    names = FORMS if options.name == "all" else (options.name,)
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.platform()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, seed {options.seed}",
        flush=True,
    )
    return max([_run(name, options) for name in names])


def _run(name, options):
    form = importlib.import_module(f"tests.torture.forms.{name}")
    run = Run(name, long=options.long, seed=options.seed, first=options.first, minutes=options.minutes)
    try:
        form.torture(run)
    except Stop:
        run.say("stopped at the first violation")
    except Exception:  # noqa: BLE001 - what a form cannot cope with is a finding, and the other forms go on
        run.violations.append("the form itself failed")
        traceback.print_exc()
    return run.end()


if __name__ == "__main__":
    sys.exit(main())
