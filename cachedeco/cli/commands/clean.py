"""Bring records and files together, and empty the trash.

Records whose files are gone go to the trash; files without a record, and what processes that died have left half
written, are deleted, and what is in the trash for longer than the grace. It shows what would go and asks before.
"""

from __future__ import annotations

from cachedeco.cli import choosing, reporting

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen
    from cachedeco.upkeep.report import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `clean` can be told."""
    parser.add_argument(
        "--grace", metavar="TIME", default="1h", help="how long the trash is kept (default: 1h)"
    )
    parser.add_argument(
        "--auto", action="store_true", help="also keep only the newest READY version of each call"
    )
    choosing.add_consent(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Clean up; 1 if nobody wanted it."""
    cache = choosing.cache_of(arguments)

    def act(dry_run: bool) -> Report:
        report = cache.clean(grace=arguments.grace, dry_run=dry_run)
        if arguments.auto:
            known = {each.what for each in report}
            report.gone += [each for each in cache.autoclean(dry_run=dry_run) if each.what not in known]
        return report

    return reporting.clean_up(act, arguments, screen)
