"""Look whether what is stored is what was stored; what is damaged goes to the trash.

Files are read only if something has touched them since they were found right, with --full all. With --time-limit each
run goes on where the last one stopped. The exit code is 1 if something is damaged.
"""

from __future__ import annotations

from cachedeco.cli import choosing, reporting
from cachedeco.cli.screen import UsageError, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `verify` can be told."""
    parser.add_argument("--full", action="store_true", help="read every file")
    parser.add_argument("--since", metavar="TIME", help="only what became READY after it, as 2026-01-31")
    parser.add_argument("--time-limit", metavar="TIME", help="stop after so long, as 10min")
    parser.add_argument("--dry-run", action="store_true", help="only show what is damaged")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Verify; 1 if something is damaged."""
    from cachedeco.units import MICROSECONDS, scaled

    try:
        limit = None
        if arguments.time_limit is not None:
            limit = scaled(arguments.time_limit, MICROSECONDS, "a length of time, as 10min") / 1e6
    except ValueError as error:
        raise UsageError(f"--time-limit: {error}") from None
    cache = choosing.cache_of(arguments)
    options = {"full": arguments.full, "since": arguments.since, "time_limit": limit}
    report = cache.verify(**options, dry_run=arguments.dry_run)
    reporting.show(report, screen)
    stopped = "" if report.complete else "; the time is over, the next run goes on from here"
    screen.note(f"{report.checked:,} checked, {len(report):,} damaged, {size(report.size)}{stopped}")
    return 1 if report else 0
