"""Fingerprints of numpy's values: content decides, wherever and however it lies in memory."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cachedeco.errors import KeyingError
from cachedeco.keys.fingerprint import digest, fingerprint
from cachedeco.keys.hashers import numpy_arrays

RNG = np.random.default_rng(7)
BASE = RNG.integers(0, 100, (6, 4, 5)).astype("f8")

ANY_ARRAY = arrays.arrays(
    arrays.scalar_dtypes() | arrays.array_dtypes(max_size=2),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def layouts(array):
    """Return arrays of equal content that lie differently in memory."""
    spaced = np.empty((*array.shape[:-1], array.shape[-1] * 2), array.dtype)
    spaced[..., ::2] = array
    padded = np.empty((array.shape[0] + 2, *array.shape[1:]), array.dtype)
    padded[1:-1] = array
    return {
        "copy": array.copy(),
        "fortran": np.asfortranarray(array),
        "strided": spaced[..., ::2],
        "offset": padded[1:-1],
        "reversed twice": array[::-1].copy()[::-1],
        "transposed": np.ascontiguousarray(array.T).T,
        "read-only": read_only(array),
        "unpickled": pickle.loads(pickle.dumps(array, 5)),
    }


@pytest.mark.parametrize("name", layouts(BASE))
@pytest.mark.parametrize("dtype", ["f8", "i2", "c16", "?", "U3", "S3", "M8[s]", "O", ">i4", "g"])
def test_layout_does_not_count(name, dtype):
    """Views, strides, order in memory and copies of equal content agree."""
    array = BASE.astype("i8").astype(dtype)
    assert fingerprint(layouts(array)[name]) == fingerprint(array)


def test_large_arrays_in_pieces_agree(monkeypatch):
    """A scattered array is copied in pieces; their size does not count."""
    monkeypatch.setattr(numpy_arrays, "PIECE", 64)
    assert fingerprint(np.asfortranarray(BASE)) == fingerprint(BASE)
    assert fingerprint(BASE[:, ::2]) == fingerprint(BASE[:, ::2].copy())


def test_broadcast_array_agrees_with_its_copy():
    """An array whose elements share memory is an array like any other."""
    array = np.broadcast_to(np.arange(3), (4, 3))
    assert fingerprint(array) == fingerprint(array.copy())


def test_views_of_one_base_differ():
    """Where a view begins, ends and steps decides, not what it is a view of."""
    base = np.arange(10)
    views = [base[0:3], base[1:4], base[0:6:2], base[2::-1], base[:3].reshape(3, 1), base[:0]]
    assert len(set(map(fingerprint, views))) == len(views)


def test_memory_mapped_array_agrees(tmp_path):
    """An array in a file is the array."""
    np.save(tmp_path / "a.npy", BASE)
    for mode in ("r", "c"):
        assert fingerprint(np.load(tmp_path / "a.npy", mmap_mode=mode)) == fingerprint(BASE)


def test_every_element_counts():
    """Nothing is sampled: one bit anywhere in a large array is seen."""
    array = np.zeros(300_000, "u1")
    digests = {fingerprint(array)}
    for position in (0, 1, 149_999, 255_555, 299_999):
        array[position] = 1
        digests.add(fingerprint(array))
        array[position] = 0
    assert len(digests) == 6


@pytest.mark.parametrize(
    "values",
    [
        [
            np.zeros(2, dtype)
            for dtype in ("f8", "f4", "i8", "u8", ">f8", "c8", "?", "M8[s]", "M8[ms]", "m8[s]", "V8")
        ],
        [np.zeros(shape) for shape in ((4,), (2, 2), (4, 1), (1, 4), (0, 4), (4, 0), ())],
        [np.array([0.0]), np.array([-0.0]), np.array([np.nan]), -np.array([np.nan])],
        [np.array(["a"]), np.array(["a"], "U2"), np.array([b"a"]), np.array(["a"], object)],
        [np.array(["a"], np.dtypes.StringDType()), np.array(["b"], np.dtypes.StringDType()), np.array(["a"])],
        [np.array([1]), np.array(1), np.int64(1), [1], np.ma.array([1]), np.zeros(1).view(np.recarray)],
        [np.array([1, None], object), np.array([None, 1], object), np.array([[1, None]], object)],
        [np.float64(1), np.float32(1), np.int64(1), np.bool_(True), np.longdouble(1), np.complex128(1), 1.0],
        [np.datetime64("2020"), np.datetime64("2020-01"), np.datetime64("NaT", "s"), np.timedelta64(1, "s")],
        [
            np.dtype("f8"),
            np.dtype(">f8"),
            np.dtype("M8[s]"),
            np.dtype([("a", "f8")]),
            np.dtype([("b", "f8")]),
        ],
        [np.sin, np.cos, np.add, np.sum, np.mean],
        [np.random.default_rng(1), np.random.default_rng(2), np.random.PCG64(1), np.random.SeedSequence(1)],
        [np.random.Generator(np.random.MT19937(1)), np.random.Generator(np.random.Philox(1))],
        [np.random.RandomState(1), np.random.RandomState(2), np.random.MT19937(1)],
    ],
    ids=range(14),
)
def test_values_differ(values):
    """Type, dtype, shape, byte order, unit and content tell values apart."""
    assert len(set(map(fingerprint, values))) == len(values)


@given(ANY_ARRAY)
def test_any_array_agrees_with_its_copies(array):
    """Arrays of any dtype and shape have a fingerprint that copies share."""
    assert fingerprint(array) == fingerprint(array.copy()) == fingerprint(array.copy(order="F"))


@given(arrays.arrays("i1", 4), arrays.arrays("i1", 4))
def test_arrays_agree_exactly_where_they_are_equal(left, right):
    """Two arrays of one dtype and shape agree if and only if all elements do."""
    assert (fingerprint(left) == fingerprint(right)) == bool(np.array_equal(left, right))


def test_bytes_between_fields_do_not_count():
    """The padding of a structured array is whatever was there."""
    dtype = np.dtype([("a", "u1"), ("b", "f8")], align=True)
    clean, dirty = np.zeros(3, dtype), np.full(3 * dtype.itemsize, 255, "u1").view(dtype)
    dirty["a"], dirty["b"] = 0, 0
    assert clean.tobytes() != dirty.tobytes()
    assert fingerprint(clean) == fingerprint(dirty)
    dirty["b"][2] = 1
    assert fingerprint(clean) != fingerprint(dirty)


def test_bytes_behind_long_doubles_do_not_count():
    """So is what fills up an 80-bit float."""
    clean = np.zeros(3, "g")
    dirty = np.full(3 * clean.itemsize, 255, "u1").view("g")
    dirty[:] = clean
    raw = clean.copy()
    if np.finfo("g").nmant == 63:
        raw.view("u1").reshape(3, -1)[:, 10:] = 7
    assert fingerprint(raw) == fingerprint(clean) == fingerprint(dirty)
    assert fingerprint(np.ones(3, "g")) != fingerprint(clean)


def test_structured_arrays_differ_by_their_fields():
    """Names, places and dtypes of fields are part of the dtype."""
    types = [
        [("a", "i4"), ("b", "i4")],
        [("b", "i4"), ("a", "i4")],
        [("a", "i4"), ("b", "u4")],
        [("a", "i4", (2,))],
        [("a", [("b", "i4"), ("c", "i4")])],
        {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]},
        {"names": ["a", "b"], "formats": ["i4", "i4"], "itemsize": 16},
    ]
    assert len({fingerprint(np.zeros(2, dtype)) for dtype in types}) == len(types)


def test_objects_in_arrays_are_walked():
    """Elements of object arrays count, and have a path."""
    array = np.array([[1, {"a": 2}]], object)
    assert fingerprint(array) == fingerprint(copy.deepcopy(array))
    array[0, 1]["a"] = 3
    assert fingerprint(array) != fingerprint(np.array([[1, {"a": 2}]], object))
    with pytest.raises(KeyingError) as caught:
        digest({"x": np.array([1, object()], object)}, "data")
    assert caught.value.path == "data['x'][1]"
    record = np.array([(1, object())], [("a", "i4"), ("b", "O")])
    with pytest.raises(KeyingError) as caught:
        digest(record, "data")
    assert caught.value.path == "data['b'][0]"


def test_masked_arrays():
    """The mask counts, also where it hides equal numbers, and so does what it hides."""
    values = [
        np.ma.array([1, 2], mask=[0, 0]),
        np.ma.array([1, 2], mask=[0, 1]),
        np.ma.array([1, 3], mask=[0, 1]),
        np.ma.array([1, 2], mask=[0, 1], fill_value=7),
        np.ma.array([1, 2], mask=[0, 1], hard_mask=True),
        np.ma.masked,
    ]
    assert len(set(map(fingerprint, values))) == len(values)
    assert fingerprint(np.ma.array([1, 2])) == fingerprint(values[0])
    asked = np.ma.array([1, 2], mask=[0, 1])
    assert asked.fill_value == 999999
    assert fingerprint(asked) == fingerprint(values[1])


class Measured(np.ndarray):
    """An array with a unit, which pickle would forget."""


def test_subclass_of_array_counts_with_its_attributes():
    """A subclass is not its base, and its attributes are part of it."""
    arrays_ = [np.zeros(2).view(Measured) for _ in range(3)]
    arrays_[1].unit, arrays_[2].unit = "m", "s"
    assert len({fingerprint(array) for array in (*arrays_, np.zeros(2))}) == 4
    with_unit = np.asfortranarray(np.zeros((2, 2))).view(Measured)
    assert fingerprint(with_unit) == fingerprint(np.zeros((2, 2)).view(Measured))


def test_generator_counts_by_its_state():
    """Drawing, seeding and spawning change a generator; copying does not."""
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    assert fingerprint(first) == fingerprint(second) == fingerprint(copy.deepcopy(first))
    first.random()
    assert fingerprint(first) != fingerprint(second)
    second.random()
    assert fingerprint(first) == fingerprint(second)
    first.spawn(1)
    assert fingerprint(first) != fingerprint(second)


def test_unknown_ufunc_is_refused():
    """Two ufuncs made from functions may have one name."""
    with pytest.raises(KeyingError, match="ufunc"):
        fingerprint(np.frompyfunc(lambda x: x, 1, 1))


def test_scalars_agree_with_equal_ones_from_arrays():
    """How a scalar came to be does not count."""
    assert fingerprint(np.arange(3.0)[1]) == fingerprint(np.float64(1))
    record = np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])
    assert fingerprint(record[0]) == fingerprint(record.copy()[0])
    assert fingerprint(record[0]) != fingerprint(np.array([(1, 2.0)], record.dtype)[0])


@given(st.lists(st.text(max_size=2), max_size=4))
def test_text_arrays_agree_with_their_copies(texts):
    """Arrays of text of variable width are compared by their text."""
    array = np.array(texts, np.dtypes.StringDType())
    assert fingerprint(array) == fingerprint(np.array(list(texts), np.dtypes.StringDType()))


@pytest.mark.parametrize("dtype", [object, [("a", object)]], ids=["objects", "field of objects"])
def test_view_of_addresses_is_refused(dtype):
    """The bytes of a view of objects are addresses, which stay when the objects change."""
    with pytest.raises(KeyingError, match="addresses"):
        fingerprint(memoryview(np.zeros(1, dtype)))
    fingerprint(memoryview(np.zeros(1, [("OPX&", "i4")])))
