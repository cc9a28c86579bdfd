"""JSON, for what JSON gives back as it was."""

from __future__ import annotations

import json

from cachedeco.values.contract import DamagedError, UnstorableError, Whole
from cachedeco.values.reading import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.values.contract import Packed

_INTEGER_BITS = 14_000  # Python refuses to read numbers of more than 4300 digits
_INFINITE = float("inf")


class JsonSerializer:
    """Stores None, bool, int, finite float, str, and lists and dicts with str keys of these.

    Exact types only: a tuple would come back as a list, a number as a key as text. A part that occurs twice
    comes back as two equal parts.
    """

    name = "json"
    ext = ".json"
    runs_code = False

    def pack(self, value: object) -> Packed:
        """The value as one line of UTF-8."""
        try:
            _check(value, "", set())
            return Whole(
                json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
            )
        except RecursionError as error:
            raise _refusal("it is nested too deeply", value, "") from error
        except UnicodeEncodeError as error:
            raise _refusal(f"its text cannot be encoded: {error}", value, "") from error

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """The value."""
        try:
            return json.loads(str(data, "utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise DamagedError(f"the stored bytes are not JSON: {error}") from error

    def load(self, path: str, *, mmap: bool = True) -> object:  # noqa: ARG002 - nothing of it can live in a map
        """The value in the file."""
        return self.unpack(read_file(path))


def _check(value: object, path: str, above: set[int]) -> None:
    """Raise for the first part that JSON would change, naming its place."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return
    if kind is int:
        if value.bit_length() > _INTEGER_BITS:  # type: ignore[attr-defined]  # an int
            raise _refusal("the number has too many digits to be read back", value, path)
    elif kind is float:
        if not -_INFINITE < value < _INFINITE:  # type: ignore[operator]  # a float
            raise _refusal(f"JSON has no {value}", value, path)
    elif kind is list or kind is dict:
        _check_parts(value, path, above)  # type: ignore[arg-type]  # one of the two
    else:
        raise _refusal(f"{kind.__qualname__} is no type of JSON", value, path)


def _check_parts(value: list[object] | dict[object, object], path: str, above: set[int]) -> None:
    if id(value) in above:
        raise _refusal("the value holds itself", value, path)
    above.add(id(value))
    if isinstance(value, dict):
        for key, part in value.items():
            if type(key) is not str:
                raise _refusal(f"the key {key!r} is no str", key, path)
            _check(part, f"{path}[{key!r}]", above)
    else:
        for number, part in enumerate(value):
            _check(part, f"{path}[{number}]", above)
    above.discard(id(value))


def _refusal(reason: str, culprit: object, path: str) -> UnstorableError:
    kind = type(culprit)
    return UnstorableError(
        f"the serializer 'json' would not give back value{path}: {reason}. Use serializer='pickle' for it",
        type_name=f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        path=path,
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
