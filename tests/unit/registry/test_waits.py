"""Noted waits: who closes a circle finds it, whoever noted the rest of it."""

from __future__ import annotations

import pytest

from cachedeco.registry import waits
from cachedeco.registry.by_hand import Handmade, claim
from cachedeco.registry.claims import new_token
from cachedeco.registry.owner import live_tokens


class Registry:
    """Claims by hand in one registry, and waits for them."""

    def __init__(self, cache):
        self.cache = cache
        self.pool = cache.store.pool
        self.tokens = []

    def claim(self, name):
        """Claim a key; returns the number of the item."""
        token = new_token()
        self.tokens.append(token)
        live_tokens.add(token)
        wanted = Handmade(
            key=name.encode() * 16,
            uri=name,
            params="{}",
            attributes=[],
            filename=None,
            ext=None,
            label=None,
        )
        return claim(self.pool, wanted, token, 0).id

    def note(self, awaited, *holding, wait=None):
        """Names and numbers in the circle that a wait closes."""
        key = awaited.encode() * 16
        links = waits.note(self.pool, wait or new_token(), list(holding), key, b"by hand")
        return [(link.name, link.item) for link in links]

    def count(self):
        return self.pool.read("SELECT count(*) FROM waits")[0]


@pytest.fixture
def registry(cache):
    """An empty registry."""
    made = Registry(cache)
    yield made
    live_tokens.difference_update(made.tokens)


def test_the_last_of_two_finds_the_circle(registry):
    """And what stands in it, from what it waits for on."""
    a, b = registry.claim("a"), registry.claim("b")
    assert registry.note("b", a) == []
    assert registry.note("a", b) == [("a", a), ("b", b)]


def test_a_circle_of_many_is_found_in_its_order(registry):
    """Whichever of its waits comes last."""
    a, b, c, d = (registry.claim(name) for name in "abcd")
    assert registry.note("d", c) == []
    assert registry.note("b", a) == []
    assert registry.note("a", d) == []
    assert registry.note("c", b) == [("c", c), ("d", d), ("a", a), ("b", b)]


def test_a_circle_may_close_at_an_outer_claim(registry):
    """Whoever computes G on behalf of F holds both."""
    f, g, h = (registry.claim(name) for name in "fgh")
    assert registry.note("f", h) == []
    assert registry.note("h", f, g) == [("h", h), ("f", f)]


def test_one_claim_may_wait_for_several(registry):
    """As that of a function which gathers tasks."""
    a, b, c = (registry.claim(name) for name in "abc")
    assert registry.note("b", a) == []
    assert registry.note("c", a) == []
    assert registry.note("a", b) == [("a", a), ("b", b)]
    assert registry.note("a", c) == [("a", a), ("c", c)]


def test_waits_in_a_row_are_no_circle(registry):
    """Nor is it one when many wait for one."""
    a, b = registry.claim("a"), registry.claim("b")
    registry.claim("c")
    assert registry.note("b", a) == []
    assert registry.note("c", b) == []
    assert registry.note("c", a) == []


def test_a_circle_beside_the_road_does_not_hold_up_the_search(registry):
    """Whoever only waits for those in it is in none."""
    a, b, c = (registry.claim(name) for name in "abc")
    registry.note("b", a)
    registry.note("a", b)
    assert registry.note("a", c) == []


def test_what_nobody_computes_is_waited_for_by_nobody(registry):
    """The claim has ended meanwhile, or is about to be made."""
    assert registry.note("b", registry.claim("a")) == []


def test_waits_of_ended_claims_are_forgotten(registry):
    """A process that was killed does not withdraw them."""
    a, b = registry.claim("a"), registry.claim("b")
    registry.note("b", a)
    registry.cache.store.claims.release(registry.tokens[0])
    assert registry.note("a", b) == []
    assert registry.count() == 1


def test_waits_of_deleted_items_are_gone(registry):
    """With their items."""
    a = registry.claim("a")
    registry.note("b", a)
    registry.pool.write(lambda con: con.execute("DELETE FROM items WHERE id = ?", (a,)))
    assert registry.count() == 0


def test_a_withdrawn_wait_closes_nothing(registry):
    """Others of the same claim stay."""
    a, b = registry.claim("a"), registry.claim("b")
    first, second = new_token(), new_token()
    registry.note("b", a, wait=first)
    registry.note("b", a, wait=second)
    waits.withdraw(registry.pool, first)
    assert registry.note("a", b) == [("a", a), ("b", b)]
    waits.withdraw(registry.pool, second)
    assert registry.note("a", b) == []


def test_a_wait_may_be_noted_again(registry):
    """To look once more, after a dead process has been dealt with."""
    a, b = registry.claim("a"), registry.claim("b")
    registry.note("b", a)
    wait = new_token()
    assert registry.note("a", b, wait=wait) == registry.note("a", b, wait=wait) == [("a", a), ("b", b)]
    assert registry.count() == 2
