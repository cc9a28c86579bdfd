"""Let go of what is old or too much, the least recently used first.

It goes to the trash, from where `restore` brings it back; what is there for longer than the grace is deleted. Old
failures and unused results of replaced code go in any case. It shows what would go and asks before.
"""

from __future__ import annotations

from cachedeco.cli import choosing, reporting

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `gc` can be told."""
    choosing.add_query(parser)
    parser.add_argument("--max-size", metavar="SIZE", help="what may stay, as 50GB")
    parser.add_argument("--max-age", metavar="TIME", help="go what was not used for longer, as 90d")
    parser.add_argument("--keep", type=int, metavar="N", help="the newest versions of each call that stay")
    parser.add_argument(
        "--grace", metavar="TIME", default="1h", help="how long the trash is kept (default: 1h)"
    )
    choosing.add_consent(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Let items go; 1 if nobody wanted it."""
    cache = choosing.cache_of(arguments)
    return reporting.clean_up(
        lambda dry_run: cache.gc(
            max_size=arguments.max_size,
            max_age=arguments.max_age,
            keep=arguments.keep,
            grace=arguments.grace,
            where=" ".join(arguments.query) or None,
            dry_run=dry_run,
        ),
        arguments,
        screen,
    )
