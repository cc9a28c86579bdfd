"""Dates, times and zones."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

from cachedeco.keys.dispatch import loaded
from cachedeco.keys.node import Node, UnkeyableError, header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _date(value: date) -> Node:
    return Node(header("date", value.toordinal()))


def _datetime(value: datetime) -> Node:
    clock = (value.hour, value.minute, value.second, value.microsecond)
    head = header("datetime", value.toordinal(), clock, value.fold)
    return Node(head, () if value.tzinfo is None else (value.tzinfo,), label=lambda _: ".tzinfo")


def _time(value: time) -> Node:
    head = header("time", (value.hour, value.minute, value.second, value.microsecond), value.fold)
    return Node(head, () if value.tzinfo is None else (value.tzinfo,), label=lambda _: ".tzinfo")


def _timedelta(value: timedelta) -> Node:
    return Node(header("timedelta", value.days, value.seconds, value.microseconds))


def _timezone(value: timezone) -> Node:
    offset = value.utcoffset(None)
    return Node(
        header("timezone", (offset.days, offset.seconds, offset.microseconds), str(value.tzname(None)))
    )


def _zoneinfo(value: Any) -> Node:
    if value.key is None:
        raise UnkeyableError("it was read from a file and has no name; use ZoneInfo(name)")
    return Node(header("ZoneInfo", str(value.key)))


_HASHERS: dict[type, Callable[[Any], Node]] = {
    date: _date,
    datetime: _datetime,
    time: _time,
    timedelta: _timedelta,
    timezone: _timezone,
}


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes values of one of these classes apart; a subclass is taken apart by its state."""
    if kind is loaded("zoneinfo", "ZoneInfo"):
        return _zoneinfo
    return _HASHERS.get(kind)
