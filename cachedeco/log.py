"""Traces of what the cache manager does, under the name ``cachedeco`` of the standard ``logging``.

Silent until a program configures logging. A program that has not even imported it has nobody who listens, so
it is not imported here either: that would cost more than a hit.

Examples:
    >>> import logging
    >>> logging.getLogger("cachedeco").isEnabledFor(logging.ERROR)
    True
"""

from __future__ import annotations

import sys

NAME = "cachedeco"


def debug(message: str, *values: object) -> None:
    """Trace a step of an operation.

    Args:
        message: with places for the values, as ``logging`` has them; put together only if somebody listens.
        values: for the places.
    """
    _say("debug", message, values)


def info(message: str, *values: object) -> None:
    """Trace what has changed in the cache; see `debug`."""
    _say("info", message, values)


def _say(level: str, message: str, values: tuple[object, ...]) -> None:
    logging = sys.modules.get("logging")
    get_logger = getattr(logging, "getLogger", None)  # it may be half imported by another thread
    if logging is None or get_logger is None:
        return
    logger = get_logger(NAME)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    getattr(logger, level)(message, *values)
