"""The short road to a key: values made of nothing but plain leaves and containers, encoded at the speed of C.

A value is plain if every part of it is exactly (not by inheritance) one of `LEAVES` or `CONTAINERS`. Types
are proven level by level before anything is written: `marshal` takes whatever offers a buffer for bytes.
Only flat lists of proven leaves are ever handed to `marshal`, so neither its depth limit nor the order of a
dict or set reaches the encoding.

A nested value is taken apart breadth first. Nodes that stand side by side form a column, and a column becomes
one record: the kinds of its nodes, the leaves among them, the lengths of the sequences, the elements of the
sets, the sorted keys of the dicts. What columns come next, and how long they are, follows from the record, so
the value can be read back from its encoding: no two different values share one.
"""

from __future__ import annotations

from itertools import chain
from marshal import dumps
from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LEAVES = frozenset({type(None), bool, int, float, complex, str, bytes, type(...)})
CONTAINERS = frozenset({tuple, list, dict, set, frozenset})
PLAIN = LEAVES | CONTAINERS

# These limits are about the value, never about how it is stored: what exceeds them (above all a cycle, or a
# few objects that refer to each other so often that writing them out would never end) goes the long road.
MAX_DEPTH = 16
MAX_NODES = 2**25  # in one level
MAX_NODES_DEEP = 2**16  # in one level from DEEP on
DEEP = 6

# Marshal's second version has neither references nor interned strings, so aliases and copies look the same.
MARSHAL = 2
MANY = 16  # from here on, dicts of one shape are written as columns
NESTED, FLAT_DICT = b"\x01", b"\x02"  # never the first byte of a marshalled leaf or flat sequence

_CODES = dict.fromkeys(LEAVES, 0) | {tuple: 1, list: 2, dict: 3, set: 4, frozenset: 5}
_SORTABLE = frozenset({int, str, bytes})
_only_plain = PLAIN.issuperset
_only_leaves = LEAVES.issuperset
_only_strings = frozenset({str}).issuperset


def encode(value: Any) -> bytes | None:
    """Encode a plain value canonically.

    Args:
        value: any object.

    Returns:
        The encoding, or None if the value is not plain. Never begins with a zero byte.

    Examples:
        >>> encode({"a": 1, "b": [2.0]}) == encode({"b": [2.0], "a": 1})
        True
        >>> encode((1, True)) == encode((1, 1))
        False
        >>> encode(object()) is None
        True
    """
    kind = type(value)
    try:
        if kind is tuple or kind is list:
            if _only_leaves(map(type, value)):
                return dumps(value, MARSHAL)
            plain = _only_plain(map(type, value))
        elif kind in LEAVES:
            return dumps(value, MARSHAL)
        elif kind is dict and _only_strings(map(type, value)) and _only_leaves(map(type, value.values())):
            names = sorted(value)
            return FLAT_DICT + dumps((names, [value[name] for name in names]), MARSHAL)
        else:
            plain = kind in CONTAINERS
        return _encode_levels(value) if plain else None
    except ValueError:  # marshal has no room for a string or a sequence of 2 GiB
        return None


def _encode_levels(root: object) -> bytes | None:
    records = [NESTED]
    columns: list[list[Any]] = [[root]]
    for depth in range(MAX_DEPTH):
        following: list[list[Any]] = []
        nodes = 0
        for column in columns:
            kinds = set(map(type, column))
            if kinds <= LEAVES:
                records.append(dumps(column, MARSHAL))
                continue
            if not kinds <= PLAIN:
                return None
            if depth:
                nodes += sum(map(len, column if kinds <= CONTAINERS else _containers(column)))
                if nodes > (MAX_NODES if depth < DEEP else MAX_NODES_DEEP):
                    return None
            if not _encode_column(column, kinds, records, following):
                return None
        if not following:
            return b"".join(records)
        columns = following
    return None


def _containers(column: list[Any]) -> list[Any]:
    return [node for node in column if type(node) in CONTAINERS]


def _encode_column(
    column: list[Any], kinds: set[type], records: list[bytes], following: list[list[Any]]
) -> bool:
    """Append the record of one column and the columns of its parts; return whether that can be done."""
    record: list[Any]
    if len(kinds) == 1:
        (kind,) = kinds
        record = [_CODES[kind]]
        done = _encode_members(kind, column, record, following)
    else:
        record = [bytes(map(_CODES.__getitem__, map(type, column)))]
        record.append([node for node in column if type(node) in LEAVES])
        done = True
        for kind in (tuple, list, dict, set, frozenset):
            if done and kind in kinds:
                members = [node for node in column if type(node) is kind]
                done = _encode_members(kind, members, record, following)
    records.append(dumps(record, MARSHAL))
    return done


def _encode_members(kind: type, members: list[Any], record: list[Any], following: list[list[Any]]) -> bool:
    """Add to the record what is to know of containers of one kind, and to the columns what they hold."""
    if kind is tuple or kind is list:
        record.append(list(map(len, members)))
        following.append(list(chain.from_iterable(members)))
        return True
    leaves = list(chain.from_iterable(members))
    kinds = set(map(type, leaves))
    if not kinds <= LEAVES:
        return False
    if kind is not dict:
        record.append([_in_order(elements, kinds) for elements in members])
        return True
    names = _common_names(members, leaves) if kinds == {str} else None
    if names:
        record.append(names)
        following.extend(list(map(itemgetter(name), members)) for name in names)
    else:
        ordered = [_in_order(mapping, kinds) for mapping in members]
        record.append(ordered)
        following.append(
            [mapping[key] for mapping, keys in zip(members, ordered, strict=True) for key in keys]
        )
    return True


def _common_names(dicts: list[dict[str, Any]], keys: list[str]) -> list[str] | None:
    """Return the sorted keys that many dicts have in common: their values are then encoded column by column.

    Comparing keys by equality is safe for strings only (1 and True are equal, too).
    """
    shape = list(dicts[0])
    if len(dicts) < MANY or len(dicts) < len(shape):
        return None
    if set(map(len, dicts)) != {len(shape)}:
        return None
    if keys == shape * len(dicts) or all(map(dicts[0].keys().__eq__, map(dict.keys, dicts))):
        return sorted(shape)
    return None


def _in_order(leaves: Iterable[Any], kinds: set[type]) -> list[Any]:
    """Sort leaves in a way that depends on nothing but them (NaN and None have no place in `sorted`)."""
    if len(kinds) == 1 and kinds <= _SORTABLE:
        return sorted(leaves)
    return sorted(leaves, key=_marshalled)


def _marshalled(leaf: Any) -> bytes:
    return dumps(leaf, MARSHAL)
