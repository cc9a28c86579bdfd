"""Print a script that completes commands and options in a shell.

cachedeco completion bash > ~/.local/share/bash-completion/completions/cachedeco
cachedeco completion zsh > "${fpath[1]}/_cachedeco"
"""

from __future__ import annotations

from cachedeco.cli.screen import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen

_SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `completion` can be told."""
    parser.add_argument("shell", choices=_SHELLS)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise UsageError("completion needs shtab; install cachedeco[completion]") from None
    from cachedeco.cli.parsing import parser

    screen.line(shtab.complete(parser(), shell=arguments.shell))
    return 0
