"""From the words of a command line to an exit code."""

from __future__ import annotations

import os
import sys

from cachedeco.cli.parsing import DONE, ERROR, INTERRUPTED, USAGE, module_of, parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: its words; default those of the process.

    Returns:
        The exit code: 0 done; 1 nothing found, or something is not as it should be; 2 wrong use; 3 the cache cannot
        do it; 130 interrupted.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    arguments = parser(words).parse_args(words)
    from cachedeco.cli.screen import Screen

    screen = Screen()
    try:
        code: int = module_of(arguments.command).run(arguments, screen)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who reads has seen enough. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        from cachedeco.cli.screen import UsageError
        from cachedeco.errors import CachedecoError

        if not isinstance(error, (CachedecoError, OSError, UsageError)):
            raise
        screen.complain(error)
        return USAGE if isinstance(error, UsageError) else ERROR
    return code
