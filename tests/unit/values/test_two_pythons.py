"""What one Python writes another one reads, where two of them are present."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cachedeco

OTHERS = [
    name
    for name in ("python3.11", "python3.12", "python3.13", "python3.14")
    if not sys.executable.endswith(name)
]
PROGRAM = """
    import dataclasses, datetime, decimal, json, os, sys, uuid
    from pathlib import PurePosixPath
    from cachedeco.values.table import get

    @dataclasses.dataclass
    class Inner:
        when: datetime.datetime
        parts: frozenset

    @dataclasses.dataclass
    class Outer:
        inner: Inner
        table: dict

    plain = [
        1, -2**80, 1.5, "text \\u00e4", b"bytes", None, True, 1j, decimal.Decimal("1.10"), uuid.UUID(int=5),
        PurePosixPath("a/b"), datetime.date(2020, 2, 29), (1, [2, {3: "x"}]), "x" * 100_000, bytearray(b"y" * 100_000),
    ]
    inner = Inner(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), frozenset("ab"))
    cases = {
        "plain": ("pickle", lambda: plain),
        "nested": ("pickle", lambda: Outer(inner, {1: plain})),
        "json": ("json", lambda: {"a": [1, 2.5, None, "b"]}),
        "bytes": ("bytes", lambda: b"b" * 10_000),
        "text": ("text", lambda: "t\\u00f6" * 10_000),
    }
    try:
        import numpy as np
        cases["array"] = "pickle", lambda: [np.arange(100_000.0), np.array(["2020"], "M8[D]")]
        cases["numpy"] = "numpy", lambda: np.arange(12).reshape(3, 4)
    except ImportError:
        pass
    try:
        import pandas as pd
        cases["frame"] = "pickle", lambda: pd.DataFrame(
            {"n": [1.5, None], "s": ["a", None], "c": pd.Categorical(["x", "y"]),
             "t": pd.date_range("2020", periods=2, tz="Europe/Berlin"), "i": pd.array([1, None], "Int64")})
        import pyarrow
        cases["arrow"] = "arrow", cases["frame"][1]
        cases["parquet"] = "parquet", cases["frame"][1]
    except ImportError:
        pass

    folder, doing = sys.argv[1:]
    done = []
    for name, (serializer, make) in cases.items():
        path = os.path.join(folder, name)
        if doing == "write":
            with open(path, "wb") as file:
                get(serializer).pack(make()).write(file)
        elif os.path.exists(path):
            back, value = get(serializer).load(path), make()
            assert type(back) is type(value), name
            if name == "array":
                assert all((one == two).all() and one.dtype == two.dtype for one, two in zip(back, value)), name
            elif name == "numpy":
                assert (back == value).all(), name
            elif hasattr(value, "dtypes"):
                pd.testing.assert_frame_equal(back, value)
            else:
                assert back == value, name
        else:
            continue
        done.append(name)
    print(json.dumps(done))
"""


def run(python, folder, doing):
    """Run the program, with this library and what it needs where a Python has not got them installed."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    package = Path(cachedeco.__file__).parent.parent
    ran = subprocess.run(
        [python, str(program), str(folder), doing],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def usable(name):
    """The path of another Python that can import this library, or None."""
    path = shutil.which(name)
    if path is None:
        return None
    package = Path(cachedeco.__file__).parent.parent
    ran = subprocess.run(
        [path, "-c", "import cachedeco.values.table"],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        check=False,
    )
    return path if ran.returncode == 0 else None


@pytest.mark.parametrize("name", OTHERS)
def test_values_go_from_one_python_to_another_and_back(name, tmp_path):
    """Written by this one and read by the other, and the other way round."""
    other = usable(name)
    if other is None or os.path.realpath(other) == os.path.realpath(sys.executable):
        pytest.skip(f"no other {name} that has the dependencies of this library")
    for writer, reader in ((sys.executable, other), (other, sys.executable)):
        folder = tmp_path / Path(writer).name
        folder.mkdir(exist_ok=True)
        written, read = run(writer, folder, "write"), run(reader, folder, "read")
        assert {"plain", "nested", "json", "bytes", "text"} <= set(read) <= set(written)
