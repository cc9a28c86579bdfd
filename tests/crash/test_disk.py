"""A disk that is full, as far as a process can be made to believe it."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="resource limits")


def test_a_file_that_may_not_grow_costs_no_value(stage):
    """Values beyond the limit reach their callers with one warning; what fits is stored."""
    story = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    @cached(cache=cache, code_version="1")
    def f(n):
        return bytes(n)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert f(1_000_000) == bytes(1_000_000)
        assert f(2_000_000) == bytes(2_000_000)
        assert f(100_000) == bytes(100_000)
    say("warned", len(seen), seen[0].category.__name__)
    say("status", f.status(1_000_000).name, f.status(100_000).name)
    """
    worker = stage.start(story)
    assert worker.hear("warned") == "1 StoreWarning"
    assert worker.hear("status") == "FAILED READY"
    worker.finish()


def test_a_registry_that_may_not_grow_costs_no_value(stage):
    """When not even the log of the registry fits, calls are plain calls; later ones are cached again."""
    story = """
    import resource
    @cached(cache=cache, code_version="1")
    def f(n):
        return n * 2
    f(0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert [f(n) for n in range(5)] == [0, 2, 4, 6, 8]
    say("warned", len(seen))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f(3) == 6
    say("status", f.status(3).name, len(cache.search(status=1)))
    """
    worker = stage.start(story)
    assert worker.hear("warned") == "1"
    assert worker.hear("status") == "READY 0"
    worker.finish()


def test_a_generator_whose_items_do_not_fit_yields_them_all(stage):
    """Also the end of the temporary file, which would be written once more then, costs nothing."""
    story = """
    import resource
    @cached(cache=cache, code_version="1")
    def g(n):
        for each in range(n):
            yield bytes(1000)
    list(g(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert sum(map(len, g(30))) == 30_000
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    say("warned", len(seen), seen[0].category.__name__)
    """
    worker = stage.start(story)
    assert worker.hear("warned") == "1 StoreWarning"
    worker.finish()
