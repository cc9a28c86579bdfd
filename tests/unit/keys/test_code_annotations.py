"""Annotations that run: in classes that libraries make of them, what they refer to is code like other code."""

# ruff: noqa: E501  a case is easier to read with its text on one line

from __future__ import annotations

import sys
import types
from textwrap import dedent

import pytest

from cachedeco.keys.code import Code

START = dedent("""
    from typing import Annotated, Optional
    LIMIT = 7
    def check(value):
        return value + 1
    """)
NESTED = ("size: int = 5", "size: int = 6")
CHECKED = ("value + 1", "value + 2")
LIMITED = ("LIMIT = 7", "LIMIT = 8")
PYDANTIC = dedent("""
    import pydantic
    from pydantic import AfterValidator, BaseModel, Field
    class Item(BaseModel):
        size: int = 5
    """)
CASES = [
    ("pydantic", PYDANTIC + "class Outer(BaseModel):\n    items: list[Item]\n", NESTED),
    ("pydantic", PYDANTIC + "class Outer(BaseModel):\n    item: 'Optional[Item]' = None\n", NESTED),
    ("pydantic", PYDANTIC + "class Outer(BaseModel):\n    n: Annotated[int, AfterValidator(check)]\n", CHECKED),
    ("pydantic", PYDANTIC + "class Outer(BaseModel):\n    n: list[Annotated[int, AfterValidator(check)]]\n", CHECKED),
    ("pydantic", PYDANTIC + "class Outer(BaseModel):\n    n: Annotated[int, Field(gt=LIMIT)]\n", LIMITED),
    ("pydantic", PYDANTIC + "@pydantic.validate_call\ndef Outer(x: list[Item]):\n    return x\n", NESTED),
    ("pydantic", PYDANTIC + "Outer = pydantic.TypeAdapter(list[Item]).validate_python\n", NESTED),
    ("pydantic", PYDANTIC + (
        "def make():\n    class Inner(BaseModel):\n        size: int = 5\n    class Outer(BaseModel):\n        items: list[Inner]\n"
        "    return Outer\ndel Item\nOuter = make()\n"
    ), NESTED),
    ("attrs", "import attrs\n@attrs.define\nclass Item:\n    size: int = 5\n@attrs.define\nclass Outer:\n    items: list[Item]\n", NESTED),
    ("attrs", "import attrs\n@attrs.define\nclass Outer:\n    n: int = attrs.field(converter=check)\n", CHECKED),
    ("msgspec", (
        "import msgspec\nclass Item(msgspec.Struct):\n    size: int = 5\nclass Outer(msgspec.Struct):\n    items: list[Item]\n"
    ), NESTED),
    ("msgspec", "import msgspec\nclass Outer(msgspec.Struct):\n    n: Annotated[int, msgspec.Meta(gt=LIMIT)]\n", LIMITED),
    ("msgspec", "import msgspec\nclass Outer(msgspec.Struct, omit_defaults=False):\n    n: int = 1\n", ("=False", "=True")),
    ("msgspec", "import msgspec\nclass Outer(msgspec.Struct):\n    n: list = msgspec.field(default_factory=lambda: check(1))\n", CHECKED),
    ("dataclasses", (
        "from dataclasses import dataclass\n@dataclass\nclass Item:\n    size: int = 5\n@dataclass\nclass Outer:\n    items: list[Item]\n"
    ), NESTED),
]  # fmt: skip


def digest_of(text: str) -> bytes:
    """Return the digest of the text's function `f`, in a module of its own."""
    module = types.ModuleType("subject_of_annotations")
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, "<string>", "exec", dont_inherit=True), vars(module))
        return Code(module.f).digest()
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize(("library", "body", "change"), CASES)
def test_what_a_librarys_annotation_refers_to_counts(library, body, change, late):
    """An edit behind an annotation change what the class accepts and makes of it."""
    pytest.importorskip(library)
    text = "from __future__ import annotations\n" * late
    text += START + body + "def f(x):\n    return Outer\n"
    changed = text.replace(*change)
    assert changed != text
    counts = not (late and library == "dataclasses")  # dataclasses take a text as it is
    assert digest_of(text) == digest_of(text)
    assert (digest_of(text) != digest_of(changed)) == counts
