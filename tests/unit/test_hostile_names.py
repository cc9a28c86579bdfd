"""Names of every kind with characters that mean something elsewhere: to SQL, to paths, to a terminal."""

from __future__ import annotations

import os
import pickle
import sqlite3
from pathlib import Path

import pytest

from cachedeco import Cache, OptionError, cached
from cachedeco.errors import StoreWarning

HOSTILE = [
    "'", '"', "`", "';--", "'); DROP TABLE items; --", '" OR 1=1 --', "a\0b", "a\nb\r", "\t", "../../x", "/etc/passwd",
    "..", ".", "%", "_", "100%_\\", "%s%n{0}{x}", "?1", ":key", "@a", "\x1b[31mred\x1b]0;title\x07", "\u202eabc", "CON",
    "nul.txt", "x" * 10_000, "\u2603", "e\u0301", " ", "a b ", "-rf", "~", "$(id)", "|", "*",
]  # fmt: skip
HALF = "half \ud800 pair"

ids = [f"{number}-{each[:12]!a}" for number, each in enumerate(HOSTILE)]
hostile = pytest.mark.parametrize("text", HOSTILE, ids=ids)


def outside(cache):
    """What lies beside the cache folder."""
    return sorted(os.listdir(os.path.dirname(cache.path)))


@pytest.fixture(autouse=True)
def nothing_outside(cache):
    """Nothing is written outside the cache folder, and its tables stay."""
    len(cache)
    before = outside(cache)
    yield
    assert outside(cache) == before
    assert isinstance(len(cache), int)


@hostile
def test_a_uri_is_only_a_name(cache, text):
    """It is found again exactly, and nothing else is."""
    cache.create("other")
    item = cache.create(text, params={"x": text})
    assert cache.search(uri=text) == [item]
    assert cache.best(text, params={"x": text}, status=0) == item
    assert cache.search(uri=text)[0].uri == text
    assert repr(item).isprintable()
    assert cache.remove(uri=text) == 1
    assert len(cache.search()) == 1


@hostile
def test_a_label_is_only_a_text(cache, text):
    """As it is made, and as it is changed."""
    item = cache.create("u", label=text)
    other = cache.create("u")
    assert cache.search(label=text) == [item]
    other.update(label=text)
    assert cache.search(label=text) == [item, other]


@hostile
def test_an_attribute_is_only_a_name_and_a_value(cache, text):
    """Also in a namespace, and where patterns mean something."""
    item = cache.create(
        "u", attrs={"a" + text + "z": text, "space": {"b" + text + "z": 1}, text + "z": {"c": text}}
    )
    cache.create("u", attrs={"a": "other"})
    assert item.attrs == {"a" + text + "z": text, "space": {"b" + text + "z": 1}, text + "z": {"c": text}}
    assert cache.search(attrs={"a" + text + "z": text}) == [item]
    assert cache.search(attrs={"a" + text + "z": [text, 1]}) == [item]
    assert cache.search(attrs={"a" + text + "z": ("between", text, text)}) == [item]
    assert cache.search(attrs={"space": {"b" + text + "z>=": 1}}) == [item]
    assert cache.search(attrs={text + "z": {"c": text}}) == [item]
    assert cache.search(attrs={"none" + text + "z": text}) == []
    item.update(remove_attrs="a" + text + "z")
    assert "a" + text + "z" not in item.attrs


@hostile
def test_an_operator_is_one_of_a_list(cache, text):
    """Anything else is refused, with a message that does not command a terminal."""
    cache.create("u", attrs={"a": 1})
    with pytest.raises(OptionError) as caught:
        cache.search(attrs={"a": (text, 1)})
    assert str(caught.value).isprintable()


@hostile
def test_a_file_name_stays_in_its_folder_or_is_refused(cache, text):
    """By hand and as an extension."""
    for option in ("filename", "ext"):
        try:
            item = cache.create("u", **{option: text})
        except OptionError as error:
            assert str(error).isprintable()
            continue
        assert item.path.parent.parent.parent.parent.samefile(cache.path)
        item.path.write_text("content")
        item.ready()
        assert item.load().read_text() == "content"


@hostile
def test_a_moved_in_name_stays_in_its_folder_or_is_refused(cache, text, tmp_path):
    """The name that it gets may be given."""
    (tmp_path / "source").write_text("content")
    try:
        item = cache.move_in(tmp_path / "source", uri="u", filename=text)
    except OptionError:
        assert len(cache) == 0
    else:
        assert item.load().read_text() == "content"
        assert os.path.dirname(item.path) == str(item.path.parent)
    os.unlink(tmp_path / "source")


@hostile
def test_an_output_name_stays_in_its_folder_or_is_refused(cache, text):
    """A template that is filled with an argument."""
    from cachedeco import OUTPUT

    def function(name, output=OUTPUT):
        output.write_text(name, encoding="utf-8", newline="")

    function = cached(cache=cache, output="a{name}")(function)
    try:
        path = function(text)
    except OptionError as error:
        assert str(error).isprintable()
        return
    assert path.parent.parent.parent.parent.samefile(cache.path)
    assert path.read_text(encoding="utf-8") == text.replace("\r", "\n") or "\r" not in text
    assert function(text) == path


@hostile
def test_an_argument_and_what_a_function_raises_are_only_texts(cache, text):
    """They are described in the registry, and searched by nobody."""

    def fails(name):
        raise ValueError(name)

    def gives(name):
        return name

    assert [cached(cache=cache, label=text)(gives)(text) for _ in range(2)] == [text, text]
    with pytest.raises(ValueError, match=r"(?s)."):
        cached(cache=cache)(fails)(text)
    assert text.strip() in cache.failed()[0].error
    assert str(cached(cache=cache)(gives).why("another"))


@hostile
def test_a_key_is_hex_digits(cache, text):
    """And a path of nothing else."""
    with pytest.raises(OptionError) as caught:
        cache.by_key(text)
    assert str(caught.value).isprintable()


@hostile
def test_a_cache_folder_may_have_any_name(tmp_path, text):
    """Also one that would be options of the registry's address."""
    if "\0" in text or len(text) > 255 or "/" in text or text in {".", ".."}:
        return
    folder = tmp_path / "cache" / ("c?mode=memory#" + text)
    with Cache(folder) as inner:
        inner.create("u")
    assert (folder / "registry" / "registry.db").is_file()


REFUSED = {
    "uri": lambda cache: cache.create(HALF),
    "label": lambda cache: cache.create("u", label=HALF),
    "attribute": lambda cache: cache.create("u", attrs={HALF: 1}),
    "value of an attribute": lambda cache: cache.create("u", attrs={"a": HALF}),
    "file name": lambda cache: cache.create("u", filename=HALF),
    "search for a uri": lambda cache: cache.search(uri=HALF),
    "best": lambda cache: cache.best(HALF),
    "search for a label": lambda cache: cache.search(label=HALF),
    "search for an attribute": lambda cache: cache.search(attrs={HALF: HALF}),
    "label of a function": lambda cache: cached(cache=cache, label=HALF)(one)(),
    "uri of a function": lambda cache: cached(cache=cache, uri=HALF)(one)(),
}


@pytest.mark.parametrize("use", REFUSED.values(), ids=REFUSED)
def test_half_a_surrogate_pair_is_refused_where_the_registry_has_text(cache, use):
    """By an error of ours that says so, and that can be printed."""
    with pytest.raises(OptionError, match=r"takes text only|usable file name") as caught:
        use(cache)
    assert str(caught.value).isprintable()
    assert len(cache) == 0


def test_half_a_surrogate_pair_may_be_an_argument_and_a_result(cache):
    """Names of files that are no text are arguments too; attributes that cannot be kept cost a warning."""
    function = cached(cache=cache)(echo)
    assert [function(HALF), function(HALF)] == [HALF, HALF]
    assert len(cache) == 1
    labelled = cached(cache=cache, attrs=lambda value, arguments: {"a": value})(echo)
    with pytest.warns(StoreWarning, match="takes text only"):
        assert labelled("\udc80") == "\udc80"


def one():
    return 1


def echo(text):
    return text


ROWS = ["../../../secret.pickle", "secret", "/etc/passwd", "..", ".", "", "a/../../b", "a\0b", 5, b"x", 1.5]


@pytest.mark.parametrize("column", ["filename", "version", "token", "serializer", "digest"])
@pytest.mark.parametrize("value", ROWS, ids=repr)
def test_a_row_leads_nowhere_outside(cache, column, value):
    """What the registry says is believed only inside the item's folder; the call computes again, and ends."""

    def large(number):
        return b"x" * 9000

    function = cached(cache=cache, code_version="1", uri="u")(large)
    function(1)
    cache.close()
    # In size and form it could be the value.
    secret = Path(cache.path, "secret.pickle")
    secret.write_bytes(pickle.dumps(b"y" * 9000, protocol=5))
    con = sqlite3.connect(os.path.join(cache.path, "registry", "registry.db"))
    with con:
        con.execute(f"UPDATE items SET {column} = ?", (value if value != "secret" else str(secret),))
    con.close()
    with pytest.warns(StoreWarning) if column == "serializer" else _quietly():
        assert function(1) == large(1)


def _quietly():
    import contextlib
    import warnings

    stack = contextlib.ExitStack()
    stack.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    return stack


@pytest.mark.parametrize(
    "names", ['{"a": "../../x"}', '{"a": "/etc/passwd"}', "[1]", "{", "5", '{"a": 5}', "[" * 9999]
)
def test_names_of_several_outputs_lead_nowhere_outside(cache, names):
    """Nor do they raise what nobody expects."""
    from cachedeco import OUTPUT

    def function(output=OUTPUT):
        output["a"].write_text("a")

    function = cached(cache=cache, output={"a": "a.txt"})(function)
    function()
    cache.close()
    con = sqlite3.connect(os.path.join(cache.path, "registry", "registry.db"))
    with con:
        con.execute("UPDATE items SET filename = ?", (names,))
    con.close()
    with _quietly():
        (path,) = function().values()
    assert path.read_text() == "a"
    assert str(path).startswith(cache.path)
