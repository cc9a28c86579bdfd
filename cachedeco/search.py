"""From what a user looks for to a filter of the registry."""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.keys.key import make_key
from cachedeco.record import MISSING
from cachedeco.registry.items import VISIBLE, Filter
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, TypedDict

    from cachedeco.record import Missing
    from cachedeco.registry.operators import Condition

    Statuses = int | Iterable[int]
    Moment = datetime.datetime | str

    class Conditions(TypedDict, total=False):
        """What `Cache.search` takes besides uri and params."""

        status: Statuses | None
        version: int | Iterable[int] | None
        newer_than: Moment | None
        older_than: Moment | None
        ext: str | Missing | None
        label: str | Missing | None
        filename: str | Missing | None
        key: str | None
        attrs: Mapping[str, Any] | None
        function: str | Missing | None
        where: str | None
        params_like: Mapping[str, Any] | None
        size: Any
        duration: Any
        code: Any
        cause: Any
        owner: Any

    class Search(Conditions, total=False):
        """All that `Cache.search` takes to tell which items are meant."""

        uri: str | None
        params: Mapping[str, Any] | Missing | None
        include_removed: bool


_KEY_BYTES = 16


def wanted(
    verb: str,
    *,
    uri: str | None = None,
    params: Mapping[str, Any] | Missing | None = MISSING,
    status: Statuses | None = None,
    version: int | Iterable[int] | None = None,
    newer_than: Moment | None = None,
    older_than: Moment | None = None,
    ext: str | Missing | None = MISSING,
    label: str | Missing | None = MISSING,
    filename: str | Missing | None = MISSING,
    key: str | None = None,
    attrs: Mapping[str, Any] | None = None,
    include_removed: bool = False,
    function: str | Missing | None = MISSING,
    where: str | None = None,
    params_like: Mapping[str, Any] | None = None,
    size: Any = MISSING,
    duration: Any = MISSING,
    code: Any = MISSING,
    cause: Any = MISSING,
    owner: Any = MISSING,
) -> Filter:
    """The filter for what a user gave to a verb, which is named in messages; the rest is that of `Cache.search`.

    Raises:
        OptionError: the arguments contradict each other, or one is not what it should be.
        QueryError: `where` is no condition.
        KeyingError: a parameter cannot be part of a key.
    """
    further = {"size": size, "duration": duration, "code": code, "cause": cause, "owner": owner}
    tests, names_status = _tests(where, params_like, further)
    wanted_key = None if key is None else key_bytes(key)
    if params is not MISSING:
        if uri is None:
            raise OptionError(
                f"{verb}(params=...) needs uri=...: a key is made of both; params_like=... finds by some, in any uri"
            )
        made = make_key(uri, dict(params or {}))
        if wanted_key is not None and wanted_key != made:
            raise OptionError(f"{verb}(key=...) is not the key of the uri and params given with it")
        wanted_key = made
    if status is None:
        status = tuple(Status) if include_removed or names_status else VISIBLE
    return Filter(
        uri=uri,
        key=wanted_key,
        status=statuses(status),
        version=None if version is None else _several(version),
        created_after=None if newer_than is None else microseconds(newer_than, "newer_than"),
        created_before=None if older_than is None else microseconds(older_than, "older_than"),
        ext=MISSING if ext is MISSING else extension(ext),
        label=label,
        filename=filename,
        function=function,
        attrs=attrs,
        where=tests,
    )


def _tests(
    where: str | None, params_like: Mapping[str, Any] | None, fields: Mapping[str, Any]
) -> tuple[Condition | None, bool]:
    """What is no argument of `Filter` by itself, as one condition, and whether it says something of the status."""
    found: list[Condition] = []
    names_status = False
    if where is not None:
        condition, names_status = compiled(where)
        found.append(condition)
    if params_like is not None:
        found.extend(_like(params_like))
    given = {name: value for name, value in fields.items() if value is not MISSING}
    if given:
        from cachedeco.registry.field_search import condition as field_condition

        found.extend(field_condition(name, value) for name, value in given.items())
    if not found:
        return None, False
    return (
        " AND ".join(sql for sql, _ in found),
        [each for _, values in found for each in values],
    ), names_status


def _like(params: Mapping[str, Any]) -> Iterator[Condition]:
    if not hasattr(params, "items"):
        raise OptionError(f"params_like must map names to values, not be a {type(params).__name__}")
    from functools import partial

    from cachedeco.registry.operators import asked
    from cachedeco.registry.parameter_search import condition

    for name, value in params.items():
        if not isinstance(name, str):
            raise OptionError(f"params_like: {name!r} is no name of a parameter")
        one = asked("params_like", name, value)
        yield condition(one, partial(_digest, one.name))


def _digest(name: str, value: object) -> str:
    from cachedeco.keys.fingerprint import digests

    return digests({name: value})[name].hex()


def compiled(where: str) -> tuple[Condition, bool]:
    """A condition for the registry, and whether it says something of the status.

    Raises:
        OptionError: it is no text.
        QueryError: it is no condition.
    """
    if not isinstance(where, str):
        raise OptionError(f"where={where!r}: a condition is a text such as 'status = failed and size > 1MB'")
    from cachedeco.registry.expression_sql import where as compile_

    return compile_(where)


def statuses(status: Statuses) -> list[Status]:
    """One status or several, as integers or members, as a list of members.

    Raises:
        OptionError: there is no such status.
    """
    try:
        return [Status(each) for each in _several(status)]
    except (ValueError, TypeError) as error:
        known = ", ".join(f"{each.name} {each.value}" for each in Status)
        raise OptionError(f"status={status!r}: {error}; there are {known}") from error


def key_bytes(key: str) -> bytes:
    """The 16 bytes of a key.

    Raises:
        OptionError: it is not 32 hex digits.
    """
    try:
        digits = bytes.fromhex(key)
    except (TypeError, ValueError):
        digits = b""
    if len(digits) != _KEY_BYTES:
        raise OptionError(f"a key is 32 hex digits, not {key!r}")
    return digits


def microseconds(moment: Moment, option: str) -> int:
    """A moment as the registry has it; one without a zone is local time.

    Raises:
        OptionError: it is neither a datetime nor a text that is one in ISO format.
    """
    import datetime

    given = moment
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment)
        except ValueError as error:
            raise OptionError(f"{option}={given!r} is not a time in ISO format: {error}") from error
    if not isinstance(moment, datetime.datetime):
        raise OptionError(f"{option}={given!r} is not a datetime.datetime")
    since = moment.astimezone(datetime.UTC) - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return since // datetime.timedelta(microseconds=1)


def extension(ext: str | None) -> str | None:
    """A file name extension as the registry has it: without the dot before it."""
    return (ext.removeprefix(".") or None) if isinstance(ext, str) else ext


def _several(value: int | Iterable[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)
