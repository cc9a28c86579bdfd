"""The fixture for users' tests."""

from __future__ import annotations

from cachedeco import cached
from cachedeco.cache import default_cache


@cached
def double(number):
    """A cached function without a cache of its own."""
    return number * 2


def test_the_fixture_is_the_default_cache(cachedeco_cache):
    """Empty at first."""
    assert len(cachedeco_cache) == 0
    assert double(2) == 4
    assert default_cache() is cachedeco_cache
    assert len(cachedeco_cache) == 1


def test_another_test_has_another_cache(cachedeco_cache):
    """Nothing is left of what others have stored."""
    assert len(cachedeco_cache) == 0
