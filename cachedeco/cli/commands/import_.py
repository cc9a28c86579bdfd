"""Take the items of an archive that `export` has written.

Nothing is overwritten: what is there already is passed over, and another result of a call becomes a version of it.
Sizes, names and digests are checked. That a result belongs to its parameters cannot be checked: import from whom you
would take results. The exit code is 1 if something was left out.
"""

from __future__ import annotations

from cachedeco.cli import reporting
from cachedeco.cli.screen import UsageError
from cachedeco.errors import UntrustedCacheError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `import` can be told."""
    parser.add_argument("archive", metavar="ARCHIVE", help="the file that `export` wrote")
    code = parser.add_mutually_exclusive_group()
    code.add_argument("--trusted", action="store_true", help="also values that may run code, as pickles do")
    code.add_argument("--no-code", action="store_true", help="leave those out")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be taken")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Import items; the cache is made if there is none."""
    from cachedeco.cache import Cache

    trusted = True if arguments.trusted else False if arguments.no_code else None
    try:
        receipt = Cache(arguments.cache).import_(
            arguments.archive, trusted=trusted, dry_run=arguments.dry_run
        )
    except UntrustedCacheError as error:
        if trusted is None and error.__cause__ is not None:
            raise UsageError(
                f"{arguments.archive} has values that may run code when they are loaded ({error.__cause__}); if you "
                "know who made it, say --trusted; --no-code leaves them out"
            ) from error
        raise
    return reporting.moved(receipt, "imported", screen)
