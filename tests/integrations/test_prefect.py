"""Cached functions as the tasks of Prefect, on a local server, in its threads and in its processes."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("prefect", reason="needs the extra test-prefect")

ENGINES = ["prefect", "prefect-processes"]
PATIENCE = 180


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The settings of a client of a local server, which lives as long as these tests."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with open(home / "server.log", "wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(port):
            assert process.poll() is None, (home / "server.log").read_text()
            assert time.monotonic() < deadline, "the server did not answer in time"
            time.sleep(0.2)  # nothing tells when a server begins to listen
        yield settings
    finally:
        process.terminate()
        process.wait(PATIENCE)


def answers(port):
    """Whether the server is well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


@pytest.mark.prefect
@pytest.mark.parametrize("engine", ENGINES)
def test_tasks_and_program_share_results(project, server, engine):
    """Each key is computed once over all tasks, found by the program, and the same in all of them."""
    told = project.start("script", "shared", engine, pythonwarnings="default", **server)
    assert told["there"] == told["here"]
    assert [value for value, _ in told["here"]] == told["direct"]
    assert {facts["uri"] for _, facts in told["here"]} == {"py://pipeline.steps/outer"}
    computed = sorted(line.split()[0] for line in project.calls())
    assert computed == ["inner-1", "inner-2", "inner-3", "outer-1", "outer-2", "outer-3"]


@pytest.mark.prefect
def test_a_cached_function_is_a_task_of_its_own(project, server):
    """Decorated with both, it is computed by the first run of a flow and found by the next, in another process."""
    runs = [project.run("flow.py", pythonwarnings="default", **server) for _ in range(2)]
    assert runs[0] == runs[1] == {"values": [1, 4, 1], "states": ["COMPLETED"] * 3, "item": 1}
    assert sorted(line.split()[0] for line in project.calls()) == ["squared-1", "squared-2"]


@pytest.mark.prefect
def test_tasks_that_ask_at_once_compute_once(project, server):
    """One task computes; the others, which ask meanwhile, wait for it."""
    told = project.start("script", "at_once", "prefect", pythonwarnings="default", **server)
    assert told == {"values": [70] * 6, "after": 70, "items": 1}
    assert len(project.calls()) == 1


@pytest.mark.prefect
@pytest.mark.parametrize("engine", ENGINES)
def test_errors_arrive_with_their_facts(project, server, engine):
    """The function's own error, the cached failure and the unkeyable argument keep kind, text and facts."""
    told = project.start("script", "errors", engine, pythonwarnings="default", **server)
    assert (told["raised"]["kind"], told["raised"]["text"]) == ("ValueError", "no 1 today")
    for each in (told["previous"], told["here"]):
        assert each["kind"] == "PreviousFailureError"
        assert "ValueError: no 1 today" in each["facts"]["traceback"]
    assert told["unkeyable"]["kind"] == "KeyingError"
    assert len(project.calls()) == 1


@pytest.mark.prefect
@pytest.mark.parametrize("engine", ENGINES)
def test_values_of_the_scripts_classes_travel(project, server, engine):
    """What a task stores of a class of the script, the program gets as an instance of that class."""
    told = project.start("script", "objects", engine, pythonwarnings="default", **server)
    assert told["classes"] == [True] * 3
    assert told["shapes"] == [True] * 2
    assert len([line for line in project.calls() if line.startswith("grown")]) == 1
