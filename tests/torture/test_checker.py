"""The checker finds what it is there to find, and nothing in a sound folder."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys

import pytest

from cachedeco import OUTPUT, Cache, cached

sys.path.insert(0, os.path.dirname(__file__))
import checker
import oracle


@pytest.fixture
def folder(tmp_path):
    """A cache folder at rest with a value in the registry, one in a file, and an output of two files."""
    with Cache(tmp_path / "cache") as cache:

        @cached(cache=cache, code_version="1")
        def value(size):
            return b"a" * size

        @cached(cache=cache, code_version="1", output="tables/")
        def tables(x, output=OUTPUT):
            (output / "deep").mkdir()
            (output / "one").write_bytes(b"1")
            (output / "deep" / "two").write_bytes(b"22")

        value(10)
        value(10_000)
        tables(1)
    return str(tmp_path / "cache")


def change(folder, *statements):
    path = os.path.join(folder, "registry", "registry.db")
    with contextlib.closing(sqlite3.connect(path)) as con, con:
        for statement in statements:
            con.execute(statement)


def files(folder):
    return [
        os.path.join(place, name)
        for place, _, names in os.walk(os.path.join(folder, "items"))
        for name in names
    ]


def test_a_sound_folder_has_no_problems(folder):
    """Values in the registry, in a file, and folders of files have the sizes and digests that were recorded."""
    assert checker.problems(folder) == []


def test_a_folder_without_a_registry_is_a_problem(tmp_path):
    """There is nothing that could be right about it."""
    assert "no registry" in checker.problems(str(tmp_path))[0]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE items SET size = size + 1 WHERE filename IS NULL", "not those that were recorded"),
        ("UPDATE items SET digest = x'00' WHERE filename IS NOT NULL", "not those that were recorded"),
        ("UPDATE items SET data = zeroblob(5) WHERE filename IS NULL", "not those that were recorded"),
        ("UPDATE items SET data = NULL", "its bytes are gone"),
        ("UPDATE items SET version = 9 WHERE id = 1", "gone without a trace"),
        ("UPDATE items SET status = 1 WHERE id = 1", "an owner that is dead"),
    ],
)
def test_a_planted_violation_in_the_registry_is_found(folder, statement, found):
    """Each of the invariants, broken by one statement."""
    owners = os.path.join(folder, "owners")
    for name in os.listdir(owners):
        os.rename(os.path.join(owners, name), os.path.join(owners, name + ".away"))  # this process lives
    change(folder, statement)
    problems = checker.problems(folder)
    assert any(found in problem for problem in problems), problems


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_damaged_bytes_are_found(folder, damage):
    """Also a flipped bit, in a file or in a file of a folder."""
    for path in files(folder):
        os.chmod(path, 0o600)
        if damage == "delete":
            os.unlink(path)
        elif damage == "cut":
            os.truncate(path, 0)
        else:
            with open(path, "r+b") as file:
                first = file.read(1)
                file.seek(0)
                file.write(bytes([first[0] ^ 1]))
    assert len(checker.problems(folder)) == 2


@pytest.mark.parametrize("ending", ["", ".part"])
def test_bytes_without_a_record_are_found(folder, ending):
    """Published or not; unless a process was killed while it deleted records."""
    os.mkdir(os.path.join(folder, "items", "ab"))
    os.mkdir(os.path.join(folder, "items", "ab", f"{'ab' * 16}-1-{'cd' * 16}{ending}"))
    assert "has no record" in checker.problems(folder)[0]
    assert checker.problems(folder, orphans=True) == []


def test_a_claim_of_a_living_owner_is_no_problem(folder):
    """This process holds its lock."""
    change(folder, "UPDATE items SET status = 1 WHERE id = 1")
    assert checker.problems(folder) == []


def test_the_log_tells_what_stands(tmp_path):
    """What was acknowledged and not given up later must be found again."""
    log = oracle.Log(tmp_path / "log")
    for words in (("run", "f", 1), ("done", "f", 1), ("done", "f", 2), ("gone", "f", 2), ("run", "f", 3)):
        log.note(*words)
    os.close(log._descriptor)
    lines = oracle.lines(log.path)
    assert oracle.standing(lines) == {("f", 1)}
    assert oracle.given_up(lines) == {("f", 2)}
    assert oracle.computed(lines) == [("f", 1), ("f", 3)]


def test_values_tell_functions_and_arguments_apart():
    """No two pairs share a value, and a value has the size that was asked for."""
    values = {oracle.right(name, x, 100) for name in ("f", "g") for x in range(10)}
    assert len(values) == 20
    assert {len(value) for value in values} == {100}
