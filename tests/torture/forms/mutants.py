"""Faults that are sown into a copy of the library: each must turn another form red, or that form proves nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.torture.children import ROOT

SECONDS = 200.0


class Mutant:
    """One sown fault.

    Args:
        name: what is wrong.
        file: of the library.
        before: text that occurs in it exactly once.
        after: what takes its place.
        forms: of which one must turn red, the likeliest first.
    """

    def __init__(self, name, file, before, after, *forms):
        self.name = name
        self.file = file
        self.before = before
        self.after = after
        self.forms = forms


MUTANTS = (
    Mutant(
        "commit without looking at the claim",
        "registry/queries.sql",
        "data = ?, ended = ?, duration = ?, attempts = ?\nWHERE id = ? AND token = ? AND status = 1\n",
        "data = ?, ended = ?, duration = ?, attempts = ?\nWHERE id = ? AND token = ?\n",
        "takeover",
    ),
    Mutant(
        "the record is committed before the bytes are in place",
        "calls/work.py",
        "            staging.publish(sync=self._sync)\n            stored",
        "            stored",
        "kill",
        "model",
    ),
    Mutant(
        "claims without a writer are left alone",
        "registry/owner.py",
        "            end(pool, row.id)\n",
        "            pass\n",
        "takeover",
        "kill",
    ),
    Mutant(
        "an owner is taken for dead without asking its lock",
        "registry/owner.py",
        "        yield free\n",
        "        yield True\n",
        "takeover",
        "stampede",
    ),
    Mutant(
        "an owner lives as long as its lock file exists",
        "registry/owner.py",
        "        yield free\n",
        "        yield False\n",
        "takeover",
    ),
    Mutant(
        "claims of this process are never looked up in the live set",
        "registry/claims.py",
        "        if ours and token not in owners.live_tokens:\n",
        "        if False and ours:\n",
        "interrupt",  # strikes where it does in few places: each time with other dice
        "interrupt",
        "interrupt",
        "interrupt",
    ),
    Mutant(
        "a damaged item is not set aside",
        "registry/queries.sql",
        "former_cause = cause, cause = ?, trashed = ?\nWHERE id = ? AND status IN (0, 2, 3)",
        "former_cause = cause, cause = ?, trashed = ?\nWHERE id = ? AND status IN (0, 2, 9)",
        "model",
    ),
    Mutant(
        "a key does not know the types of its parameters",
        "keys/shortcut.py",
        "{prefix}dumps({counting}, ",
        "{prefix}dumps([*map(str, ({counting}))], ",
        "model",
    ),
    Mutant(
        "whatever ends a commit deletes the bytes",
        "calls/work.py",
        "                if let_go and self._staging is not None:\n",
        "                if self._staging is not None:\n",
        *["interrupt"] * 4,  # only an interrupt right after the commit shows it
    ),
    Mutant(
        "a fork is not prepared for",
        "registry/pool.py",
        'if hasattr(os, "register_at_fork"):\n',
        "if False:\n",
        "fork",
    ),
    Mutant(
        "transactions begin without the write lock",
        "registry/pool.py",
        '                patiently(con, "BEGIN IMMEDIATE")\n',
        '                patiently(con, "BEGIN")\n',
        "stampede",
        "kill",
    ),
    Mutant(
        "staging folders do not bear the claim's token",
        "calls/work.py",
        "            self._staging = Staging(final, self._store.folder, self._store.trust)\n",
        '            final = final.rpartition("-")[0] + "-" + "0" * 32\n'
        "            self._staging = Staging(final, self._store.folder, self._store.trust)\n",
        "model",
        "kill",
    ),
    Mutant(
        "a claim does not look whether a value has come meanwhile",
        "registry/claims.py",
        "            if running or newer:\n",
        "            if running:\n",
        "stampede",
    ),
    Mutant(
        "an expired item is a hit",
        "policy.py",
        "    return expires is None or ended is None or now < ended + expires\n",
        "    return True\n",
        "model",
    ),
    Mutant(
        "a failed store costs the value",
        "calls/work.py",
        "            return self._unstored(value, error)\n",
        "            raise\n",
        "errors",
    ),
)


def torture(run):
    """Each mutant is met by its forms in their short length until one turns red."""

    def meet(mutant):
        skipped = False
        for number, form in enumerate(mutant.forms):
            code, told = _meet(run, mutant, form, run.seed + number)
            if code:
                run.say(f"{mutant.name}: found by {form} ({_reason(told)})")
                return True
            skipped = skipped or "SKIPPED" in told
        if skipped:
            run.skip(f"{mutant.name}: a form that may find it cannot be run whole here")
            return False
        run.violation(f"{mutant.name}: survived {', '.join(mutant.forms)}")
        return False

    killed = sum(run.each(meet, MUTANTS))
    run.figure("mutants found", f"{killed} of {len(MUTANTS)}")
    run.check(len(MUTANTS) >= 12, "there are fewer than 12 mutants")


def _meet(run, mutant, form, seed):
    place = run.place()
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(os.path.join(ROOT, "cachedeco"), os.path.join(place, "cachedeco"), ignore=skip)
    shutil.copytree(
        os.path.join(ROOT, "tests", "torture"), os.path.join(place, "tests", "torture"), ignore=skip
    )
    path = os.path.join(place, "cachedeco", mutant.file)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(mutant.before) != 1:
        raise RuntimeError(
            f"{mutant.name}: its text occurs {text.count(mutant.before)} times in {mutant.file}"
        )
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(mutant.before, mutant.after))
    command = [sys.executable, "-m", "tests.torture", form, "--short", "--first", "--seed", str(seed)]
    environment = os.environ | {"TMPDIR": place, "TORTURE_PATIENCE": "10", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    with subprocess.Popen(
        command,
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            told, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            told, _ = process.communicate()
            return 1, f"{told}\nVIOLATION: it hung"
    return process.returncode, told


def _reason(told):
    lines = [line for line in told.splitlines() if "VIOLATION" in line or "Error" in line]
    return lines[0].partition("VIOLATION: ")[2][:150] or lines[0][:150] if lines else "it failed"
