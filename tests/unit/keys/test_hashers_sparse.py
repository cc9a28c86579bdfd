"""Fingerprints of scipy's sparse arrays."""

from __future__ import annotations

import numpy as np
import pytest

from cachedeco.keys.fingerprint import fingerprint

sparse = pytest.importorskip("scipy.sparse")

FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
DENSE = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0]])


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", FORMATS)
def test_sparse_agrees_with_its_copy_only(form, kind):
    """Content, shape, dtype and format count."""
    make = getattr(sparse, f"{form}_{kind}")
    value = make(DENSE)
    assert fingerprint(value) == fingerprint(make(DENSE)) == fingerprint(value.copy())
    others = [DENSE * 2, DENSE[:, ::-1], DENSE.astype("f4"), np.vstack([DENSE, DENSE * 0]), DENSE[:1]]
    assert len({fingerprint(value), *(fingerprint(make(other)) for other in others)}) == 6


def test_formats_differ():
    """A function may depend on the format, and on array or matrix."""
    values = [getattr(sparse, f"{form}_{kind}")(DENSE) for form in FORMATS for kind in ("array", "matrix")]
    assert len(set(map(fingerprint, values))) == len(values)


def test_order_of_stored_elements_and_width_of_indices_do_not_count():
    """How an array was put together does not count."""
    rows, columns, data = np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([1.0, 2.0, 3.0])
    order = [2, 0, 1]
    first = sparse.coo_array((data, (rows, columns)), shape=(2, 3))
    second = sparse.coo_array((data[order], (rows[order], columns[order])), shape=(2, 3))
    assert fingerprint(first) == fingerprint(second)
    unsorted = sparse.csr_array(
        (np.array([2.0, 1.0, 3.0]), np.array([2, 1, 2]), np.array([0, 2, 3])), shape=(2, 3)
    )
    assert not unsorted.has_sorted_indices
    assert fingerprint(unsorted) == fingerprint(sparse.csr_array(DENSE))
    assert not unsorted.has_sorted_indices
    wide = sparse.csr_array(DENSE)
    wide.indices, wide.indptr = wide.indices.astype("i8"), wide.indptr.astype("i8")
    assert fingerprint(wide) == fingerprint(sparse.csr_array(DENSE))
