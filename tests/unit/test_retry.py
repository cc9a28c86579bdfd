"""Failed calls: which they are, and making them again."""

from __future__ import annotations

import pytest

from cachedeco import Cache, RetryError, cached


@cached(store_args=True)
def stored(path, day=1):
    """Needs its file."""
    with open(path, encoding="utf-8") as file:
        return file.read(), day


@cached
def plain(path):
    """Needs its file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def default():
    """The default cache of this test."""
    return Cache()


def fail(function, path, **more):
    """Let a call fail."""
    with pytest.raises(FileNotFoundError):
        function(str(path), **more)


def test_what_failed_is_listed_with_its_traceback(default, tmp_path):
    """The oldest first."""
    fail(stored, tmp_path / "a")
    fail(stored, tmp_path / "b")
    items = default.failed()
    assert [item.params["path"] for item in items] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert "FileNotFoundError" in items[0].error


def test_what_was_made_up_for_is_not_listed(default, tmp_path):
    """A later version is READY."""
    fail(stored, tmp_path / "a")
    (tmp_path / "a").write_text("text")
    stored(str(tmp_path / "a"))
    assert default.failed() == []


def test_failed_calls_are_made_again_with_their_arguments(default, tmp_path):
    """By position and by name."""
    fail(stored, tmp_path / "a", day=3)
    (tmp_path / "a").write_text("text")
    (retried,) = default.retry_failed()
    assert (retried.value, retried.error) == (("text", 3), None)
    assert stored.map([str(tmp_path / "a")], [3]) == [("text", 3)]
    assert default.failed() == []


def test_one_that_fails_again_does_not_stop_the_others(default, tmp_path):
    """Its new failure is told."""
    fail(stored, tmp_path / "a")
    fail(stored, tmp_path / "b")
    (tmp_path / "b").write_text("text")
    first, second = default.retry_failed()
    assert isinstance(first.error, FileNotFoundError)
    assert second.value == ("text", 1)


def test_only_those_asked_for_are_made_again(default, tmp_path):
    """By a function of the item."""
    fail(stored, tmp_path / "a")
    fail(stored, tmp_path / "b")
    retried = default.retry_failed(where=lambda item: item.params["path"].endswith("b"))
    assert [each.item.params["path"] for each in retried] == [str(tmp_path / "b")]


def test_without_stored_arguments_one_is_told_how_to_store_them(default, tmp_path):
    """The function is named."""
    fail(plain, tmp_path / "a")
    (retried,) = default.retry_failed()
    assert isinstance(retried.error, RetryError)
    assert "store_args=True" in str(retried.error)


def test_a_function_that_is_gone_is_told(default, tmp_path, monkeypatch):
    """Its stored call cannot be made."""
    fail(stored, tmp_path / "a")
    monkeypatch.delitem(globals(), "stored")
    (retried,) = default.retry_failed()
    assert isinstance(retried.error, RetryError)
