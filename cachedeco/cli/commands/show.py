"""Show everything that is known of an item: its call, its attributes, who made it and with what, its failure.

The exit code is 1 if it has failed.
"""

from __future__ import annotations

from cachedeco.cli import choosing, columns
from cachedeco.cli.screen import duration, size
from cachedeco.describing import call_of, preview, printable
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    import datetime
    from collections.abc import Iterator
    from typing import Any

    from cachedeco.cli.screen import Screen
    from cachedeco.item import CacheItem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `show` can be told."""
    parser.add_argument("item", metavar="ITEM")
    parser.add_argument("--json", action="store_true", help="as one object, with everything exact")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Show an item; 1 if it has failed."""
    cache = choosing.cache_of(arguments, "read-only")
    item = choosing.item_of(cache, arguments.item)
    versions = cache.search(key=item.key, include_removed=True)
    if arguments.json:
        screen.json(_as_json(item, versions))
        return 0
    screen.line(call_of(item._record))  # noqa: SLF001 - what is shown is the record
    for name, text in _facts(item):
        screen.line(f"  {name + ':':<12}{text}")
    if len(versions) > 1:
        screen.line("  versions:")
        for each in versions:
            mark = "*" if each == item else " "
            screen.line(f"  {mark} {each.version:>3}  {each.status.name:<8} {_time(each.created)}")
    if item.error:
        screen.line()
        screen.line(_printable_lines(item.error.rstrip()))
    return 1 if item.status == Status.FAILED else 0


def _facts(item: CacheItem) -> Iterator[tuple[str, str]]:
    status = item.status.name + (f" ({item.cause})" if item.cause else "")
    yield "status", status + (", pinned" if item._record.pinned else "")  # noqa: SLF001 - as above
    yield "item", f"{item.id}, {item.version_id}"
    yield "uri", printable(item.uri)
    for name, about in item._record.described().items():  # noqa: SLF001 - as above
        yield "param", printable(f"{name} = {preview(about)}")
    for name, value in item.attrs.items():
        yield "attr", printable(f"{name} = {value!r}")
    if item.label:
        yield "label", printable(item.label)
    yield "created", f"{_time(item.created)}, {columns.age(item.created)}"
    if item.seconds is not None:
        tries = f", {item.attempts} attempts" if item.attempts > 1 else ""
        yield "took", duration(item.seconds) + tries
    yield from _content(item)
    yield from _making(item.made_by)
    if item.code:
        yield "code", item.code


def _content(item: CacheItem) -> Iterator[tuple[str, str]]:
    record = item._record  # noqa: SLF001 - as above
    if item.size is not None:
        form = ", ".join(each for each in (record.serializer, record.compression) if each)
        yield "size", f"{size(item.size)}{f' ({form})' if form else ''}"
    path = item.path
    if path is not None:
        yield "path", str(path)


def _making(maker: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not maker:
        return
    where = f"{maker['user']} on {maker['host']}"
    yield (
        "made by",
        printable(f"{where}, {maker['program']} (process {maker['pid']}), Python {maker['python']}"),
    )
    if maker["revision"]:
        yield "commit", maker["revision"]
    if maker["packages"]:
        yield "packages", ", ".join(f"{name} {version}" for name, version in maker["packages"].items())


def _as_json(item: CacheItem, versions: list[CacheItem]) -> dict[str, Any]:
    return columns.as_json(item) | {
        "digest": item._record.digest,  # noqa: SLF001 - as above
        "serializer": item._record.serializer,  # noqa: SLF001 - as above
        "made_by": item.made_by,
        "error": item.error,
        "versions": [each.version for each in versions],
    }


def _time(moment: datetime.datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.expandtabs().splitlines())
