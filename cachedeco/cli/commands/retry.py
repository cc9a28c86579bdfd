"""Call again what failed: functions with store_args=True, with the arguments that they had.

Their modules are imported, with the working directory on the path. The exit code is 1 if one failed again.
"""

from __future__ import annotations

from cachedeco.cli import calling, choosing
from cachedeco.cli.commands.failed import failures
from cachedeco.describing import call_of, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `retry` can be told."""
    choosing.add_query(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Call again; 1 if one failed again."""
    calling.add_working_directory()
    cache = choosing.cache_of(arguments)
    wanted = set(failures(cache.failed(), choosing.matching(cache, arguments)))
    if not wanted:
        screen.note("no failures")
        return 0
    failed_again = 0
    for each in cache.retry_failed(where=wanted.__contains__):
        call = call_of(each.item._record)  # noqa: SLF001 - what is shown is the record
        if each.error is None:
            screen.line(f"done    {call}")
        else:
            screen.line(f"failed  {call}: {type(each.error).__name__}: {printable(str(each.error))}")
            failed_again += 1
    return 1 if failed_again else 0
