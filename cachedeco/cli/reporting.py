"""Showing what a clean-up would do, asking, and doing it; and what was moved between caches."""

from __future__ import annotations

from cachedeco.cli.screen import size
from cachedeco.describing import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from cachedeco.cli.screen import Screen
    from cachedeco.receipt import Receipt
    from cachedeco.upkeep.report import Report


def clean_up(act: Callable[[bool], Report], arguments: argparse.Namespace, screen: Screen) -> int:
    """Show what would go; do it if that is wanted; 1 if it is not.

    Args:
        act: does it, or in a dry run tells what it would do.
        arguments: with ``dry_run`` and ``yes``.
        screen: where to show it.
    """
    told = act(True)
    show(told, screen)
    if not told:
        screen.note("nothing to do")
        return 0
    summary = f"{len(told):,} would go, {size(told.size)}"
    if arguments.dry_run:
        screen.note(summary)
        return 0
    if not screen.confirm(f"{summary}: do it?", yes=arguments.yes):
        screen.note("Nothing was done.")
        return 1
    done = act(False)
    screen.note(f"{len(done):,} gone, {size(done.size)}")
    return 0


def show(report: Report, screen: Screen) -> None:
    """Print what goes and why."""
    if not report:
        return
    rows = (
        (
            "" if each.id is None else str(each.id),
            size(each.size) if screen.is_terminal else str(each.size),
            printable(each.name or each.what),
            each.why,
        )
        for each in report
    )
    screen.table(("id", "size", "what", "why"), rows, ("id", "size"))


def moved(receipt: Receipt, done: str, screen: Screen) -> int:
    """Print what did not go, in a dry run also what would, and the sums.

    Args:
        receipt: of an export or import.
        done: the participle of what was done.
        screen: where to show it.

    Returns:
        1 if something was left out, or there was nothing.
    """
    shown = list(receipt) if receipt.dry_run else receipt.refused
    rows = ((each.outcome, str(each.version), printable(each.uri), each.reason) for each in shown)
    if shown:
        screen.table(("outcome", "version", "uri", "why"), rows, ("version",))
    would = "would be " if receipt.dry_run else ""
    there = f", {len(receipt.there):,} there already" if receipt.there else ""
    refused = f", {len(receipt.refused):,} left out" if receipt.refused else ""
    screen.note(f"{len(receipt.taken):,} {would}{done}, {size(receipt.size)}{there}{refused}")
    return 1 if receipt.refused or not len(receipt) else 0
