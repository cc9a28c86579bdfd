"""The parser of the command line."""

from __future__ import annotations

import argparse
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

DONE, NOTHING, USAGE, ERROR, INTERRUPTED = 0, 1, 2, 3, 130
"""The exit codes."""

COMMANDS = {
    "ls": "list items",
    "show": "everything that is known of an item",
    "why": "why a call is a hit or a miss, or why an item was computed",
    "failed": "what failed and was not made up for since",
    "retry": "call again what failed",
    "rm": "move items to the trash, or delete them",
    "restore": "bring items back from the trash",
    "pin": "keep items from every clean-up, or no longer",
    "path": "print where an item's file or folder is",
    "open": "print what is in an item, decompressed",
    "fetch": "download a file, or take it if it has not changed",
    "export": "write items to an archive, for another cache",
    "import": "take the items of an archive",
    "stats": "hits, computations and time saved, per function",
    "du": "how much space what takes",
    "gc": "let go of what is old or too much",
    "clean": "bring records and files together, and empty the trash",
    "verify": "look whether what is stored is what was stored",
    "rebuild": "make the registry anew from what lies beside the values",
    "doctor": "look for what is wrong, and say what to do",
    "completion": "print a script that completes commands in a shell",
}
"""Name -> one line for the help text, in its order."""

_MODULES = {"import": "import_"}
"""Commands whose modules cannot have their names."""


_EPILOG = f"""\
An ITEM is the number or the key that `ls` shows, as much of the key as makes it unique, KEY-VERSION, or a uri.
A QUERY is a condition like 'status = failed and function like "shop.%" and size > 1MB'; left out: all.

exit codes: {DONE} done; {NOTHING} nothing found, or something that was asked for is not as it should be; \
{USAGE} wrong use;
{ERROR} the cache cannot do it; {INTERRUPTED} interrupted

The cache is the one of --cache, else of CACHEDECO_DIR, else that of the project around the working directory."""


def parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser of the command line.

    Args:
        words: those that are to be parsed: only the command that is named in them is loaded. None loads all.
    """
    top = argparse.ArgumentParser(
        prog="cachedeco",
        description="Look at a cache, ask it, and keep it in order.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    _add_cache(top, default=None)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        each = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        _add_cache(each, default=argparse.SUPPRESS)
        if words is None or name in words:
            module = module_of(name)
            module.add_arguments(each)
            each.epilog = (module.__doc__ or "").partition("\n\n")[2].strip("\n") or None
            each.formatter_class = argparse.RawDescriptionHelpFormatter
    return top


class _Version(argparse.Action):
    """Looks for the version only when it is asked for: that takes longer than all the help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from cachedeco import __version__

        sys.stdout.write(f"cachedeco {__version__}\n")
        parser.exit()


def _add_cache(parser: argparse.ArgumentParser, default: str | None) -> None:
    # Said before the command or after it.
    parser.add_argument("--cache", metavar="FOLDER", default=default, help="the folder of the cache")


def module_of(command: str) -> ModuleType:
    """The module of a command."""
    from importlib import import_module

    return import_module(f"cachedeco.cli.commands.{_MODULES.get(command, command)}")
