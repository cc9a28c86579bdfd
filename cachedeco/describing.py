"""What is known of an item beside its value: who made it, with what, and how it is called."""

from __future__ import annotations

from cachedeco.record import parse_mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.record import Record
    from cachedeco.store import Store

_PACKAGE = "package "
_FACTS = ("user", "host", "pid", "program", "python", "revision")


def made_by(store: Store, record: Record) -> dict[str, Any]:
    """Who computed an item, see `CacheItem.made_by`."""
    known = {} if record.owner is None else store.items.maker(record.owner)
    if not known:
        return {}
    parts = parse_mapping(store.items.code_parts(bytes.fromhex(record.code))) if record.code else {}
    names = (part.removeprefix(_PACKAGE).rpartition(" ") for part in parts if part.startswith(_PACKAGE))
    return {fact: known[fact] for fact in _FACTS} | {
        "packages": {name: version for name, _, version in names}
    }


def call_of(record: Record) -> str:
    """How an item is called by people: the call that made it, or its uri and params."""
    name = record.function or record.uri
    shown = (f"{parameter}={preview(about)}" for parameter, about in record.described().items())
    return printable(f"{name}({', '.join(shown)})" if record.function or record.described() else name)


def preview(about: dict[str, Any]) -> str:
    """A parameter in short: a secret one shows nothing but its type."""
    shown = about.get("preview")
    return str(shown) if shown is not None else f"<{about.get('type', 'secret')}>"


def printable(text: str) -> str:
    """A text that a terminal takes for nothing but text."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
