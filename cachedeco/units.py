"""Sizes and lengths of time as people write them."""

from __future__ import annotations

import re

from cachedeco.errors import OptionError

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
BYTES = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
"""Unit -> bytes."""

MICROSECONDS = {
    "": 10**6, "us": 1, "ms": 10**3, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6,
    "w": 7 * 86_400 * 10**6,
}  # fmt: skip
"""Unit -> microseconds; a number without a unit is one of seconds."""

_LARGEST = 2**63 - 1


def scaled(text: str, units: dict[str, int], what: str) -> int:
    """A number with one of some units, in the smallest of them.

    Raises:
        ValueError: it is not that; `what` says in the message what it should be.
    """
    text = text.strip()
    found = NUMBER.match(text)
    unit = text[found.end() :].strip().lower() if found else None
    if found is None or unit not in units:
        known = f"; units are {', '.join(filter(None, units))}" if len(units) > 1 else ""
        raise ValueError(f"{text!r} is not {what}{known}")
    number = int(found[0]) if found[0].lstrip("+-").isdecimal() else float(found[0])
    return min(max(round(number * units[unit]), -_LARGEST), _LARGEST)


def bytes_of(option: str, given: float | str) -> int:
    """A number of bytes that an option was given, as a number or as a text like ``"10 GB"``.

    Raises:
        OptionError: it is neither, or it is negative.

    Examples:
        >>> bytes_of("max_size", "1.5 kB"), bytes_of("max_size", 10)
        (1500, 10)
    """
    try:
        number = scaled(given, BYTES, "a number of bytes") if isinstance(given, str) else int(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise OptionError(f"{option}={given!r}: {error}; say it like 10_000_000 or '10 MB'") from None
    if number < 0 or isinstance(given, bool):
        raise OptionError(f"{option}={given!r}: a size is a number of bytes that is not negative")
    return number


def microseconds_of(option: str, given: object) -> int:
    """A length of time that an option was given: a timedelta, seconds, or a text like ``"30d"``.

    Raises:
        OptionError: it is none of these, or it is negative.

    Examples:
        >>> microseconds_of("max_age", "2min")
        120000000
    """
    import datetime

    try:
        if isinstance(given, datetime.timedelta):
            length = given // datetime.timedelta(microseconds=1)
        elif isinstance(given, str):
            length = scaled(given, MICROSECONDS, "a length of time")
        elif isinstance(given, (int, float)) and not isinstance(given, bool):
            length = round(given * 10**6)
        else:
            raise ValueError(f"it is a {type(given).__name__}")  # noqa: TRY004 - told as an OptionError
    except (ValueError, OverflowError) as error:
        raise OptionError(
            f"{option}={given!r}: {error}; say it like timedelta(days=30), 3600 or '30d'"
        ) from None
    if length < 0:
        raise OptionError(f"{option}={given!r}: a length of time is not negative")
    return length
