"""The long road to a key: any value, part by part.

Values are walked depth first with an explicit stack, so nesting is limited by memory only, and digested from
the leaves upwards. A value that is met again is not walked again, and nothing of where it was met goes into
its digest: aliases and copies look the same. Cycles are found as strongly connected components (Tarjan's
algorithm) and left to `cycles`.
"""

from __future__ import annotations

from xxhash import xxh3_128_digest

from cachedeco.errors import KeyingError
from cachedeco.keys.cycles import resolve
from cachedeco.keys.dispatch import find_hasher
from cachedeco.keys.names import full_name, is_static
from cachedeco.keys.node import UnkeyableError, class_digest, header, node_digest
from cachedeco.keys.plain import CONTAINERS, LEAVES, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from cachedeco.keys.dispatch import Hasher
    from cachedeco.keys.node import Node

_WORTH_REMEMBERING = 1 << 10
_LONGEST_PATH = 160
# No option names what closures, partials and bound methods hold.
_WAYS_FOR_BOUND = (
    "make it a parameter of the function, which can be ignored (ignore=... or Annotated[..., NoKey])",
    "keep it in a global of the module: there what has no content counts by its class alone",
)


def walk(values: Mapping[str, object]) -> dict[str, bytes]:
    """Return the digest of each of several values.

    Args:
        values: by the name that each has in an error.

    Raises:
        KeyingError: a part of a value cannot be part of a key.
    """
    walks = {name: Walk(name) for name in values}
    digests = {name: walks[name].digest(value) for name, value in values.items()}
    namesakes = _namesakes({kind for each in walks.values() for kind in each.kinds()})
    if namesakes:
        digests = {name: Walk(name, namesakes).digest(value) for name, value in values.items()}
    return digests


def _namesakes(kinds: set[type]) -> frozenset[type]:
    """Return the classes that share a name with another one."""
    by_name: dict[tuple[str, str], list[type]] = {}
    for kind in kinds:
        if not is_static(kind):
            by_name.setdefault(full_name(kind), []).append(kind)
    return frozenset(kind for group in by_name.values() if len(group) > 1 for kind in group)


class Frame:
    """A value whose parts are being walked.

    Attributes:
        number: counts values in the order in which they are met.
        lowest: the smallest number that is reachable from here within values not yet digested.
        digests: of the parts so far; an int is the number of a value that is not yet digested.
    """

    __slots__ = ("digests", "group", "header", "label", "lowest", "number", "parts", "position", "value")

    def __init__(self, value: object, node: Node, number: int) -> None:
        self.value = value
        self.header = node.header
        self.parts = node.parts
        self.group = node.group
        self.label = node.label
        self.number = number
        self.lowest = number
        self.position = 0
        self.digests: list[bytes | int] = []


class Walk:
    """One walk over one value.

    Args:
        name: what the value is called in the paths of errors.
        namesakes: classes that their name does not tell apart, but their code.
    """

    def __init__(self, name: str, namesakes: frozenset[type] = frozenset()) -> None:
        self._name = name
        self._namesakes = namesakes
        self._stack: list[Frame] = []
        self._undigested: list[Frame] = []
        self._met: dict[int, bytes | Frame] = {}
        # An address names a value only as long as the value lives.
        self._kept: list[object] = []
        self._numbers = 0
        self._hashers: dict[type, Hasher] = {}
        self._unfolded: dict[bytes, bytes] = {}

    def digest(self, value: object) -> bytes:
        """Return the digest of a value.

        Raises:
            KeyingError: a part of it cannot be part of a key.
        """
        found = self._visit(value)
        while self._stack:
            frame = self._stack[-1]
            if frame.position < len(frame.parts):
                part = frame.parts[frame.position]
                frame.position += 1
                found = self._visit(part)
            else:
                self._stack.pop()
                found = self._finish(frame)
            if found is not None and self._stack:
                self._stack[-1].digests.append(found)
        if not isinstance(found, bytes):
            raise TypeError(f"the walk over {self._name!r} ended without a digest")
        return found

    def kinds(self) -> Iterable[type]:
        """Return the classes whose instances were taken apart."""
        return self._hashers

    def _visit(self, value: Any) -> bytes | int | None:
        """Return the digest of a value, or its number if it is being walked, or begin to walk it."""
        kind = type(value)
        if kind not in LEAVES:
            met = self._met.get(id(value))
            if met is not None:
                return met if isinstance(met, bytes) else self._refer(met)
        if kind in LEAVES or kind in CONTAINERS:
            encoded = encode(value)
            if encoded is not None:
                digest = xxh3_128_digest(encoded)
                if len(encoded) > _WORTH_REMEMBERING:
                    self._remember(value, digest)
                return digest
        node = self._take_apart(value)
        if not node.parts:
            digest = node_digest(node.header, node.group, ())
            if node.costly:
                self._remember(value, digest)
            return digest
        self._numbers += 1
        frame = Frame(value, node, self._numbers)
        self._met[id(value)] = frame
        self._stack.append(frame)
        self._undigested.append(frame)
        return None

    def _remember(self, value: object, digest: bytes) -> None:
        self._met[id(value)] = digest
        self._kept.append(value)

    def _refer(self, met: Frame) -> int:
        here = self._stack[-1]
        here.lowest = min(here.lowest, met.number)
        return met.number

    def _finish(self, frame: Frame) -> bytes | int:
        if frame.lowest < frame.number:
            above = self._stack[-1]
            above.lowest = min(above.lowest, frame.lowest)
            return frame.number
        members = [self._undigested.pop()]
        while members[-1] is not frame:
            members.append(self._undigested.pop())
        parts = [part for part in frame.digests if isinstance(part, bytes)]
        if len(members) == 1 and len(parts) == len(frame.digests):
            digest = node_digest(frame.header, frame.group, parts)
            digest = self._unfolded.get(digest, digest)
            self._remember(frame.value, digest)
            return digest
        digests, unfolded = resolve(members)
        self._unfolded |= unfolded
        for member, digest in zip(members, digests, strict=True):
            self._remember(member.value, digest)
        return digests[-1]

    def _take_apart(self, value: object) -> Node:
        try:
            kind = type(value)
            hasher = self._hashers.get(kind)
            if hasher is None:
                hasher = self._hashers[kind] = find_hasher(kind)
            node = hasher(value)
            if kind in self._namesakes:
                node.header = header("namesake", class_digest(kind), node.header)
            return node  # noqa: TRY300 - what else fails is complained of below
        except KeyingError as error:
            # Of a function or a class: what it closes over has been digested by a walk of its own.
            raise KeyingError(str(error), path=f"{self._path()}.{error.path}") from error
        except UnkeyableError as error:
            raise self._complain(value, str(error)) from error.__cause__
        except MemoryError:
            raise
        except Exception as error:
            raise self._complain(value, f"taking it apart raised {type(error).__name__}: {error}") from error

    def _path(self) -> str:
        steps = [self._name]
        for frame in self._stack:
            index = frame.position - 1
            steps.append(f"[{index}]" if frame.label is None else frame.label(index))
        return "".join(steps)

    def _complain(self, value: object, reason: str) -> KeyingError:
        path = self._path()
        shown = path if len(path) <= _LONGEST_PATH else f"{path[:100]}...{path[-50:]}"
        kind = type(value)
        # Parameters have no brackets around their names; what a function has bound is called `<name>`.
        is_bound = self._name.startswith("<")
        named = (
            f"{self._name[1:-1]!r}, which the function has bound" if is_bound else f"argument {self._name!r}"
        )
        ways = list(_WAYS_FOR_BOUND) if is_bound else _ways_for_argument(self._name)
        if not is_static(kind):
            ways.append(f"give {kind.__name__} a __cachedeco_key__ method")
        if kind is not object:
            ways.append(f"call cachedeco.register_hasher({kind.__name__}, function)")
        return KeyingError(
            f"{shown} is a {kind.__module__}.{kind.__qualname__}, which cannot be part of the key of "
            f"{named}: {reason}. Ways out: {', or '.join(ways)}.",
            path=path,
        )


def _ways_for_argument(name: str) -> list[str]:
    return [
        f"ignore the argument (ignore=({name!r},) or Annotated[..., NoKey])",
        "say what stands for it (Annotated[..., KeyBy(function)])",
    ]
