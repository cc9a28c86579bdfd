"""How tensors are pickled: torch's own way, but with the storage out of band instead of copied."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

torch: Any = import_module("torch")  # it ships no types that are the same with and without it


def reduce_typed(storage: Any) -> Any:
    """Reduce the typed view that a tensor pickles to the storage that it shares with other tensors."""
    untyped = storage._untyped_storage  # noqa: SLF001 - the public way warns that the class will go
    if untyped.device.type != "cpu":
        return storage.__reduce__()
    return rebuild_typed, (untyped, storage.dtype)


def reduce_untyped(storage: Any) -> Any:
    """Reduce a storage in main memory to its bytes."""
    from _pickle import PickleBuffer

    if storage.device.type != "cpu":
        return storage.__reduce__()
    if storage.nbytes() == 0:
        return torch.UntypedStorage, (0,)
    flat = torch.empty(0, dtype=torch.uint8).set_(storage)
    return rebuild_untyped, (PickleBuffer(flat.numpy()),)


def rebuild_typed(storage: Any, dtype: Any) -> Any:
    """The typed view that `reduce_typed` took apart."""
    return torch.storage.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)


def rebuild_untyped(buffer: bytearray | memoryview) -> Any:
    """The storage that `reduce_untyped` took apart, in the buffer's own memory."""
    return torch.frombuffer(buffer, dtype=torch.uint8).untyped_storage()
