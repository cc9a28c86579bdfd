"""Fingerprints of torch's tensors, modules and generators. They need the extra test-torch, as torch is large."""

from __future__ import annotations

import copy

import pytest

from cachedeco.errors import KeyingError
from cachedeco.keys.fingerprint import fingerprint

torch = pytest.importorskip("torch")


def all_differ(values):
    return len(set(map(fingerprint, values))) == len(values)


def test_torch():
    """Tensors in main memory are compared by content, dtype and shape, not by layout in memory."""
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    assert fingerprint(tensor) == fingerprint(tensor.clone()) == fingerprint(tensor.T.contiguous().T)
    longer = torch.cat([tensor, tensor])
    assert fingerprint(longer[2:]) == fingerprint(longer[:2]) == fingerprint(tensor)
    ones = torch.ones(2)
    assert fingerprint(ones[:1].expand(2)) == fingerprint(ones)
    noted = torch.ones(2)
    noted.note = "a"
    with_gradient = torch.ones(2, requires_grad=True)
    with_gradient.sum().backward()
    values = [
        ones,
        torch.ones(2, dtype=torch.bfloat16),
        torch.ones(2, dtype=torch.float16),
        torch.ones(2, 1),
        torch.zeros(2),
        -torch.zeros(2),
        torch.ones(2, requires_grad=True),
        with_gradient,
        torch.nn.Parameter(torch.ones(2)),
        noted,
        torch.ones(2).to_sparse(),
        torch.empty(0),
        ones.numpy(),
    ]
    assert all_differ(values)
    complex_ = torch.tensor([1 + 2j])
    assert fingerprint(complex_.conj()) == fingerprint(torch.tensor([1 - 2j]))
    assert fingerprint(complex_.conj().imag) == fingerprint(torch.tensor([-2.0]))
    with pytest.raises(KeyingError, match="meta"):
        fingerprint(torch.ones(2, device="meta"))


def test_torch_modules_and_generators():
    """Modules are compared by their parameters, generators by their state."""
    module = torch.nn.Linear(2, 2)
    assert fingerprint(module) == fingerprint(copy.deepcopy(module))
    assert fingerprint(module) != fingerprint(torch.nn.Linear(2, 2))
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    assert fingerprint(generators[0]) == fingerprint(generators[1]) != fingerprint(generators[2])
    torch.rand(1, generator=generators[0])
    assert fingerprint(generators[0]) != fingerprint(generators[1])
    assert all_differ([torch.float32, torch.float64, torch.device("cpu"), torch.Size([1]), torch.strided])
