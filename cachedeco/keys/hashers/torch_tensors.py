"""torch: tensors in main memory by content, generators by state; modules are objects like any other."""

from __future__ import annotations

import sys
from ctypes import c_ubyte

from cachedeco.keys.node import Node, UnkeyableError, content_digest, header, library_tag, names_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_COMPRESSED = {
    "torch.sparse_csr": ("crow_indices", "col_indices", "values"),
    "torch.sparse_csc": ("ccol_indices", "row_indices", "values"),
    "torch.sparse_bsr": ("crow_indices", "col_indices", "values"),
    "torch.sparse_bsc": ("ccol_indices", "row_indices", "values"),
}


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes tensors and generators of torch apart."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if issubclass(kind, torch.Tensor):
        return _tensor
    return _generator if issubclass(kind, torch.Generator) else None


def _tensor(value: Any) -> Node:
    if value.device.type != "cpu":
        raise UnkeyableError(f"it lies on the device {value.device}; pass value.cpu()")
    if value.is_quantized:
        raise UnkeyableError("it is quantized; pass value.dequantize()")
    tensor = value.detach().resolve_conj().resolve_neg()
    gradient = value.grad if value.is_leaf else None
    names, parts = ["grad", "__dict__"], [gradient, dict(vars(value))]
    layout = str(tensor.layout)
    content = None
    if layout == "torch.strided":
        content = _content(tensor)
    else:
        stored = _stored(tensor, layout)
        names += stored
        parts += stored.values()
    facts = (str(tensor.dtype), tuple(map(int, tensor.shape)), layout, bool(value.requires_grad), content)
    if content is not None and gradient is None and not vars(value):
        return Node(header("torch.Tensor", library_tag(type(value), "torch"), *facts), costly=True)
    return Node(
        header("torch.Tensor", library_tag(type(value), "torch"), *facts), parts, label=names_label(names)
    )


def _content(tensor: Any) -> bytes:
    tensor = tensor.contiguous()
    size = tensor.numel() * tensor.element_size()
    if not size:
        return content_digest()
    # Not by way of numpy, which knows fewer dtypes and may be absent. The tensor outlives the view.
    return content_digest((c_ubyte * size).from_address(tensor.data_ptr()))


def _stored(tensor: Any, layout: str) -> dict[str, Any]:
    if layout == "torch.sparse_coo":
        tensor = tensor.coalesce()
        return {"indices": tensor.indices(), "values": tensor.values()}
    if layout in _COMPRESSED:
        return {name: getattr(tensor, name)() for name in _COMPRESSED[layout]}
    raise UnkeyableError(f"its layout is {layout}; pass value.to_dense()")


def _generator(value: Any) -> Node:
    return Node(
        header("torch.Generator", str(value.device)), (value.get_state(),), label=lambda _: ".get_state()"
    )
