"""Pairs of values that have to agree, and pairs that have to differ, each with the reason."""

from __future__ import annotations

# ruff: noqa: D101, E501 - sample classes are named by what they are; a family of values is one line of a table
# ruff: noqa: DTZ001, FLY002, FURB157, FURB167, PIE796, PLC3002, S311 - another way to the same value is the point
import array
import copy
import ctypes
import datetime as dt
import enum
import functools
import io
import ipaddress
import itertools
import operator
import pathlib
import random
import re
import struct
import types
import typing
import uuid
import zoneinfo
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from cachedeco.keys.fingerprint import fingerprint

UTC = dt.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@dataclass
class Config:
    rate: float
    tags: list = field(default_factory=list)


@dataclass
class OtherConfig:
    rate: float
    tags: list = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slotted:
    x: int
    y: object = None


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1
    BLUE = 2


class Shade(enum.Enum):
    RED = 1


class Size(enum.IntEnum):
    SMALL = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Name(str):
    __slots__ = ()


class Count(int):
    pass


class Rows(list):
    pass


class Table(dict):
    pass


class Unique(set):
    pass


class Dice(random.Random):
    pass


class Tally(Counter):
    pass


class Host(ipaddress.IPv4Address):
    pass


class Ratio(float):
    pass


class Base:
    __slots__ = ("x",)

    def __init__(self, x):
        self.x = x


class Derived(Base):
    __slots__ = ("y",)

    def __init__(self, x, y):
        super().__init__(x)
        self.y = y


T = typing.TypeVar("T")
U = typing.TypeVar("U", bound=int)


class Moment(dt.datetime):
    pass


Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024 - both kinds are meant to work
Place = namedtuple("Place", ["x", "y"])  # noqa: PYI024 - as above


class Pair(typing.NamedTuple):
    x: int
    y: int


class Keyed:
    def __init__(self, key, rest):
        self.key = key
        self.rest = rest

    def __cachedeco_key__(self):
        return self.key


class Bag:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def with_attribute(value, attribute):
    value.attribute = attribute
    return value


def read_one(stream):
    stream.read(1)
    return stream


def advanced(iterator):
    next(iterator)
    return iterator


def drawn_in_pairs(generator, times):
    """The numbers come in pairs, of which the second waits."""
    for _ in range(times):
        generator.gauss()
    return generator


def noted(error):
    error.add_note("a")
    return error


def asked(network):
    assert network.broadcast_address
    assert network.num_addresses
    return network


def nan(payload):
    return struct.unpack("<d", (0x7FF8000000000000 | payload).to_bytes(8, "little"))[0]


def cycle(length, leaf=None):
    first = current = [leaf]
    for _ in range(length - 1):
        current.append([leaf])
        current = current[-1]
    current.append(first)
    return first


def shared():
    part = [1, {"a": 2}]
    return [part, part]


def partial_of(*arguments, **keywords):
    return functools.partial(int, *arguments, **keywords)


def drawn(generator):
    generator.random()
    return generator


# fmt: off
ALL_DIFFERENT = [
    ("one is not one of another type", [1, True, 1.0, 1 + 0j, "1", b"1", Decimal(1), Fraction(1), np.int64(1), np.float64(1), np.bool_(True), Count(1), Size.SMALL]),
    ("nothing is not another nothing", [None, False, 0, 0.0, "", b"", (), [], {}, set(), frozenset(), ..., NotImplemented, "None", np.array([])]),
    ("containers of equal elements differ by their type", [(1, 2), [1, 2], {1, 2}, frozenset({1, 2}), {1: 2}, deque([1, 2]), range(1, 3), array.array("b", [1, 2]), bytearray([1, 2]), bytes([1, 2]), np.array([1, 2])]),
    ("a subclass is not its base", ["a", Name("a")]),
    ("a subclass is not its base", [[1], Rows([1])]),
    ("a subclass is not its base", [{"a": 1}, Table(a=1), OrderedDict(a=1), defaultdict(None, a=1), Counter(a=1), ChainMap({"a": 1}), UserDict(a=1), types.MappingProxyType({"a": 1}), types.SimpleNamespace(a=1), Bag(a=1)]),
    ("a subclass is not its base", [{1}, Unique({1})]),
    ("a subclass is not its base", [(1, 2), Point(1, 2), Place(1, 2), Pair(1, 2), Slotted(1, 2)]),
    ("a subclass is not its base", [dt.datetime(2020, 1, 1), Moment(2020, 1, 1), dt.date(2020, 1, 1)]),
    ("zero has a sign", [0.0, -0.0]),
    ("zero has a sign, in both parts", [0j, complex(-0.0, 0.0), complex(0.0, -0.0), complex(-0.0, -0.0)]),
    ("a NaN is told from another by its bits", [nan(0), nan(1), -nan(0), float("inf"), -float("inf")]),
    ("neighbouring floats differ", [0.1 + 0.2, 0.3, 5e-324, 0.0]),
    ("ints differ beyond any machine word", [2**31 - 1, 2**31, 2**32, 2**63, 2**64, 2**64 + 1, -(2**64), 2**1000, 2**1000 + 1]),
    ("text is compared by code points", ["é", "e\u0301", "E", "\u0395"]),
    ("lone surrogates are characters like others", ["\ud800", "\udfff", "?", "\ufffd", "\ud83d\ude00", "\U0001f600"]),
    ("a string ends where it ends", ["a", "a\0", "a\0\0", "aa"]),
    ("bytes are not text", [b"a", "a", bytearray(b"a"), memoryview(b"a")]),
    ("parts keep their borders", [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc")]),
    ("parts keep their borders", [[[1], [2]], [[1, 2], []], [[], [1, 2]], [[[1], 2]], [1, 2], [[1, 2]]]),
    ("parts keep their borders in nested dicts", [{"a": {"b": 1}}, {"a": {}, "b": 1}, {"b": {"a": 1}}, {"a": [{"b": 1}]}]),
    ("order counts in sequences", [[1, 2], [2, 1]]),
    ("how often counts", [[1], [1, 1], [1, 1, 1]]),
    ("keys and values have their places", [{"a": "b"}, {"b": "a"}]),
    ("which value belongs to which key counts", [{"a": 1, "b": 2}, {"a": 2, "b": 1}]),
    ("keys have types", [{1: 0}, {True: 0}, {1.0: 0}, {"1": 0}, {b"1": 0}, {(1,): 0}, {frozenset({1}): 0}]),
    ("a missing key is not a key with None", [{"a": 1}, {"a": 1, "b": None}]),
    ("elements of sets have types", [{1}, {True}, {1.0}, {"1"}, {(1,)}, {frozenset({1})}]),
    ("sets nest", [frozenset({frozenset()}), frozenset(), frozenset({frozenset({frozenset()})}), frozenset({()})]),
    ("many dicts of one shape differ in one value", [[{"a": i} for i in range(20)], [{"a": i} for i in range(19)] + [{"a": 20}]]),
    ("many dicts of one shape differ in one type", [[{"a": i} for i in range(20)], [{"a": i} for i in range(19)] + [{"a": 19.0}]]),
    ("many dicts of one shape differ in one key", [[{"a": 1}] * 20, [{"a": 1}] * 19 + [{"b": 1}], [{"a": 1}] * 21]),
    ("columns are not rows", [[{"a": 1, "b": 2}] * 16, [{"a": [1] * 16, "b": [2] * 16}]]),
    ("a slice has three parts", [slice(None, 1), slice(1, None), slice(None, None, 1), slice(1, 1)]),
    ("ranges differ by what they yield", [range(3), range(1, 3), range(0, 3, 2), range(0, 6, 2), range(2, -1, -1), range(0)]),
    ("a range is not its list", [range(2), [0, 1], (0, 1)]),
    ("members of an enum differ", [Color.RED, Color.BLUE, Shade.RED, 1, Size.SMALL]),
    ("flags combine", [Access.READ, Access.WRITE, Access.READ | Access.WRITE, Access(0)]),
    ("a zone, another zone and none differ", [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=UTC), dt.datetime(2020, 1, 1, tzinfo=BERLIN), dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(0), "X"))]),
    ("one moment in two zones is two values", [dt.datetime(2020, 1, 1, 12, tzinfo=UTC), dt.datetime(2020, 1, 1, 13, tzinfo=BERLIN)]),
    ("fold counts", [dt.datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN), dt.datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)]),
    ("fold counts in times", [dt.time(2), dt.time(2, fold=1), dt.time(2, tzinfo=UTC)]),
    ("microseconds count", [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, microsecond=1), dt.datetime(2020, 1, 1, second=1)]),
    ("days differ", [dt.date(2020, 1, 2), dt.date(2020, 2, 1), 737426]),
    ("durations differ", [dt.timedelta(1), dt.timedelta(seconds=1), dt.timedelta(microseconds=1), dt.timedelta(-1), 1]),
    ("zones differ by name", [BERLIN, zoneinfo.ZoneInfo("Europe/Paris"), "Europe/Berlin", UTC]),
    ("a decimal has an exponent", [Decimal("1.0"), Decimal("1.00"), Decimal("1"), Decimal("1E+1"), Decimal("10")]),
    ("special decimals differ", [Decimal("NaN"), Decimal("sNaN"), Decimal("NaN1"), Decimal("-NaN"), Decimal("Infinity"), Decimal("-0"), Decimal("0")]),
    ("fractions differ by numerator and denominator", [Fraction(1, 2), Fraction(2), 0.5, (1, 2), "1/2"]),
    ("a UUID is not its text or number", [uuid.UUID(int=1), 1, str(uuid.UUID(int=1)), uuid.UUID(int=2)]),
    ("paths are compared as text", [pathlib.PurePosixPath("a"), pathlib.PurePosixPath("A"), pathlib.PureWindowsPath("a"), pathlib.PurePosixPath("./b/../a"), "a", pathlib.Path("a")]),
    ("a pattern has flags", [re.compile("a"), re.compile("a", re.IGNORECASE), re.compile("b"), re.compile(b"a"), re.compile("a", re.ASCII), "a"]),
    ("fields of a dataclass count", [Config(1.0), Config(2.0), Config(1.0, ["a"]), Config(1)]),
    ("dataclasses of equal fields differ by name", [Config(1.0), OtherConfig(1.0), {"rate": 1.0, "tags": []}]),
    ("slots are state", [Slotted(1), Slotted(2), Slotted(1, 2)]),
    ("attributes count, whatever their class says", [Bag(), Bag(a=1), Bag(b=1), Bag(a=2), Bag(a=1, b=1)]),
    ("an attribute added to an instance counts", [Config(1.0), with_attribute(Config(1.0), 1), with_attribute(Config(1.0), 2)]),
    ("an attribute of a subclass of a value counts", [Moment(2020, 1, 1), with_attribute(Moment(2020, 1, 1), 1), with_attribute(Moment(2020, 1, 1), 2)]),
    ("an attribute of a subclass of a container counts", [Rows([1]), with_attribute(Rows([1]), 1), Rows([2])]),
    ("an attribute of a subclass of a set counts", [Unique([1]), with_attribute(Unique([1]), 1), Unique([2])]),
    ("an attribute of a subclass of dict counts", [Table(a=1), with_attribute(Table(a=1), 1), Table(a=2)]),
    ("a named tuple is known by its name", [Point(1, 2), Point(2, 1), Place(1, 2), Pair(1, 2)]),
    ("a partial has a function, arguments and keywords", [partial_of(), partial_of("1"), partial_of(base=2), partial_of("1", base=2), functools.partial(float), int]),
    ("an attribute of a partial counts", [partial_of(), with_attribute(partial_of(), 1)]),
    ("attributes of the containers of collections count", [OrderedDict(a=1), with_attribute(OrderedDict(a=1), 1), with_attribute(OrderedDict(a=1), 2)]),
    ("attributes of the containers of collections count", [Counter(a=1), with_attribute(Counter(a=1), 1), with_attribute(Counter(a=1), 2), with_attribute(Counter(a=2), 1)]),
    ("attributes of the containers of collections count", [ChainMap({"a": 1}), with_attribute(ChainMap({"a": 1}), 1), with_attribute(ChainMap({"a": 2}), 1)]),
    ("attributes that the reduction of a standard class leaves out count", [Dice(1), with_attribute(Dice(1), 1), with_attribute(Dice(1), 2), Dice(2)]),
    ("attributes that the reduction of a standard class leaves out count", [Tally(a=1), with_attribute(Tally(a=1), 1), with_attribute(Tally(a=1), 2)]),
    ("attributes that the reduction of a standard class leaves out count", [Host("1.2.3.4"), with_attribute(Host("1.2.3.4"), 1), Host("1.2.3.5"), ipaddress.ip_address("1.2.3.4")]),
    ("numbers of one's own keep sign, payload and attributes", [Ratio(0.0), Ratio(-0.0), Ratio(nan(0)), Ratio(nan(1)), with_attribute(Ratio(0.0), 1)]),
    ("slots of a base count", [Base(1), Base(2), Derived(1, 1), Derived(1, 2), Derived(2, 1)]),
    ("a proxy has what is behind it", [types.MappingProxyType({"a": 1}), types.MappingProxyType(OrderedDict(a=1)), types.MappingProxyType(defaultdict(list, a=1)), types.MappingProxyType(Table(a=1)), {"a": 1}]),
    ("a proxy keeps the order of what is behind it", [types.MappingProxyType(OrderedDict(a=1, b=2)), types.MappingProxyType(OrderedDict(b=2, a=1))]),
    ("ranges may be longer than a machine word", [range(2**70), range(2**70 + 1), range(0, 2**70, 2), range(2**70, 0, -1)]),
    ("type variables are known by name and module", [T, U, typing.List[T], typing.List[U], typing.Generic[T]]),  # noqa: UP006 - is meant
    ("a literal has typed values", [typing.Literal[1], typing.Literal[True], typing.Literal["1"], typing.Literal[b"1"], typing.Literal[1, 2], typing.Literal[2, 1]]),
    ("an address has a scope and a prefix", [ipaddress.ip_address("fe80::1"), ipaddress.ip_address("fe80::1%a"), ipaddress.ip_address("fe80::1%b"), ipaddress.ip_interface("1.2.3.4/24"), ipaddress.ip_interface("1.2.3.4/25"), ipaddress.ip_network("1.2.3.0/24")]),
    ("structures of C have a type and bytes", [ctypes.c_int(1), ctypes.c_int(2), ctypes.c_short(1), (ctypes.c_int * 2)(1, 2), (ctypes.c_int * 2)(1, 3), ctypes.c_double(0.0), ctypes.c_double(-0.0)]),
    ("text and bytes in memory have a position", [io.StringIO("ab"), io.StringIO("ac"), read_one(io.StringIO("ab")), io.BytesIO(b"ab"), read_one(io.BytesIO(b"ab"))]),
    ("an iterator has a position", [iter([1, 2]), iter([1, 3]), iter((1, 2)), advanced(iter([1, 2]))]),
    ("the second of a pair of normal numbers is in the state of a generator", [drawn_in_pairs(random.Random(1), times) for times in range(4)]),
    ("exceptions have attributes and notes", [ValueError("a"), with_attribute(ValueError("a"), 1), noted(ValueError("a")), OSError(1, "a"), OSError(1, "a", "file"), ExceptionGroup("a", [ValueError(1)]), ExceptionGroup("a", [ValueError(2)])]),
    ("views of memory of another shape or item differ", [memoryview(np.arange(6, dtype="i4").reshape(2, 3)), memoryview(np.arange(6, dtype="i4").reshape(3, 2)), memoryview(np.arange(6, dtype="u4").reshape(2, 3)), memoryview(np.arange(6, dtype="i4").reshape(2, 3).T)]),
    ("arrays and scalars of numpy differ", [np.float64(1), np.array(1.0), np.array([1.0]), np.array([[1.0]]), np.float32(1), np.longdouble(1), np.ma.array([1.0])]),
    ("zero has a sign in arrays", [np.array([0j]), np.array([complex(-0.0, 0)]), np.array([complex(0, -0.0)])]),
    ("a NaN in an array is told from another by its bits", [np.array([nan(0)]), np.array([nan(1)]), np.array([-nan(0)])]),
    ("the length limit of a deque counts", [deque([1]), deque([1], 1), deque([1], 2), deque([2])]),
    ("order counts in an OrderedDict", [OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)]),
    ("the factory of a defaultdict counts", [defaultdict(list), defaultdict(set), defaultdict(None), defaultdict(list, a=1)]),
    ("a count of zero is an entry", [Counter(), Counter(a=0), Counter(a=1), Counter(b=1)]),
    ("which map of a ChainMap an entry is in counts", [ChainMap({"a": 1}, {"b": 2}), ChainMap({"b": 2}, {"a": 1}), ChainMap({"a": 1, "b": 2}), ChainMap({"a": 1}, {"b": 2}, {})]),
    ("views of a dict are not the dict", [{"a": 1}, {"a": 1}.keys(), {"a": 1}.items(), {"a": 1}.values()]),
    ("built-in classes and functions are known by name", [int, float, len, sum, str.upper, str.lower, type(None), type]),
    ("a bound method has its object", [[1].append, [2].append, [1].pop, "a".upper, "b".upper]),
    ("types with parameters", [list, list[int], list[str], tuple[int, ...], dict[str, int], int | None, int | str, typing.List]),  # noqa: UP006 - is meant
    ("a union keeps the order of its types", [int | None, None | int]),
    ("operators have arguments", [operator.itemgetter(0), operator.itemgetter(1), operator.itemgetter(0, 1), operator.attrgetter("a"), operator.methodcaller("a"), operator.methodcaller("a", 1)]),
    ("exceptions have a type and arguments", [ValueError("a"), ValueError("b"), TypeError("a"), ValueError("a", 1), ValueError()]),
    ("random generators are known by their state", [random.Random(1), random.Random(2), drawn(random.Random(1))]),
    ("an array of the standard library has a type", [array.array("b", [1]), array.array("h", [1]), array.array("B", [1]), array.array("b", [2]), array.array("d", [1])]),
    ("a view of memory has a shape and a format", [memoryview(b"abcd"), memoryview(b"abcd").cast("b"), memoryview(b"abcd").cast("B", (2, 2)), memoryview(b"abce")]),
    ("cycles differ by their leaves", [cycle(1), cycle(1, 1), cycle(1, 2), [None], [None, [None]]]),
    ("a __cachedeco_key__ stands for the value", [Keyed(1, 2), Keyed(2, 2), 1, (1,)]),
    ("what lies deep counts", [functools.reduce(lambda inner, _: [inner], range(50), leaf) for leaf in (1, 2, True, "1", dt.date(2020, 1, 1))]),
    ("depth counts", [functools.reduce(lambda inner, _: [inner], range(depth), 1) for depth in (1, 2, 15, 16, 17, 40)]),
    ("not plain parts keep their borders", [[Decimal(1), [Decimal(2)]], [[Decimal(1)], Decimal(2)], [[Decimal(1), Decimal(2)]], [Decimal(1), Decimal(2)]]),
    ("not plain values belong to their keys", [{"a": Decimal(1), "b": Decimal(2)}, {"a": Decimal(2), "b": Decimal(1)}]),
    ("a container with a part that is not plain differs from its text", [[Decimal(1)], ["Decimal('1')"], str([Decimal(1)])]),
]

ALL_EQUAL = [
    ("aliases and copies", [shared(), copy.deepcopy(shared()), [[1, {"a": 2}], [1, {"a": 2}]]]),
    ("an object is its copy", [Config(1.0, ["a"]), copy.copy(Config(1.0, ["a"])), copy.deepcopy(Config(1.0, ["a"]))]),
    ("how a string came to be", ["abc", "".join(["a", "b", "c"]), b"abc".decode(), "xabcx"[1:-1]]),
    ("how an int came to be", [10**20, int("1" + "0" * 20), 100**10]),
    ("how a tuple came to be", [(1, 2), tuple([1, 2]), (0, 1, 2)[1:]]),  # noqa: C409 - is meant
    ("order of a dict", [{"a": 1, "b": 2}, {"b": 2, "a": 1}, dict([("b", 2), ("a", 1)])]),  # noqa: C406 - is meant
    ("order of a dict with keys of many types", [{1: 0, "a": 1, None: 2}, {None: 2, "a": 1, 1: 0}]),
    ("order of a dict with a key that is not plain", [{Decimal(1): 1, "a": 2}, {"a": 2, Decimal(1): 1}]),
    ("order of a dict with values that are not plain", [{"a": Decimal(1), "b": Decimal(2)}, {"b": Decimal(2), "a": Decimal(1)}]),
    ("order of many dicts", [[{"a": i, "b": 2} for i in range(20)], [{"b": 2, "a": i} for i in range(20)], [{"a": i, "b": 2} if i % 2 else {"b": 2, "a": i} for i in range(20)]]),
    ("order in which a set was filled", [{1, 2, 100}, {100, 2, 1}, set([2, 100, 1])]),  # noqa: C405 - is meant
    ("order in which a set of many types was filled", [{1, "a", None, 2.5, (1,)}, {(1,), 2.5, None, "a", 1}]),
    ("sets of sets", [{frozenset({1, 2}), frozenset({3})}, {frozenset({3}), frozenset({2, 1})}]),
    ("history of a dict", [{"a": 1}, (lambda d: (d.pop("b"), d)[1])({"b": 2, "a": 1})]),
    ("one NaN", [nan(0), float("nan"), copy.copy(nan(0))]),
    ("a NaN in a list", [[nan(0)], [float("nan")]]),
    ("a NaN in a set", [{nan(0)}, {float("nan")}]),
    ("equal ranges", [range(0), range(5, 5), range(2, 1), range(0, -1, 3)]),
    ("equal ranges", [range(2**70), range(0, 2**70, 1)]),
    ("equal ranges", [range(0, 2**71, 2), range(0, 2**71 - 1, 2)]),
    ("equal ranges", [range(1), range(0, 1, 5), range(0, -1, -1)]),
    ("equal ranges", [range(0, 4, 3), range(0, 5, 3), range(0, 6, 3)]),
    ("aliases of an enum member", [Color.RED, Color.CRIMSON, Color(1), Color["RED"]]),
    ("flags in any order", [Access.READ | Access.WRITE, Access.WRITE | Access.READ, Access(3)]),
    ("a date from its text", [dt.date(2020, 1, 2), dt.date.fromisoformat("2020-01-02"), dt.date.fromordinal(737426)]),
    ("a zone looked up twice", [zoneinfo.ZoneInfo("Europe/Berlin"), zoneinfo.ZoneInfo.no_cache("Europe/Berlin")]),
    ("durations in other units", [dt.timedelta(1), dt.timedelta(hours=24), dt.timedelta(seconds=86400)]),
    ("UTC by two names", [dt.UTC, dt.timezone.utc, dt.timezone(dt.timedelta(0))]),  # noqa: UP017 - is meant
    ("a fraction in lowest terms", [Fraction(1, 2), Fraction(2, 4), Fraction("0.5")]),
    ("a decimal by its digits", [Decimal("1.0"), Decimal("10e-1"), Decimal((0, (1, 0), -1))]),
    ("a UUID however written", [uuid.UUID(int=1), uuid.UUID("00000000-0000-0000-0000-000000000001")]),
    ("a path however put together", [pathlib.Path("a/b"), pathlib.Path("a") / "b", pathlib.Path("a//b"), pathlib.Path("./a/b")]),
    ("a pattern compiled twice", [re.compile("a", re.IGNORECASE), re.compile("a", re.I), copy.copy(re.compile("a", 2))]),
    ("slices by their parts", [slice(1), slice(None, 1), slice(None, 1, None)]),
    ("a partial of a partial", [partial_of("1", base=2), functools.partial(partial_of("1"), base=2)]),
    ("history of a deque", [deque([1, 2]), deque([1, 2], None), (lambda d: (d.pop(), d)[1])(deque([1, 2, 3]))]),
    ("history of a counter", [Counter("aab"), Counter("baa"), Counter({"b": 1, "a": 2})]),
    ("order of a defaultdict", [defaultdict(list, a=1, b=2), defaultdict(list, b=2, a=1)]),
    ("order of a proxied dict", [types.MappingProxyType({"a": 1, "b": 2}), types.MappingProxyType({"b": 2, "a": 1})]),
    ("order of a counter with an attribute", [with_attribute(Counter(a=1, b=2), 1), with_attribute(Counter(b=2, a=1), 1)]),
    ("order of a counter subclass", [Tally(a=1, b=2), Tally(b=2, a=1)]),
    ("what a network has worked out about itself", [ipaddress.ip_network("1.2.3.0/24"), asked(ipaddress.ip_network("1.2.3.0/24"))]),
    ("memory in whatever strides", [memoryview(np.arange(6).reshape(2, 3).T), memoryview(np.ascontiguousarray(np.arange(6).reshape(2, 3).T))]),
    ("order of a dict subclass", [Table(a=1, b=2), Table(b=2, a=1)]),
    ("order of attributes", [Bag(a=1, b=2), Bag(b=2, a=1)]),
    ("order of a set subclass", [Unique([1, 2, 100]), Unique([100, 2, 1])]),
    ("memory however it is viewed", [memoryview(b"abc"), memoryview(bytearray(b"abc")), memoryview(b"xabcx")[1:-1], memoryview(b"axbxc")[::2]]),
    ("a byte string in any memory", [bytearray(b"abc"), bytearray([97, 98, 99])]),
    ("a cycle entered anywhere", [cycle(1), cycle(1)[1]]),
    ("cycles that look the same by following references", [cycle(1), cycle(2), cycle(3), copy.copy(cycle(1)), copy.deepcopy(cycle(2))]),
    ("what a __cachedeco_key__ leaves out", [Keyed(1, 2), Keyed(1, object()), Keyed(1, None)]),
    ("random generators of one state", [random.Random(1), random.Random(1), copy.copy(random.Random(1))]),
    ("types with parameters written twice", [list[int], list[int], list.__class_getitem__(int)]),
    ("an iterator at its beginning", [iter([1, 2]), iter([1, 2])]),
]
# fmt: on


def pairs(families):
    return [
        pytest.param(left, right, id=f"{number}.{position}: {reason}")
        for number, (reason, values) in enumerate(families)
        for position, (left, right) in enumerate(itertools.combinations(values, 2))
    ]


@pytest.mark.parametrize(("left", "right"), pairs(ALL_DIFFERENT))
def test_values_differ(left, right):
    """Values that a function can tell apart have different fingerprints."""
    assert fingerprint(left) != fingerprint(right)
    assert fingerprint([left, 1]) != fingerprint([right, 1])


@pytest.mark.parametrize(("left", "right"), pairs(ALL_EQUAL))
def test_values_agree(left, right):
    """Values that a function cannot tell apart, or need not, have equal fingerprints."""
    assert fingerprint(left) == fingerprint(right)
    assert fingerprint({"a": left}) == fingerprint({"a": right})


def test_fingerprints_of_all_different_values_are_all_different():
    """No two values of the corpus share a fingerprint unless they agree."""
    by_digest = {}
    for reason, values in ALL_DIFFERENT:
        for value in values:
            by_digest.setdefault(fingerprint(value), set()).add((reason, type(value)))
    assert all(len({kind for _, kind in found}) == 1 for found in by_digest.values())


def test_corpus_is_large():
    """There are at least 300 pairs with a reason."""
    assert len(pairs(ALL_DIFFERENT)) + len(pairs(ALL_EQUAL)) >= 300
