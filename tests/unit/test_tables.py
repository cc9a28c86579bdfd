"""Items, versions and caches as tables in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from cachedeco import cached
from cachedeco.tables import MOST_ROWS


class Page(HTMLParser):
    """What a reader of some markup sees: its cells, and the tags that it is made of."""

    def __init__(self, markup):
        super().__init__()
        self.cells, self.tags, self._open = [], [], []
        self.feed(markup)
        self.close()
        assert self._open == [], "all that was opened is closed"

    def handle_starttag(self, tag, attrs):
        self._open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.cells.append(data)


def test_an_item_is_a_table_of_what_is_known(cache):
    """Its call above, its parameters and attributes below."""
    item = cache.create("demo://x", params={"a": 1}, attrs={"kind": "k"}, label="l", filename="f")
    cells = Page(item._repr_html_()).cells
    assert cells[0] == "demo://x(a=1)"
    assert cells[cells.index("param a") + 1] == "1"
    assert cells[cells.index("attr kind") + 1] == "'k'"


def test_a_failure_has_its_traceback_folded(cache):
    """The last line is seen at once."""

    @cached(cache=cache)
    def f(x):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such"):
        f(1)
    page = Page(cache.failed()._repr_html_())
    assert page.tags.count("details") == 1
    assert any(cell.endswith("ValueError: no such thing") for cell in page.cells)


def test_versions_and_finds_are_tables(cache):
    """As lists they are what they were."""

    @cached(cache=cache)
    def f(x):
        return x

    f(1), f.refresh(1)
    for items in (f.items(1), cache.search()):
        assert isinstance(items, list)
        assert Page(items._repr_html_()).tags.count("tr") == 3
    assert cache.search(label="none")._repr_html_() == "<p>no items</p>"


def test_a_long_list_shows_its_end(cache):
    """And how many there are."""
    for number in range(MOST_ROWS + 2):
        cache.create("demo://x", params={"n": number})
    page = Page(cache.search()._repr_html_())
    assert f"the last {MOST_ROWS} of {MOST_ROWS + 2}" in page.cells


def test_a_cache_is_a_table_of_functions(cache):
    """With its path."""
    assert "empty" in Page(cache._repr_html_()).cells
    cache.create("demo://x", filename="f")
    cells = Page(cache._repr_html_()).cells
    assert "demo://x" in cells
    assert f" {cache.path}" in cells


def test_nothing_that_is_stored_is_markup(cache):
    """Whatever a name, a label or a traceback holds."""
    evil = "<script>alert(1)</script>"
    item = cache.create(evil, params={evil: evil}, attrs={evil: evil}, label=evil, filename="f")
    item.failed(evil)
    for shown in (item, cache.search(), cache):
        assert "script" not in Page(shown._repr_html_()).tags
