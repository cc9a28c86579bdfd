"""Write items to an archive, from which `import` puts them into another cache.

Each goes with its value or files and all that is known of it; what is damaged is left out and told. Without a
condition all READY items go. The exit code is 1 if nothing went, or something was left out.
"""

from __future__ import annotations

from cachedeco.cli import choosing, reporting

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `export` can be told."""
    parser.add_argument("archive", metavar="ARCHIVE", help="the zip file to write")
    choosing.add_query(parser)
    parser.add_argument("--dry-run", action="store_true", help="only show what would go along")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Export items."""
    cache = choosing.cache_of(arguments, "read-only")
    receipt = cache.export(
        arguments.archive, where=" ".join(arguments.query) or None, dry_run=arguments.dry_run
    )
    return reporting.moved(receipt, "exported", screen)
