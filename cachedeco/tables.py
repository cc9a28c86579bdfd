"""Items, versions and caches as tables in a notebook; everything from a registry is text there, never markup."""

from __future__ import annotations

from html import escape

from cachedeco.describing import call_of, preview

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachedeco.item import CacheItem

MOST_ROWS = 50
"""Items that a table shows; more are counted below it."""

_COLUMNS = ("id", "version", "status", "size", "seconds", "created", "call")


def of_item(item: CacheItem) -> str:
    """What is known of an item; the traceback of a failure is folded."""
    record = item._record  # noqa: SLF001 - what is shown is the record
    status = item.status.name + (f" ({item.cause})" if item.cause else "")
    facts: list[tuple[str, object]] = [
        ("status", status),
        ("item", f"{item.id}, {item.version_id}"),
        ("uri", item.uri),
    ]
    facts += [(f"param {name}", preview(about)) for name, about in record.described().items()]
    facts += [(f"attr {name}", repr(value)) for name, value in item.attrs.items()]
    facts += [("label", item.label), ("size", item.size), ("seconds", item.seconds)]
    facts += [("created", f"{item.created:%Y-%m-%d %H:%M:%S} UTC"), ("path", item.path)]
    rows = [(name, str(value)) for name, value in facts if value is not None]
    return f"<b>{escape(call_of(record))}</b>{_table((), rows)}{_folded(item)}"


def of_items(items: Sequence[CacheItem]) -> str:
    """A row an item, the last ones if there are many; failures with their tracebacks folded below."""
    shown = items[-MOST_ROWS:]
    left = f"<p>the last {len(shown):,} of {len(items):,}</p>" if len(shown) < len(items) else ""
    failures = "".join(_folded(item) for item in shown)
    return f"{_table(_COLUMNS, map(_row, shown))}{left}{failures}" if items else "<p>no items</p>"


def of_cache(path: str, stats: Sequence[dict[str, object]]) -> str:
    """What lies in a cache, a row a function or uri."""
    names = ("name", "items", "computed", "failed", "bytes", "hits", "seconds_saved")
    rows = [[_number(each[name]) for name in names] for each in stats[:MOST_ROWS]]
    return f"<b>Cache</b> {escape(path)}{_table(names, rows) if rows else '<p>empty</p>'}"


def _row(item: CacheItem) -> Sequence[str]:
    record = item._record  # noqa: SLF001 - as it was read with the others
    seconds = "" if item.seconds is None else f"{item.seconds:.3g}"
    size = "" if record.size is None else f"{record.size:,}"
    created = f"{item.created:%Y-%m-%d %H:%M:%S}"
    return str(item.id), str(item.version), record.status.name, size, seconds, created, call_of(record)


def _folded(item: CacheItem) -> str:
    if not item.error:
        return ""
    last = item.error.strip().rpartition("\n")[2]
    return (
        f"<details><summary>{escape(f'{item.id}: {last}')}</summary><pre>{escape(item.error)}</pre></details>"
    )


def _number(value: object) -> str:
    return (
        f"{value:,.3g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heading)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
