"""When a stored answer may be used, and what its server is asked: decided from headers and times alone."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.files import freshness
from cachedeco.files.freshness import Answered

NOW = 1_800_000_000.0


def answered(*, ago=0.0, took=0.0, skew=0.0, **headers):
    """An answer that came so many seconds ago, from a server whose clock is so many seconds ahead."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    received = NOW - ago
    named.setdefault("date", formatdate(received + skew, usegmt=True))
    return Answered(named, received - took, received)


def fresh(answer, expires=None):
    return freshness.is_fresh(answer, NOW, expires)[0]


@pytest.mark.parametrize(
    ("ago", "headers", "expected"),
    [
        (59, {"cache_control": "max-age=60"}, True),
        (60, {"cache_control": "max-age=60"}, False),
        (0, {}, False),
        (0, {"cache_control": "no-cache, max-age=60"}, False),
        (0, {"cache_control": 'no-cache="Set-Cookie", max-age=60'}, False),
        (0, {"cache_control": "no-store, max-age=60"}, False),
        (0, {"cache_control": "max-age=soon"}, False),
        (0, {"cache_control": "max-age=-1"}, False),
        (0, {"cache_control": "s-maxage=60"}, False),
        (10, {"cache_control": "max-age=60, max-age=5"}, True),
        (10, {"cache_control": 'MAX-AGE="60"'}, True),
        (10, {"cache_control": "max-age=60", "expires": "0"}, True),
        (10, {"expires": formatdate(NOW + 60, usegmt=True)}, True),
        (10, {"expires": formatdate(NOW - 60, usegmt=True)}, False),
        (0, {"expires": "0"}, False),
        (0, {"expires": formatdate(NOW + 60, usegmt=True), "date": "yesterday"}, False),
        (10, {"cache_control": "max-age=60", "age": "49"}, True),
        (10, {"cache_control": "max-age=60", "age": "50"}, False),
        (10, {"cache_control": "max-age=60", "age": "old"}, True),
        (0, {"cache_control": "max-age=60", "vary": "*"}, False),
        (0, {"cache_control": "max-age=60", "vary": "Accept, Authorization"}, False),
        (0, {"cache_control": "max-age=60", "vary": "Accept"}, True),
    ],
)
def test_fresh_as_the_server_says(ago, headers, expected):
    """Its headers decide, in the order of RFC 9111; what cannot be understood is stale."""
    assert fresh(answered(ago=ago, **headers)) is expected


def test_the_way_of_an_answer_counts_to_its_age():
    """It was made at some time between request and answer, and the earlier one is assumed."""
    assert fresh(answered(ago=10, took=49, cache_control="max-age=60"))
    assert not fresh(answered(ago=10, took=50, cache_control="max-age=60"))


def test_a_server_behind_our_clock_shortens_the_time():
    """An answer dated long ago may have lain somewhere that does not say so."""
    assert not fresh(answered(skew=-60, cache_control="max-age=60"))


def test_a_server_ahead_of_our_clock_does_not_lengthen_it():
    """A date in the future is no reason to trust an answer longer."""
    assert not fresh(answered(ago=60, skew=3600, cache_control="max-age=60"))


def test_a_clock_that_was_set_back_makes_stale():
    """An answer from the future would otherwise be fresh until then."""
    assert not fresh(answered(ago=-3600, cache_control="max-age=60"))
    assert not fresh(answered(ago=-3600), expires=60)


@pytest.mark.parametrize(
    ("ago", "expires", "expected"),
    [(59, 60, True), (60, 60, False), (1e9, float("inf"), True), (0, 0, False)],
)
def test_the_users_own_expiry_takes_the_place_of_the_servers(ago, expires, expected):
    """It counts from the last time the server was asked, whatever that has said."""
    assert fresh(answered(ago=ago, cache_control="no-cache"), expires) is expected
    assert fresh(answered(ago=ago, cache_control="max-age=1000000000000"), expires) is expected


@pytest.mark.parametrize(
    ("ago", "control", "expected"),
    [
        (100, "max-age=60, stale-if-error=60", True),
        (121, "max-age=60, stale-if-error=60", False),
        (100, "max-age=60", False),
        (100, "max-age=60, stale-if-error=60, must-revalidate", False),
        (0, "no-cache, stale-if-error=60", False),
    ],
)
def test_stale_if_error_as_the_server_allows(ago, control, expected):
    """So many seconds after the end, and not where it forbids stale answers."""
    assert freshness.may_be_stale(answered(ago=ago, cache_control=control), NOW) is expected


def test_validators_are_asked_in_their_order():
    """The first that is chosen and known is sent, and no other."""
    both = {"etag": 'W/"1"', "last-modified": "then"}
    assert freshness.conditions(both, ("etag", "modified")) == {"If-None-Match": 'W/"1"'}
    assert freshness.conditions(both, ("modified", "etag")) == {"If-Modified-Since": "then"}
    assert freshness.conditions({"last-modified": "then"}, ("etag", "modified")) == {
        "If-Modified-Since": "then"
    }
    assert freshness.conditions(both, ()) == {}


def test_a_date_does_not_tell_answers_to_different_people_apart():
    """Only an entity tag is asked by where the answer depends on who asks."""
    assert freshness.conditions({"last-modified": "then", "vary": "Cookie"}, ("modified",)) == {}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"etag": '"1"'}, '"1"'),
        ({"etag": 'W/"1"'}, None),
        ({"etag": 'W/"1"', "last-modified": "Mon, 23 Nov 2026 09:00:00 GMT"}, None),
        ({"last-modified": "Mon, 23 Nov 2026 09:00:00 GMT"}, "Mon, 23 Nov 2026 09:00:00 GMT"),
        ({"last-modified": "Mon, 23 Nov 2026 09:59:30 GMT"}, None),
        ({}, None),
    ],
)
def test_only_a_strong_validator_lets_a_transfer_go_on(headers, expected):
    """A weak one allows that the bytes differ, and so does a date that is too young."""
    assert freshness.unchanged_since({"date": "Mon, 23 Nov 2026 10:00:00 GMT", **headers}) == expected


def test_not_modified_renews_what_was_said_but_not_of_the_bytes():
    """Validators and expiry are new; length, type and encoding are still those of the stored bytes."""
    stored = {"etag": '"1"', "content-length": "10", "age": "5", "cache-control": "max-age=1"}
    answer = {"cache-control": "max-age=60", "content-length": "0", "set-cookie": "secret"}
    assert freshness.updated(stored, answer) == {
        "etag": '"1"',
        "content-length": "10",
        "cache-control": "max-age=60",
    }


def test_what_an_answer_depends_on_is_compared():
    """By the headers of the request that its Vary names; of secrets not even a digest is kept."""
    vary = {"vary": "Accept, Authorization"}
    first = freshness.chosen_by(vary, {"accept": "text/csv", "authorization": "secret"})
    assert first == freshness.chosen_by(vary, {"accept": "text/csv"})
    assert first != freshness.chosen_by(vary, {"accept": "text/html"})
    assert freshness.chosen_by({}, {"accept": "text/csv"}) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("120", 120.0), ("Mon, 23 Nov 2026 10:02:00 GMT", 120.0), ("soon", None), ("", None)],
)
def test_retry_after_in_seconds_or_as_a_date(text, expected):
    """Both forms are understood; what is neither says nothing."""
    assert freshness.retry_after(text, freshness.moment("Mon, 23 Nov 2026 10:00:00 GMT")) == expected


@given(st.dictionaries(st.sampled_from(sorted(freshness.KEPT)), st.text(max_size=40)), st.floats(0, 1e10))
def test_no_header_is_too_strange(headers, now):
    """Whatever a server sends, a decision is made."""
    answer = Answered(headers, 0.0, 0.0)
    assert freshness.is_fresh(answer, now, None)[0] in {True, False}
    assert freshness.may_be_stale(answer, now) in {True, False}
    assert isinstance(freshness.conditions(headers, freshness.VALIDATORS), dict)
    assert freshness.unchanged_since(headers) is None or headers


@given(st.text(max_size=60))
def test_directives_are_read_from_any_text(text):
    """Names are in small letters, and what is no directive is passed over."""
    assert all(name == name.lower() for name in freshness.directives(text))
