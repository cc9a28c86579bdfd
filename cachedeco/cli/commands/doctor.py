"""Look for what is wrong: versions, settings, the disk, permissions, locks, the registry, the files.

What needs a thought is marked with ?, what is wrong with !, each with what to do. The exit code is 1 if something is
wrong. Values are read if they were touched since they were checked last.
"""

from __future__ import annotations

from cachedeco.cli import choosing, examining
from cachedeco.errors import CachedecoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from cachedeco.cli.examining import Found
    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `doctor` can be told."""
    parser.add_argument("--json", action="store_true", help="a list of objects")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Examine; 1 if something is wrong."""
    found = list(_all(arguments))
    if arguments.json:
        screen.json(
            [
                {"what": each.what, "state": each.state, "wrong": each.is_wrong, "advice": each.advice}
                for each in found
            ]
        )
    else:
        for each in found:
            mark = "!" if each.is_wrong else "?" if each.advice else " "
            screen.line(f"{mark} {each.what + ':':<26}{each.state}")
            if each.advice:
                screen.line(f"  {'':<26}-> {each.advice}")
    return 1 if any(each.is_wrong for each in found) else 0


def _all(arguments: argparse.Namespace) -> Iterator[Found]:
    yield from examining.of_program()
    try:
        cache = choosing.cache_of(arguments)
    except CachedecoError as error:
        yield examining.Found("cache", str(error), is_wrong=not isinstance(error, choosing.NoCacheError))
        return
    yield from examining.of_folder(cache.path)
    yield from examining.of_registry(cache)
    yield from examining.of_files(cache)
