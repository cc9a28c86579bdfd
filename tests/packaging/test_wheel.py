"""What is published: a wheel that works in a clean environment, and a source distribution that makes it."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]

SCRIPT = """
import cachedeco
from cachedeco import Cache, cached

cache = Cache("results")


@cached(cache=cache)
def numbers(count):
    print("computing")
    return [*range(count)]


assert numbers(3) == numbers(3) == [0, 1, 2]
assert numbers(5000) == numbers(5000)
assert "Hit" in str(numbers.why(3))
print(cachedeco.__file__, cachedeco.__version__)
"""


def build(kind, source, folder):
    """Build with what is installed: without isolation, so without the network."""
    command = [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", str(folder), str(source)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    return build("--wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The source distribution of this checkout."""
    return build("--sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def files_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def package_files():
    folder = ROOT / "cachedeco"
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def required(wheel):
    """Distributions that the wheel needs, and those that these need."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    wanted = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("Requires-Dist: ")]
    found = set()
    while wanted:
        requirement = wanted.pop()
        name = re.match(r"[\w.-]+", requirement)[0]
        if ";" not in requirement and name not in found:
            found.add(name)
            wanted += importlib.metadata.requires(name) or []
    return found


def test_wheel_holds_the_package(wheel):
    """Every file of the package is in the wheel, statements, migrations and type marker included."""
    inside = files_of(wheel)
    assert package_files() <= inside
    assert "cachedeco/py.typed" in inside
    assert [name for name in inside if name.startswith("cachedeco/registry/") and name.endswith(".sql")]
    assert [name for name in inside if name.endswith(".dist-info/licenses/LICENSE")]


def test_wheel_holds_nothing_else(wheel):
    """Tests, examples and what lies around in a working tree stay out of it."""
    assert {name.partition("/")[0].partition("-")[0] for name in files_of(wheel)} == {"cachedeco"}


def test_wheel_works_in_clean_environment(wheel, tmp_path):
    """With nothing but its dependencies, in another working directory, a second call is a hit."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=False)
    folder = "Scripts" if os.name == "nt" else "bin"
    python = home / folder / ("python.exe" if os.name == "nt" else "python")
    place = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    # Copied from this environment instead of fetched: the test needs no network.
    for name in required(wheel):
        for file in importlib.metadata.files(name):
            if ".." not in file.parts and file.suffix != ".pyc":
                target = pathlib.Path(place, file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "script.py").write_text(SCRIPT)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for computed in (2, 0):
        answer = subprocess.run(
            [python, "script.py"], cwd=elsewhere, env=plain, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
        *computing, last = answer.stdout.splitlines()
        assert computing == ["computing"] * computed
        assert (
            last
            == f"{pathlib.Path(place, 'cachedeco', '__init__.py')} {importlib.metadata.version('cachedeco')}"
        )


def test_sdist_makes_the_same_wheel(sdist, wheel, tmp_path):
    """Who builds from source gets what everybody gets."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    again = tmp_path / "again"
    again.mkdir()
    assert files_of(build("--wheel", source, again)) == files_of(wheel)


def test_sdist_holds_only_what_is_meant(sdist):
    """What lies around in a working tree is not published; tests, examples and papers are."""
    with tarfile.open(sdist) as archive:
        top = {name.split("/")[1] for name in archive.getnames()}
    assert top == {
        ".gitignore",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "benchmarks",
        "cachedeco",
        "examples",
        "pyproject.toml",
        "tests",
    }
