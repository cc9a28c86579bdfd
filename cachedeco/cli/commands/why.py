"""Say why a call is a hit or a miss, or why an item was computed.

    cachedeco why pipeline:report 2013 verbose=True
    cachedeco why steps/pipeline.py:report 2013
    cachedeco why 42

The module is imported, with the working directory on the path. Arguments are Python literals; what is none is text.
The exit code is 1 for a miss.
"""

from __future__ import annotations

from cachedeco.cli import calling, choosing
from cachedeco.cli.screen import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `why` can be told."""
    parser.add_argument("what", metavar="WHAT", help="MODULE:FUNCTION, or an ITEM")
    parser.add_argument("words", metavar="ARGUMENT", nargs="*", help="of the call: 2013 verbose=True")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Explain; 1 for a miss."""
    if calling.is_function(arguments.what):
        if arguments.cache:
            raise UsageError("a function has its own cache: --cache is for an ITEM")
        function = calling.function(arguments.what)
        positional, named = calling.arguments_of(arguments.words)
        answer = function.why(*positional, **named)
        screen.line(str(answer))
        return 0 if answer.hit else 1
    if arguments.words:
        raise UsageError(f"an ITEM takes no arguments, and {arguments.what!r} is no MODULE:FUNCTION")
    cache = choosing.cache_of(arguments, "read-only")
    screen.line(str(cache.why(choosing.item_of(cache, arguments.what))))
    return 0
