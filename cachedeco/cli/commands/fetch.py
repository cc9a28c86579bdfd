"""Download a file into the cache, or take it if it has not changed, and print where it is."""

from __future__ import annotations

from cachedeco.cli.screen import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `fetch` can be told."""
    parser.add_argument("url", metavar="URL")
    parser.add_argument("--sha256", metavar="DIGEST", help="what the file must be")
    parser.add_argument("--max-age", type=float, metavar="HOURS", help="do not ask the server for so long")
    parser.add_argument("--offline", action="store_true", help="take what is there")
    parser.add_argument(
        "--stale", action="store_true", help="take the last one if the server is out of order"
    )


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Fetch a file and print its path."""
    import datetime

    from cachedeco.cache import Cache

    if arguments.max_age is not None and not arguments.max_age >= 0:
        raise UsageError(f"--max-age {arguments.max_age:g}: a number of hours is not negative")
    options = {
        "sha256": arguments.sha256,
        "on_error": "stale" if arguments.stale else "raise",
        "offline": True if arguments.offline else None,
        "expires": None if arguments.max_age is None else datetime.timedelta(hours=arguments.max_age),
    }
    given = {name: value for name, value in options.items() if value is not None}
    item = Cache(arguments.cache).fetch(arguments.url, **given)
    screen.line(str(item.path))
    return 0
