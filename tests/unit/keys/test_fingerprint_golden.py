"""Golden digests: what a value's fingerprint is, for good. A change here is a change of the scheme number."""

from __future__ import annotations

import array
import datetime as dt
import enum
import pathlib
import random
import re
import types
import uuid
import zoneinfo
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cachedeco.keys.fingerprint import fingerprint


class Point:
    """A class whose name does not depend on where the tests lie."""

    __module__ = "golden"
    __qualname__ = "Point"

    def __init__(self, x, y):
        self.x = x
        self.y = y


class Color(enum.Enum):
    """As Point."""

    __module__ = "golden"
    __qualname__ = "Color"
    RED = 1


def circle():
    value = {"name": "v"}
    value["self"] = value
    return value


VALUES = {
    "none": None,
    "true": True,
    "int": 1,
    "negative int": -1,
    "large int": 2**100,
    "larger int": -(2**1000),
    "float": 1.5,
    "minus zero": -0.0,
    "nan": float("nan"),
    "infinity": float("inf"),
    "complex": 1 + 2j,
    "text": "text",
    "umlaut": "ü",
    "astral": "\U0001f600",
    "surrogate": "\ud800",
    "bytes": b"bytes",
    "ellipsis": ...,
    "tuple": (1, "two", 3.0),
    "empty tuple": (),
    "list": [1, "two", 3.0],
    "nested list": [1, [2, [3]]],
    "dict": {"b": 1, "a": 2},
    "empty dict": {},
    "nested dict": {"a": {"b": [1]}, "c": None},
    "mixed keys": {1: 1, "a": 2, None: 3, 2.5: 4},
    "records": [{"id": number, "name": str(number)} for number in range(20)],
    "two shapes": [{"id": 1}] * 20 + [{"name": 1}],
    "set": {3, 1, 2},
    "mixed set": {1, "a", None, 2.5},
    "frozenset": frozenset({"b", "a"}),
    "nested set": frozenset({frozenset({1}), frozenset()}),
    "deep": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]],
    "cycle": circle(),
    "bytearray": bytearray(b"a"),
    "memoryview": memoryview(b"a"),
    "array": array.array("h", [1, 2]),
    "slice": slice(1, None, 2),
    "range": range(0, 10, 3),
    "proxy": types.MappingProxyType({"a": 1}),
    "namespace": types.SimpleNamespace(a=1),
    "keys": {"a": 1}.keys(),
    "date": dt.date(2020, 1, 2),
    "datetime": dt.datetime(2020, 1, 2, 3, 4, 5, 6, dt.UTC),
    "fold": dt.datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    "time": dt.time(1, 2, 3),
    "timedelta": dt.timedelta(1, 2, 3),
    "zone": zoneinfo.ZoneInfo("Europe/Berlin"),
    "offset": dt.timezone(dt.timedelta(hours=1)),
    "decimal": Decimal("1.00"),
    "fraction": Fraction(1, 3),
    "uuid": uuid.UUID(int=1),
    "path": pathlib.PurePosixPath("a/b"),
    "pattern": re.compile("a", re.IGNORECASE),
    "enum": Color.RED,
    "deque": deque([1], 2),
    "ordered": OrderedDict(b=1, a=2),
    "default": defaultdict(list, a=[1]),
    "counter": Counter("aab"),
    "chain": ChainMap({"a": 1}, {"b": 2}),
    "partial": partial(int, base=2),
    "class": int,
    "function": len,
    "method": [1].append,
    "generic": list[int],
    "exception": ValueError("a"),
    "object": Point(1, [2]),
    "random": random.Random(1),  # noqa: S311 - its state is meant
    "numpy float": np.float64(1),
    "numpy int": np.int32(1),
    "numpy date": np.datetime64("2020-01-01"),
    "numpy text": np.str_("a"),
    "dtype": np.dtype("f8"),
    "ufunc": np.sin,
    "array of floats": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "array of bools": np.array([True, False]),
    "array of text": np.array(["a", "bc"]),
    "array of dates": np.array(["2020-01-01"], "M8[D]"),
    "array of objects": np.array([1, "a", None], dtype=object),
    "structured": np.array([(1, 2.5)], dtype=[("a", "i2"), ("b", "f8")]),
    "empty array": np.zeros((0, 3)),
    "scalar array": np.array(1),
    "masked": np.ma.array([1, 2], mask=[0, 1]),
    "generator": np.random.default_rng(1),
    "random state": np.random.RandomState(1),
    "series": pd.Series([1, 2], name="a"),
    "series of text": pd.Series(["a", None, "ü"], dtype="str"),
    "nullable": pd.Series([1, None], dtype="Int64"),
    "categorical": pd.Series(["a", "b", "a"], dtype="category"),
    "zoned": pd.Series(pd.date_range("2020", periods=2, tz="Europe/Berlin", unit="s")),
    "periods": pd.Series(pd.period_range("2020", periods=2, freq="M")),
    "intervals": pd.Series(pd.interval_range(0, 2)),
    "sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1])),
    "index": pd.Index([1, 2], name="i"),
    "multi-index": pd.MultiIndex.from_product([[1, 2], ["a"]], names=["x", None]),
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1.5, None]}),
    "wide frame": pd.DataFrame(np.arange(200.0).reshape(2, 100)),
    "arrow series": pd.Series([1, None], dtype=pd.ArrowDtype(pa.int64())),
    "arrow ints": pa.array([1, None]),
    "arrow text": pa.array(["a", None, "ü"]),
    "arrow bools": pa.array([True, None]),
    "arrow lists": pa.array([[1], None, []]),
    "arrow structs": pa.array([{"a": 1}, None]),
    "arrow dictionary": pa.array(["a", "b", "a"]).dictionary_encode(),
    "arrow table": pa.table({"a": [1], "b": ["x"]}),
    "arrow type": pa.list_(pa.int64()),
}

DIGESTS = {
    "none": "626d368fe0e74b4f1a038927df1311d6",
    "true": "1d33c0bd3511c80d20948828081ddcb4",
    "int": "b43a4514c6d4d1e4e99dcaa8de4d257c",
    "negative int": "a18acdf4375c4f8363f195859429a96e",
    "large int": "15c170300f8bc66df3c9e20d63bd7357",
    "larger int": "f12b20b31ce01f2ed74f04420b3b6d46",
    "float": "116e76984b64483c7da4c841885b9b10",
    "minus zero": "20751e3dbb0dafad15202973cf7b28df",
    "nan": "e3202fac0da24988adf2c558833bc96c",
    "infinity": "52a77d7aa0b8908a22481e29e192dd4d",
    "complex": "b4bccd04857473b66490a3d75aff1a01",
    "text": "309ba1e8ae01c552b70046ae8ffc1005",
    "umlaut": "3570733fce0740b3f9c7dd1fa3e50a35",
    "astral": "7c80a1d8e723f8f58d411cd4f134a23a",
    "surrogate": "a4dad6930a3c47356305e00d0b19fba5",
    "bytes": "41d7b1ed8fee44ed7dc7a63a0defa124",
    "ellipsis": "4a810a3f4b01805cab8a815a3d735ad3",
    "tuple": "34d0936a6369c40c0894dc268383d6a0",
    "empty tuple": "a6a68a43f4face892814f1506041c1bb",
    "list": "4aca425d0de0be2557acba37e660e5a9",
    "nested list": "8bfd8dde38d5ec679123f56ab100dc57",
    "dict": "e73356855c01b3d00c42cdbfbc29e46d",
    "empty dict": "fa2b4bc9da1bc3ecc30a2dc8b3437eb3",
    "nested dict": "3a162a9bbe5090f3c047eb21518a79a4",
    "mixed keys": "8e3baffb16b82749e187bdc131432cc5",
    "records": "d02e2980f5891bdd81545bf5f07d6cb6",
    "two shapes": "275495a8621a198eac626ba290a00aca",
    "set": "e33b296a60a269fa66abc2e12912d3c1",
    "mixed set": "163990a5d6623889ab4fb4134bd3146f",
    "frozenset": "7cb502ed2d6bfd404ed241bebb8f85e0",
    "nested set": "570f9ee6efdb40a99ea6c6d3ee88cb61",
    "deep": "e0cbf933284620917aded4383a93343c",
    "cycle": "ffa1e8231244ab70bd397195e0bbac51",
    "bytearray": "85166312eec67a5092be4382cba3f45e",
    "memoryview": "ce2e2fd4fc745c76d56ad37e8d6f42cc",
    "array": "8adfa0dadfa611220777862dcaf6c5c0",
    "slice": "908bdda5a8e550d5f9c1e25b48ca7192",
    "range": "0ea02187a6450a7a66293fc8426f5f68",
    "proxy": "e3848c6e3ec336f14a797b131665501e",
    "namespace": "7bbf9d1d4bf2bf46ef9eba268d8d6ee2",
    "keys": "7fa1207f96b4ba5ed1e79534139b738e",
    "date": "e9ff9876bac93c3f3daa34edd6f38e16",
    "datetime": "8eaebe2038d8fac261749bf9a8057c52",
    "fold": "e801ba5ff238a9a1b966b094c49690b8",
    "time": "95be43c8795f071cb3ad4ebfbd54cfb5",
    "timedelta": "6472b8cbf12935cdba11d8385ee604ab",
    "zone": "352f2da72f8fbee2b8fcbc63d31d007d",
    "offset": "07caa5c3dedd53988448b888bdbb22dd",
    "decimal": "d30f866c3f3b1bc0d1cc623d4314e941",
    "fraction": "552e7c11de30605a4eaed23589f9e4dd",
    "uuid": "ae85d03cc1b8a15f5f49170ca3721f99",
    "path": "18ae8f7a973f5a0742c890cc5eea47fc",
    "pattern": "af1d3b92a11d082706b78512c0bd4ba7",
    "enum": "a1a08965bd6ca8e314cc02d58eaa9554",
    "deque": "92e2c4b53c75bfac7f65e66adb2daa37",
    "ordered": "2b4ec57980d06e7df1d4fa898d6a7855",
    "default": "350cbf68a1d0e7b19a91de4c5c233105",
    "counter": "17141313f53617a1790c4095e2ca8ad1",
    "chain": "331f783858e4ee7badbd992cc0731e0e",
    "partial": "3d8d037f79f5aca931c90d703148d940",
    "class": "1451b0ed5b4a35e38e00c4a757ac0e8f",
    "function": "bca3ea7fd984af3ea32ad57fbea867c1",
    "method": "1b150a38ae42ea8c400f202c1c7e4461",
    "generic": "3c9467c8c724ccfbc1503dcedb4d4273",
    "exception": "5796e42d53762455a5dafb8ba91d6ffd",
    "object": "53eedd4eb84c951c8e2047ad5e30a6a6",
    "random": "e3669166df03559b0435508f17c1221b",
    "numpy float": "6a95ef6b542eb811552376866507107b",
    "numpy int": "30cddcb920519a32d836137d89dc1a4c",
    "numpy date": "5ca79eb3c1e0c0bba606c9a03d6e2175",
    "numpy text": "e045cc90a03ee977751a0d4f8be0e8e1",
    "dtype": "121b82a9e93c177a3d24f59a85e2676e",
    "ufunc": "7a3131c6cbe74240937b7378f86216b9",
    "array of floats": "dfc97d209dc8ecdc1a53423ef4245ebc",
    "fortran": "dfc97d209dc8ecdc1a53423ef4245ebc",
    "array of bools": "b76abfb18fbfb16bbd288d8afbd5bd59",
    "array of text": "64c47dc6af77a855d6618e19121addf6",
    "array of dates": "a3d411c4ef70108b951f705d0fd74203",
    "array of objects": "a8319353c0b0565a0f3e766e4822ddc9",
    "structured": "ad80f352c4148d3d94afae0f6fa432a1",
    "empty array": "84b51d64c3e1a01dd62ff64d21fc393f",
    "scalar array": "ecb2475bb5ac6492145146fad1144b52",
    "masked": "f49f34f1fd797ff61dcfe336c8f98f0a",
    "generator": "29dabddde97e898a40950640c008b485",
    "random state": "46e39c65d894f97c8e4768da1438e6d3",
    "series": "c1e9be25914038ced5cfeedb2c9e13a9",
    "series of text": "06919e4b18989459a8ea52fa73d8f107",
    "nullable": "18bf899a5905708c42ed3471b079ea4a",
    "categorical": "725c824f8ff64781a2e67f1f23a1d287",
    "zoned": "5a904aebbf350b6800fea5c993b09d67",
    "periods": "a565a5fc7a23a1ae2b2a23ce43ec8b0a",
    "intervals": "1c76ac40f99c7e8d63975dba10b02173",
    "sparse": "995a18ae68634953565c6469a2a76b27",
    "index": "47598ef537701be7631a6374bbb440f1",
    "multi-index": "24e73da878fe1fe186442fb5ca7b28aa",
    "frame": "15cb1d1fbc66a3cb4d262075f62337f0",
    "wide frame": "63bb23410584a265d60d5a0f9447baa7",
    "arrow series": "35d822f8e91180a1ca093fd41d9c8e34",
    "arrow ints": "390dc9904239ffe9ab4e8902873cbda5",
    "arrow text": "eba003368793e369cffc3e2e284300e3",
    "arrow bools": "4b976f3af0f85e2d1e8d0505a22a81b8",
    "arrow lists": "97adbed2c6a99b180649b2b08861b114",
    "arrow structs": "a50a2a50bf8c6c89b353cfba1f3aa42d",
    "arrow dictionary": "75f898e891fd30d9d29318f252b69e6c",
    "arrow table": "54b08ffd9af94a20d1aae37565e862a4",
    "arrow type": "8685cb88517547e54b2a2f299a310d8c",
}


@pytest.mark.parametrize("name", VALUES)
def test_golden_digest(name):
    """The encoding is the same in every process, on every Python, with every version of a library."""
    assert fingerprint(VALUES[name]) == DIGESTS[name]
