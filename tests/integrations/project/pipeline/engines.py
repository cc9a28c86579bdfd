"""The same calls through every engine: pools of the standard library, joblib, Dask and Prefect."""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor

JOBLIB = ("loky", "threading", "multiprocessing")
POOLS = ("fork", "spawn", "forkserver")
WORKERS = 3
PATIENCE = 60


def through(engine, task, *columns):
    """Call the task with each row of the columns, in workers of the engine."""
    if engine == "plain":
        return list(map(task, *columns))
    if engine in JOBLIB:
        from joblib import Parallel, delayed

        calls = [delayed(task)(*row) for row in zip(*columns, strict=True)]
        return Parallel(n_jobs=WORKERS, backend=engine, batch_size=1, pre_dispatch="all")(calls)
    if engine == "dask":
        return _through_dask(task, *columns)
    if engine.startswith("prefect"):
        return _through_prefect(engine, task, *columns)
    return list(_pool(engine).map(task, *columns))


@functools.cache
def _pool(engine):
    # Forked while no other thread runs: newer versions of Python warn of anything else, and rightly.
    return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(engine))


def _through_dask(task, *columns):
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        # By default Dask takes equal calls for one, and would not ask the cache twice.
        return client.gather(client.map(task, *columns, pure=False))


def _through_prefect(engine, task, *columns):
    from prefect import flow
    from prefect import task as prefect_task
    from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

    kind = ProcessPoolTaskRunner if engine == "prefect-processes" else ThreadPoolTaskRunner
    # By default Prefect keeps no results and computes at each call: what is kept is kept by the cache.
    step = prefect_task(task, name="step")

    @flow(task_runner=kind(max_workers=WORKERS))
    def calls():
        return [future.result() for future in [step.submit(*row) for row in zip(*columns, strict=True)]]

    return calls()


def note(word, what):
    """Append a line to the log, whole even when many processes do."""
    log = os.open(os.environ["CALLS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(log, f"{word} {what} {os.getpid()}-{threading.get_ident()}\n".encode())
    finally:
        os.close(log)


def workers_that(word, what):
    """The workers that have noted this."""
    with open(os.environ["CALLS_LOG"], encoding="utf-8") as log:
        rows = [line.split() for line in log]
    return {row[-1] for row in rows if row[:-1] == [word, what]}


def wait_for_workers(word, what, number):
    """Wait until so many workers have noted this: what follows happens while all of them are at it."""
    deadline = time.monotonic() + PATIENCE
    for pause in itertools.chain([0.001] * 100, itertools.repeat(0.02)):
        if len(workers_that(word, what)) >= number:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{number} workers should have noted {word!r} {what!r} by now")
        time.sleep(pause)


def outcome(function, *arguments):
    """What a call raises, as facts that a program can print."""
    try:
        value = function(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever arrives is what the test looks at
        facts = {name: str(fact) for name, fact in vars(error).items() if not name.startswith("_")}
        return {"kind": type(error).__name__, "text": str(error), "facts": facts}
    return {"kind": "no error", "text": repr(value), "facts": {}}
