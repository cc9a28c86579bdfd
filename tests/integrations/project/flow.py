"""A flow of Prefect whose task is a cached function."""

from __future__ import annotations

import json

from pipeline.engines import note
from prefect import flow, task

from cachedeco import cached


@task
@cached
def squared(x):
    """Task and cached function in one."""
    note("computed", f"squared-{x}")
    return x * x


@flow
def squares():
    """Three calls, two of them equal."""
    futures = [squared.submit(x) for x in (1, 2, 1)]
    return [future.result() for future in futures], [future.state.type.value for future in futures]


if __name__ == "__main__":
    values, states = squares()
    print(json.dumps({"values": values, "states": states, "item": squared.fn.item(1).version}))
