"""Cache: made, searched, closed, pickled, moved; every plain field finds what it should."""

from __future__ import annotations

import datetime
import os
import pickle
import threading
from pathlib import Path

import pytest

from cachedeco import Cache, KeyingError, OptionError, RegistryError, Status, cached


def make(cache, uri="u", params=None, *, status=Status.READY, **fields):
    return cache.create(uri, params, status=status, **fields)


def written(cache, uri="u", params=None, text="x", **fields):
    """An item with its file."""
    item = cache.create(uri, params, filename=fields.pop("filename", "f.txt"), **fields)
    item.path.write_text(text, encoding="utf-8")
    item.ready()
    return item


# Opening and closing


def test_the_folder_is_made(tmp_path):
    """With those above it."""
    cache = Cache(tmp_path / "a" / "b")
    assert Path(cache.path).is_dir()
    assert cache.path == os.path.realpath(tmp_path / "a" / "b")


def test_the_default_cache_is_that_of_the_environment(tmp_path):
    """Where nobody says where."""
    assert Cache().path == os.path.realpath(os.environ["CACHEDECO_DIR"])


def test_opening_opens_no_connection(tmp_path):
    """A module that only makes a cache costs nothing."""
    cache = Cache(tmp_path / "cache")
    assert not (tmp_path / "cache" / "registry").exists()
    assert len(cache) == 0
    assert (tmp_path / "cache" / "registry").exists()
    cache.close()


def test_a_closed_cache_opens_again(cache):
    """Closing lets the connections go."""
    make(cache)
    cache.close()
    cache.close()
    assert len(cache) == 1


def test_with_closes(tmp_path):
    """And gives the cache."""
    with Cache(tmp_path / "cache") as cache:
        make(cache)
        assert cache.store.pool._idle
    assert not cache.store.pool._idle


def test_an_empty_cache_is_true(cache):
    """``cache or Cache()`` means what it says."""
    assert len(cache) == 0
    assert cache


def test_it_pickles_as_its_path(cache):
    """The other process opens the same folder."""
    item = make(cache)
    again = pickle.loads(pickle.dumps(cache))
    assert again.path == cache.path
    assert again.search() == [item]
    again.close()


def test_its_text_makes_it_again(cache):
    """As far as the path goes."""
    assert repr(cache) == f"Cache({cache.path!r})"


def test_a_place_that_cannot_be_a_folder_is_an_error(tmp_path):
    """With the way out."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(RegistryError, match="choose another one with path= or CACHEDECO_DIR"):
        Cache(tmp_path / "file")


def test_it_is_used_from_any_thread(cache):
    """Connections belong to no thread."""
    failures = []

    def use():
        try:
            make(cache)
            cache.search()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(item.version for item in cache.search()) == list(range(1, 9))


def test_a_moved_folder_keeps_its_items(tmp_path):
    """Paths are derived, none is stored."""
    with Cache(tmp_path / "one") as cache:
        written(cache, text="hello")
    os.rename(tmp_path / "one", tmp_path / "two")
    with Cache(tmp_path / "two") as cache:
        assert cache.best("u").path.read_text(encoding="utf-8") == "hello"


# Making items


def test_versions_continue_after_a_removal(cache):
    """Numbers are never used again, so no path is either."""
    first = make(cache)
    cache.store.items.trash_key(bytes.fromhex(first.key))
    second = make(cache)
    assert (first.version, second.version) == (1, 2)
    assert first.path != second.path


def test_an_item_has_a_path_to_write_to(cache):
    """Its folder is there; the name is made where none is given."""
    named, by_ext, bare = make(cache, filename="data.tsv"), make(cache, ext="csv"), make(cache)
    assert named.path.name == "data.tsv"
    assert by_ext.path.name == f"{by_ext.version_id}.csv"
    assert bare.path.name == bare.version_id
    for item in (named, by_ext, bare):
        item.path.write_text("x")


@pytest.mark.parametrize(
    ("filename", "ext"), [("a.csv", "csv"), ("a.tar.gz", "tar.gz"), ("a", None), (".hidden", None)]
)
def test_the_extension_is_that_of_the_file_name(cache, filename, ext):
    """Unless another one is given."""
    assert make(cache, filename=filename).ext == ext
    assert make(cache, filename=filename, ext="x").ext == "x"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "/etc/passwd", "..\\x", "a\0b", "x" * 256, "ü" * 128, 5, b"x"],
    ids=[str(n) for n in range(11)],
)
@pytest.mark.parametrize("option", ["filename", "ext"])
def test_a_name_stays_inside_its_folder(cache, option, name):
    """And fits a file system; nothing is recorded otherwise."""
    if option == "ext" and name in {"", "."}:
        assert make(cache, ext=name).ext is None
        return
    with pytest.raises(OptionError, match=option):
        make(cache, **{option: name})
    assert len(cache) == 0


@pytest.mark.parametrize("status", [Status.TRASH, Status.DELETED])
def test_a_new_item_is_not_in_the_trash(cache, status):
    """It is made to be used."""
    with pytest.raises(OptionError, match="trash"):
        make(cache, status=status)


def test_a_status_may_be_a_number(cache):
    """Members and integers are one."""
    assert make(cache, status=1).status is Status.WRITE


def test_parameters_that_cannot_be_keyed_are_named(cache):
    """Before anything is recorded."""
    with pytest.raises(KeyingError, match="lock"):
        make(cache, params={"lock": threading.Lock()})
    assert len(cache) == 0


def test_attributes_that_cannot_be_stored_are_named(cache):
    """As well."""
    with pytest.raises(OptionError, match="attribute 'a'"):
        make(cache, attrs={"a": object()})
    assert len(cache) == 0


# best


def test_the_best_is_the_newest_that_is_there(cache):
    """Neither what failed, nor what is being written, nor what has no file."""
    good = written(cache)
    make(cache, status=Status.FAILED)
    make(cache, status=Status.WRITE)
    make(cache, status=Status.READY)
    gone = written(cache)
    gone.path.unlink()
    assert cache.best("u") == good


def test_without_any_there_is_none(cache):
    """Not an error."""
    assert cache.best("nothing") is None
    make(cache, params={"a": 1})
    assert cache.best("u") is None


def test_parameters_count_and_none_is_the_same_as_none_of_them(cache):
    """A key is made of uri and params."""
    plain, with_a = written(cache), written(cache, params={"a": 1})
    assert cache.best("u") == cache.best("u", {}) == plain
    assert cache.best("u", {"a": 1}) == with_a
    assert cache.best("u", {"a": 1.0}) is None


def test_it_finds_what_a_cached_function_stored(cache):
    """By the function's uri and all its arguments."""

    @cached(cache=cache)
    def f(x, y=2):
        return x + y

    f(1)
    item = cache.best(f.item(1).uri, params={"x": 1, "y": 2})
    assert item == f.item(1)
    assert item.load() == 3
    assert item.uri.startswith("py://")
    assert item.uri.endswith("f")


def test_another_status_can_be_asked_for(cache):
    """Then files do not matter."""
    failed = make(cache, status=Status.FAILED)
    make(cache)
    assert cache.best("u", status=Status.FAILED) == failed


# search


def test_everything_visible_is_found_oldest_first(cache):
    """Without conditions."""
    made = [make(cache, uri) for uri in "bca"]
    assert cache.search() == made


def test_removed_items_are_found_on_request(cache):
    """By status, or all."""
    item = make(cache)
    cache.store.items.trash_key(bytes.fromhex(item.key))
    assert cache.search() == []
    assert cache.search(include_removed=True) == [item]
    assert cache.search(status=Status.TRASH) == [item]


def test_a_uri_is_found_with_any_parameters(cache):
    """Unless they are given; None means none of them."""
    bare, one, two = make(cache), make(cache, params={"a": 1}), make(cache, params={"a": 2})
    assert cache.search("u") == [bare, one, two]
    assert cache.search("u", {"a": 2}) == [two]
    assert cache.search("u", None) == cache.search("u", {}) == [bare]


def test_parameters_without_a_uri_are_refused(cache):
    """They would mean nothing."""
    with pytest.raises(OptionError, match="needs uri"):
        cache.search(params={"a": 1})


def test_fields_narrow_the_search(cache):
    """Each by itself; None finds those without."""
    one = make(cache, ext="csv", label="x", filename="f.csv")
    two = make(cache, "v", status=Status.FAILED)
    assert cache.search(ext="csv") == cache.search(label="x") == cache.search(filename="f.csv") == [one]
    assert cache.search(label=None) == cache.search(ext=None) == [two]
    assert cache.search(status=Status.FAILED) == cache.search(status={2}) == [two]
    assert cache.search(status=(2, 3)) == cache.search(status=[Status.FAILED, Status.READY]) == [one, two]
    assert cache.search(key=two.key) == [two]
    assert cache.search(function=None) == [one, two]


def test_versions_narrow_the_search(cache):
    """-1 is the newest of each key."""
    made = [make(cache) for _ in range(3)]
    other = make(cache, "v")
    assert cache.search(version=-1) == [made[2], other]
    assert cache.search(version=2) == [made[1]]
    assert cache.search(version={1, 3}, uri="u") == [made[0], made[2]]


def test_times_narrow_the_search(cache):
    """With a zone, or local time without one."""
    item = make(cache)
    hour = datetime.timedelta(hours=1)
    for now in (datetime.datetime.now(datetime.UTC), datetime.datetime.now()):  # noqa: DTZ005 - that is the case
        assert cache.search(newer_than=now - hour, older_than=now + hour) == [item]
        assert cache.search(newer_than=now + hour) == cache.search(older_than=now - hour) == []


def test_the_function_narrows_the_search(cache):
    """By module and qualified name."""

    @cached(cache=cache)
    def f(x):
        return x

    f(1)
    make(cache)
    found = cache.search(function=f.item(1).function)
    assert found == [f.item(1)]


@pytest.mark.parametrize("key", ["", "zz", "ab", "0" * 31, "0" * 33, 5, b"x"], ids=[str(n) for n in range(7)])
def test_a_key_is_32_hex_digits(cache, key):
    """Anything else is named."""
    with pytest.raises(OptionError, match="32 hex digits"):
        cache.search(key=key)


def test_a_key_that_contradicts_uri_and_params_is_refused(cache):
    """Nothing could be found."""
    item = make(cache)
    assert cache.search("u", {}, key=item.key) == [item]
    with pytest.raises(OptionError, match="is not the key of"):
        cache.search("v", {}, key=item.key)


@pytest.mark.parametrize("status", ["READY", 77, [99], "x", 1.5], ids=repr)
def test_a_status_that_does_not_exist_is_refused(cache, status):
    """With the argument's name and what would do."""
    with pytest.raises(OptionError, match=r"status=.*READY 3"):
        cache.search(status=status)


def test_no_text_reaches_the_registry_as_code(cache):
    """Quotes and commands are text."""
    evil = "x' OR '1'='1\"; DROP TABLE items; --"
    item = make(cache, evil, {"a": evil}, label=evil, attrs={evil: evil})
    make(cache)
    assert cache.search(evil) == cache.search(label=evil) == [item]
    assert item.attrs == {evil: evil}
    assert len(cache) == 2


# by_key


def test_a_key_finds_its_newest_version(cache):
    """Or the one that is named, in either way."""
    first, second = make(cache), make(cache)
    assert cache.by_key(first.key) == second
    assert cache.by_key(first.key, 1) == cache.by_key(first.version_id) == first
    assert cache.by_key(first.key, 9) is None
    assert cache.by_key("0" * 32) is None


def test_a_named_version_is_found_in_the_trash_too(cache):
    """Who names it means it."""
    item = make(cache)
    cache.store.items.trash_key(bytes.fromhex(item.key))
    assert cache.by_key(item.key) is None
    assert cache.by_key(item.version_id) == item


@pytest.mark.parametrize("key", ["x", "0" * 32 + "-", "0" * 32 + "-x", "0" * 32 + "--1", "-1"])
def test_a_version_id_that_is_none_is_refused(cache, key):
    """With the form that it has."""
    with pytest.raises(OptionError, match="32 hex digits"):
        cache.by_key(key)
