"""What a call does when the function raises: attempts, older results, cooldown, the failure of others."""

from __future__ import annotations

import asyncio
import datetime
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback

import pytest
import tenacity

import cachedeco
from cachedeco import OUTPUT, OptionError, PreviousFailureError, Status, StoreError, StoreWarning, cached
from cachedeco.calls import flights

CALLS = []
ANSWERS = []
GATE = {"entered": threading.Event(), "go": threading.Event()}


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()
    ANSWERS.clear()
    GATE["entered"].clear()
    GATE["go"].set()


def answer(x=0):
    """Give the next of `ANSWERS`, the last one over and over; raise what is an exception."""
    CALLS.append(x)
    GATE["entered"].set()
    assert GATE["go"].wait(30)
    given = ANSWERS.pop(0) if len(ANSWERS) > 1 else ANSWERS[0]
    if isinstance(given, BaseException):
        raise given
    return given


async def answer_later(x=0):
    await asyncio.sleep(0)
    return answer(x)


@pytest.fixture(params=["plain", "async"])
def make(request, cache):
    """Makes `answer` a cached function, plain or awaited; called the same way."""

    def make(function=None, **options):
        if request.param == "plain":
            return cached(cache=cache, code_version="1", **options)(function or answer)
        f = cached(cache=cache, code_version="1", **options)(function or answer_later)

        def run(*args):
            return asyncio.run(f(*args))

        for verb in ("item", "items", "status", "why", "refresh"):
            setattr(run, verb, getattr(f, verb))
        run.refresh = lambda *args: asyncio.run(f.refresh(*args))
        return run

    make.is_async = request.param == "async"
    return make


@pytest.fixture
def clock(monkeypatch):
    """A clock that runs faster when it is told to."""
    offset = [0]
    real = time.time_ns

    def later(**span):
        offset[0] += round(datetime.timedelta(**span).total_seconds() * 1e9)

    monkeypatch.setattr(time, "time_ns", lambda: real() + offset[0])
    return later


def fails(call, error=ValueError):
    with pytest.raises(error) as caught:
        call()
    return caught.value


# retry


def test_by_default_there_is_one_attempt(make):
    """Its exception is the caller's."""
    error = ValueError("no")
    ANSWERS[:] = [error, 1]
    f = make()
    assert fails(f) is error
    assert f() == 1


def test_attempts_are_made_within_one_call(make):
    """Until one succeeds."""
    ANSWERS[:] = [ValueError(1), ValueError(2), "value"]
    f = make(retry=3)
    assert f() == "value"
    assert len(CALLS) == 3


def test_the_last_attempt_raises_what_it_raises(make):
    """Without the others in its traceback."""
    last = KeyError("last")
    ANSWERS[:] = [ValueError(1), last, "never"]
    error = fails(make(retry=2), KeyError)
    assert error is last
    assert error.__context__ is None


def test_one_call_is_one_claim_and_one_row_with_a_count_of_attempts(make):
    """Whether it succeeds or fails."""
    ANSWERS[:] = [ValueError(1), "value"]
    f = make(retry=5)
    f(1)
    assert [(item.status, item.attempts) for item in f.items(1)] == [(Status.READY, 2)]
    ANSWERS[:] = [ValueError(1)]
    fails(lambda: f(2))
    assert [(item.status, item.attempts) for item in f.items(2)] == [(Status.FAILED, 5)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interruption_is_no_failure_to_be_tried_again(make, error):
    """Nor is it recorded as one."""
    if make.is_async and error is GeneratorExit:
        return
    ANSWERS[:] = [error(), "value"]
    f = make(retry=3, cooldown=60)
    fails(f, error)
    assert len(CALLS) == 1
    assert f.items()[0].cause == "abandoned"
    assert f() == "value"


def test_a_result_is_not_tried_again(make):
    """A hit counts no attempts."""
    ANSWERS[:] = ["value", "never"]
    f = make(retry=3)
    assert (f(), f()) == ("value", "value")
    assert len(CALLS) == 1


def retrying(make, **options):
    return (tenacity.AsyncRetrying if make.is_async else tenacity.Retrying)(**options)


def test_tenacity_decides(make):
    """How often, on which exceptions, with which pauses."""
    retry = retrying(
        make,
        stop=tenacity.stop_after_attempt(4),
        retry=tenacity.retry_if_exception_type(ValueError),
        reraise=True,
    )
    f = make(retry=retry)
    ANSWERS[:] = [ValueError(1), ValueError(2), "value"]
    assert f(1) == "value"
    assert f.item(1).attempts == 3
    ANSWERS[:] = [ValueError(1), KeyError(2), "never"]
    fails(lambda: f(2), KeyError)
    assert f.items(2)[0].attempts == 2


def test_the_error_of_tenacity_is_raised_as_it_is(make):
    """Without `reraise` it is a RetryError, with the last attempt inside."""
    ANSWERS[:] = [ValueError("inside")]
    f = make(retry=retrying(make, stop=tenacity.stop_after_attempt(2)))
    error = fails(f, tenacity.RetryError)
    assert str(error.last_attempt.exception()) == "inside"
    assert "ValueError: inside" in f.items()[0].error
    assert f.items()[0].attempts == 2


def test_tenacity_may_try_again_because_of_a_result(make):
    """And only the last one is stored."""
    ANSWERS[:] = [None, None, "value"]
    f = make(retry=retrying(make, retry=tenacity.retry_if_result(lambda value: value is None)))
    assert (f(), f()) == ("value", "value")
    assert len(CALLS) == 3


def test_one_tenacity_object_serves_many_calls(make):
    """Each starts counting anew."""
    f = make(retry=retrying(make, stop=tenacity.stop_after_attempt(2), reraise=True))
    for x in range(3):
        CALLS.clear()
        ANSWERS[:] = [ValueError()]
        fails(lambda x=x: f(x))
        assert len(CALLS) == 2


def test_the_wrong_kind_of_tenacity_object_is_refused(cache):
    """At decoration, with the right one."""
    with pytest.raises(OptionError, match=r"AsyncRetrying.*needs a tenacity\.Retrying"):
        cached(cache=cache, retry=tenacity.AsyncRetrying())(answer)
    with pytest.raises(OptionError, match=r"Retrying.*needs a tenacity\.AsyncRetrying"):
        cached(cache=cache, retry=tenacity.Retrying())(answer_later)
    for wrong in (tenacity.Retrying, tenacity.retry, tenacity.stop_after_attempt(3)):
        with pytest.raises(OptionError, match=r"it is a number of attempts or a tenacity\.Retrying object"):
            cached(cache=cache, retry=wrong)(answer)


# on_error


def test_by_default_a_failure_is_raised(make, clock):
    """Also when there is an older result."""
    f = make(expires=60)
    ANSWERS[:] = ["old", ValueError("down")]
    f()
    clock(seconds=61)
    fails(f)


def test_stale_gives_the_last_result_when_the_function_raises(make, clock):
    """Expired or not, with a warning that says why; the failure is recorded."""
    f = make(expires=60, on_error="stale")
    ANSWERS[:] = ["old", ValueError("down")]
    f()
    clock(seconds=61)
    with pytest.warns(
        StoreWarning, match=r"it failed \(ValueError: down\), and an older result was returned"
    ):
        assert f() == "old"
    assert f.items()[0].status == Status.FAILED
    assert "down" in f.items()[0].error
    assert f() == "old"  # it says so once
    ANSWERS[:] = ["new"]
    assert f() == "new"


def test_stale_without_an_older_result_raises(make):
    """There is nothing else to return."""
    ANSWERS[:] = [ValueError("down")]
    fails(make(on_error="stale"))


def test_stale_keeps_to_the_code(cache):
    """A result of other code is none of this function's."""
    old = cached(cache=cache, uri="family", code_version="1")(answer)
    new = cached(cache=cache, uri="family", code_version="2", on_error="stale")(answer)
    ANSWERS[:] = ["old", ValueError("down")]
    old()
    fails(new)


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_stale_keeps_to_the_check(make, clock):
    """A result that fails `validate` is wrong, not merely old."""
    f = make(expires=60, on_error="stale", validate=lambda item: item.load() != "bad")
    ANSWERS[:] = ["good", "bad", ValueError("down")]
    f()
    f.refresh()
    clock(seconds=61)
    assert f() == "good"


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_stale_tries_as_often_as_retry_says(make, clock):
    """The older result is the last resort."""
    f = make(expires=60, on_error="stale", retry=3)
    ANSWERS[:] = ["old", ValueError("down")]
    f()
    clock(seconds=61)
    assert f() == "old"
    assert len(CALLS) == 4


def test_stale_does_not_hide_an_interruption(make, clock):
    """Ctrl-C is no failure of the function."""
    f = make(expires=60, on_error="stale")
    ANSWERS[:] = ["old", KeyboardInterrupt()]
    f()
    clock(seconds=61)
    fails(f, KeyboardInterrupt)


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_stale_for_those_that_waited(cache, clock):
    """A waiter that gets another's failure takes the older result too."""
    f = cached(cache=cache, code_version="1", expires=60, on_error="stale")(answer)
    ANSWERS[:] = ["old", ValueError("down")]
    f()
    clock(seconds=61)
    GATE["go"].clear()
    assert in_threads(4, f, waiting=3) == ["old"] * 4
    assert len(CALLS) == 2


def test_a_result_that_cannot_be_stored_is_no_failure_of_the_function(make, clock):
    """With on_store_error="raise" the error has the new value; the older one does not take its place."""
    f = make(expires=60, on_error="stale", on_store_error="raise")
    ANSWERS[:] = ["old", threading.Lock()]
    f()
    clock(seconds=61)
    error = fails(f, StoreError)
    assert type(error.value) is type(threading.Lock())


# cooldown


def test_without_cooldown_the_next_call_computes(make):
    """That is the default."""
    f = make()
    ANSWERS[:] = [ValueError("no"), "value"]
    fails(f)
    assert f() == "value"


@pytest.mark.parametrize("cooldown", [60, datetime.timedelta(minutes=1)])
def test_within_the_cooldown_nothing_is_computed(make, clock, cooldown):
    """The call raises the stored failure, and later computes."""
    f = make(cooldown=cooldown)
    ANSWERS[:] = [ValueError("server down"), "value"]
    fails(f)
    clock(seconds=59)
    error = fails(f, PreviousFailureError)
    assert "ValueError: server down" in error.traceback
    assert "ValueError: server down" in str(error)
    assert "failed 59.0 seconds ago and is not tried again before cooldown=60 seconds" in str(error)
    assert len(CALLS) == 1
    clock(seconds=2)
    assert f() == "value"


def test_the_cooldown_counts_from_the_last_failure(make, clock):
    """A call that is refused does not prolong it."""
    f = make(cooldown=60)
    ANSWERS[:] = [ValueError("no")]
    fails(f)
    for _ in range(5):
        clock(seconds=11)
        fails(f, PreviousFailureError)
    clock(seconds=6)
    fails(f, ValueError)


def test_refresh_ignores_the_cooldown(make):
    """Who asks for it wants it now."""
    f = make(cooldown=60)
    ANSWERS[:] = [ValueError("no"), "value"]
    fails(f)
    assert f.refresh() == "value"
    assert f() == "value"


def test_the_cooldown_is_per_call(make):
    """Other arguments are not concerned."""
    f = make(cooldown=60)
    ANSWERS[:] = [ValueError("no"), "value"]
    fails(lambda: f(1))
    assert f(2) == "value"


def test_a_success_ends_the_cooldown(make, clock):
    """An expired result after it is computed anew."""
    f = make(cooldown=600, expires=60)
    ANSWERS[:] = [ValueError("no"), "one", "two"]
    fails(f)
    f.refresh()
    clock(seconds=61)
    assert f() == "two"


def test_what_could_not_be_stored_does_not_cool_down(make):
    """Only what the function raised counts."""
    f = make(cooldown=60, on_store_error="raise")
    ANSWERS[:] = [threading.Lock(), "value"]
    fails(f, StoreError)
    assert f() == "value"


def test_removing_the_failure_ends_the_cooldown(cache):
    """A way to say: it is mended."""
    f = cached(cache=cache, code_version="1", cooldown=600)(answer)
    ANSWERS[:] = [ValueError("no"), "value"]
    fails(f)
    f.remove()
    assert f() == "value"


def test_a_hit_is_not_refused(make):
    """An older result is fresh, whatever became of a refresh."""
    f = make(cooldown=60)
    ANSWERS[:] = ["value", ValueError("no")]
    f()
    fails(f.refresh)
    assert f() == "value"


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_a_cooldown_with_stale_gives_the_older_result(make, clock):
    """Without computing."""
    f = make(cooldown=600, expires=60, on_error="stale")
    ANSWERS[:] = ["old", ValueError("down")]
    f()
    clock(seconds=61)
    assert (f(), f(), f()) == ("old", "old", "old")
    assert len(CALLS) == 2


def test_the_cooldown_holds_in_other_processes(tmp_path):
    """The failure is in the registry."""
    script = tmp_path / "pipeline.py"
    script.write_text(
        "from cachedeco import cached\n@cached(cache='cache', cooldown=600)\ndef f():\n    raise ValueError('down')\n"
        "try:\n    f()\nexcept Exception as error:\n    print(type(error).__name__, 'down' in str(error))\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(script)]
    said = [
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["ValueError True\n", "PreviousFailureError True\n"]


# The failure of another call


def in_threads(count, call, *, waiting):
    """Call from so many threads; the function goes on when so many wait. What each got."""
    got = []

    def run():
        try:
            got.append(call())
        except Exception as error:  # noqa: BLE001 - what each thread got is looked at
            got.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(flights._waiting) < waiting:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    GATE["go"].set()
    for thread in threads:
        thread.join(30)
    return got


def test_threads_that_waited_get_the_failure(cache):
    """With the original as its cause; they do not run one after another. Later calls compute."""
    f = cached(cache=cache, code_version="1")(answer)
    original = ValueError("no")
    ANSWERS[:] = [original, "value"]
    GATE["go"].clear()
    got = in_threads(4, f, waiting=3)
    assert len(CALLS) == 1
    waited = [each for each in got if each is not original]
    assert len(waited) == 3
    for error in waited:
        assert type(error) is PreviousFailureError
        assert error.__cause__ is original
        assert "ValueError: no" in error.traceback
        assert "answer" in error.traceback
    assert f() == "value"


def test_tasks_that_waited_get_the_failure(cache):
    """In the same way."""
    f = cached(cache=cache, code_version="1")(answer_later)
    original = ValueError("no")
    ANSWERS[:] = [original, "value"]

    async def crowd():
        return await asyncio.gather(*[f() for _ in range(4)], return_exceptions=True)

    got = asyncio.run(crowd())
    assert len(CALLS) == 1
    assert sum(each is original for each in got) == 1
    assert sum(type(each) is PreviousFailureError and each.__cause__ is original for each in got) == 3
    assert asyncio.run(f()) == "value"


def test_processes_that_waited_get_the_failure(tmp_path):
    """With the stored traceback in its text."""
    script = tmp_path / "pipeline.py"
    script.write_text(
        "import sys\nfrom cachedeco import cached\nfrom cachedeco.calls import miss\nwait = miss.wait\n"
        "miss.wait = lambda *args: (print('waiting', flush=True), wait(*args))[1]\n"
        "@cached(cache='cache')\ndef f():\n    print('computing', flush=True)\n"
        "    sys.stdin.readline()\n    raise ValueError('down')\n"
        "try:\n    f()\nexcept Exception as error:\n    \n"
        "    print(type(error).__name__, 'ValueError: down' in str(error), flush=True)\n",
        encoding="utf-8",
    )

    def start():
        return subprocess.Popen(
            [sys.executable, str(script)],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with start() as one:
        assert one.stdout.readline() == "computing\n"
        with start() as two:
            assert two.stdout.readline() == "waiting\n"
            one.stdin.write("\n")
            one.stdin.close()
            assert two.stdout.read() == "PreviousFailureError True\n"
            two.stdin.close()
        assert one.stdout.read() == "ValueError False\n"


def test_the_failure_of_another_survives_pickling(make):
    """With its text."""
    f = make(cooldown=60)
    ANSWERS[:] = [ValueError("no")]
    fails(f)
    error = fails(f, PreviousFailureError)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.traceback) == (type(error), str(error), error.traceback)


def test_the_recorded_traceback_begins_in_the_function(make):
    """The library's own frames tell nobody anything."""
    f = make()
    ANSWERS[:] = [ValueError("no")]
    fails(f)
    text = f.items()[0].error
    assert os.path.dirname(cachedeco.__file__) not in text
    assert "test_failures.py" in text


def test_the_callers_traceback_is_whole(make):
    """From the call down to the line that raised."""
    ANSWERS[:] = [ValueError("no")]
    error = fails(make())
    assert "raise given" in "".join(traceback.format_exception(error))


# on_store_error


def test_what_cannot_be_stored_is_returned_with_a_warning(make):
    """That is the default. It says so once, and the next call computes."""
    f = make()
    ANSWERS[:] = [threading.Lock()]
    with pytest.warns(
        StoreWarning, match="the result was computed, but could not be stored.*it was returned"
    ):
        assert f() is ANSWERS[0]
    assert f() is ANSWERS[0]
    assert len(CALLS) == 2
    assert f.items()[0].cause == "store"


def test_what_cannot_be_stored_is_raised_where_that_is_wanted(make):
    """The error has the value: nothing that was computed is lost."""
    f = make(on_store_error="raise")
    ANSWERS[:] = [threading.Lock()]
    error = fails(f, StoreError)
    assert error.value is ANSWERS[0]
    assert "could not be stored" in str(error)
    assert error.__cause__ is not None


def test_no_place_for_an_output_is_raised_where_that_is_wanted(cache, monkeypatch):
    """Before the function is run; by default it is run without the cache."""
    from cachedeco.calls.work import Work

    def no_space(self):
        raise OSError(28, "No space left on device")

    def write(output=OUTPUT):
        CALLS.append(1)
        output.write_text("text")

    monkeypatch.setattr(Work, "prepare", no_space)
    strict = cached(cache=cache, code_version="1", output="x.txt", on_store_error="raise")(write)
    with pytest.raises(StoreError, match=r"no place for the output.*No space left on device"):
        strict()
    assert not CALLS
    lenient = cached(cache=cache, code_version="1", output="x.txt")(write)
    with pytest.warns(StoreWarning, match="no place for the output.*computed without the cache"):
        assert lenient().read_text() == "text"
