"""What a code object refers to, and a digest for code whose source is not known.

Instructions are read here rather than with `dis`, whose import costs more than a hit.
"""

from __future__ import annotations

import opcode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

    Chain = tuple[str, ...]

_CODE_TYPE = type(compile("0", "<string>", "eval"))
_NAMES = opcode.opname
_HAS_NAME = frozenset(opcode.hasname)
_HAS_FREE = frozenset(opcode.hasfree)
_HAS_LOCAL = frozenset(opcode.haslocal)
_HAS_CONSTANT = frozenset(opcode.hasconst)
_EXTENDED = opcode.opmap["EXTENDED_ARG"]
_NOTHING = frozenset(
    opcode.opmap[name] for name in ("CACHE", "NOP", "RESUME", "PUSH_NULL") if name in opcode.opmap
)
_ROOTS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"))
_CELLS = frozenset(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"))
_LOCALS = frozenset(("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK", "LOAD_FAST_AND_CLEAR"))
_STORES = frozenset(("STORE_FAST", "STORE_DEREF", "STORE_GLOBAL", "STORE_NAME"))
_ATTRIBUTES = frozenset(("LOAD_ATTR", "LOAD_METHOD"))
# Two instructions on local variables in one, from Python 3.13 on.
_PAIRS = {
    f"{one}_{other}": (one, other)
    for one, other in (
        ("LOAD_FAST", "LOAD_FAST"),
        ("LOAD_FAST_BORROW", "LOAD_FAST_BORROW"),
        ("STORE_FAST", "LOAD_FAST"),
        ("STORE_FAST", "STORE_FAST"),
    )
}
# How far an argument is shifted to make room for flags. LOAD_ATTR got its flag when LOAD_METHOD became a
# pseudo instruction, one with a number that no byte holds.
_SHIFTS = {
    "LOAD_GLOBAL": 1,
    "LOAD_SUPER_ATTR": 2,
    "LOAD_ATTR": int(opcode.opmap.get("LOAD_METHOD", 256) > 255),  # noqa: PLR2004  the largest byte
}
# A docstring sets this flag from Python 3.13 on; whether a code is nested is not its own affair.
_FLAGS_WITHOUT_EFFECT = 0x4000000 | 0x10


class Import:
    """One name that an import statement binds.

    Attributes:
        module: the name of the module, relative if `level` is not 0.
        level: how many dots stand before it.
        member: what is taken from the module, an empty text if it is the module itself.
        bound: the name that the code has for it.
        binds_top: whether `import a.b` binds `a`.
    """

    __slots__ = ("binds_top", "bound", "level", "member", "module")

    def __init__(self, module: str, level: int, member: str, bound: str, *, binds_top: bool) -> None:
        self.module = module
        self.level = level
        self.member = member
        self.bound = bound
        self.binds_top = binds_top


class References:
    """The names that a code object and the code nested in it refer to.

    Attributes:
        chains: a global name with the attributes read from it: `("np", "linalg", "norm")`.
        cell_chains: the same for variables of an enclosing function.
        local_chains: the same for variables of its own.
        imports: what import statements bind.
        attributes: every attribute name that is read, of whatever object.
    """

    __slots__ = ("attributes", "cell_chains", "chains", "imports", "local_chains")

    def __init__(self, code: CodeType) -> None:
        self.chains: set[Chain] = set()
        self.cell_chains: set[Chain] = set()
        self.local_chains: set[Chain] = set()
        self.imports: list[Import] = []
        self.attributes: set[str] = set()
        for part in nested(code):
            self._read_chains(part)
            self._read_imports(part)

    def of_import(self, imported: Import) -> list[Chain]:
        """Return how the name that an import statement binds is used."""
        found = self.chains | self.cell_chains | self.local_chains
        return sorted(chain for chain in found if chain[0] == imported.bound)

    def _read_chains(self, code: CodeType) -> None:
        chain: list[str] = []
        chains = self.chains
        for name, value in instructions(code):
            if name in _ATTRIBUTES:
                self.attributes.add(str(value))
                if chain:
                    chain.append(str(value))
                continue
            if chain:
                chains.add(tuple(chain))
                chain = []
            if name in _ROOTS:
                chain, chains = [str(value)], self.chains
            elif name in _CELLS:
                chain, chains = [str(value)], self.cell_chains
            elif name in _LOCALS and isinstance(value, str):
                chain, chains = [value], self.local_chains
            elif name == "IMPORT_FROM":
                self.attributes.add(str(value))
        if chain:
            chains.add(tuple(chain))

    def _read_imports(self, code: CodeType) -> None:
        constants: list[object] = [None, None]
        statement: tuple[str, int, bool] | None = None
        member = ""
        for name, value in instructions(code):
            if name in {"LOAD_CONST", "LOAD_SMALL_INT"}:
                constants = [constants[1], value]
            elif name == "IMPORT_NAME":
                level, names = constants
                statement = str(value), level if isinstance(level, int) else 0, bool(names)
                member = ""
            elif name == "IMPORT_FROM":
                member = str(value)
            elif name in _STORES and statement is not None:
                module, level, takes_members = statement
                if takes_members and not member:
                    statement = None
                    continue
                # `import a.b as c` takes members on its way to the last module.
                binds_top = not takes_members and not member and "." in module
                taken = member if takes_members else ""
                self.imports.append(Import(module, level, taken, str(value), binds_top=binds_top))
                member = ""
                statement = statement if takes_members else None


def nested(code: CodeType) -> Iterator[CodeType]:
    """Yield the code object and all code objects among its constants."""
    waiting = [code]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(constant for constant in part.co_consts if isinstance(constant, _CODE_TYPE))


def instructions(code: CodeType) -> Iterator[tuple[str, object]]:
    """Yield `(name, argument)` of each instruction, the argument resolved if it is a name or a constant."""
    raw = code.co_code
    cells = [name for name in code.co_cellvars if name not in code.co_varnames]
    places = (*code.co_varnames, *cells, *code.co_freevars)
    extended = 0
    for offset in range(0, len(raw), 2):
        operation = raw[offset]
        argument = raw[offset + 1] | extended
        if operation == _EXTENDED:
            extended = argument << 8
            continue
        extended = 0
        if operation in _NOTHING:
            continue
        name = _NAMES[operation]
        if name in _PAIRS:
            one, other = _PAIRS[name]
            yield one, _local(code, argument >> 4)
            yield other, _local(code, argument & 15)
        elif operation in _HAS_NAME:
            yield name, code.co_names[argument >> _SHIFTS.get(name, 0)]
        elif operation in _HAS_CONSTANT and argument < len(code.co_consts):
            yield name, code.co_consts[argument]
        elif operation in _HAS_FREE and argument < len(places):
            yield name, places[argument]
        elif operation in _HAS_LOCAL:
            yield name, _local(code, argument)
        else:
            yield name, argument


def _local(code: CodeType, place: int) -> object:
    """Return the variable's name; a cell that is handed on to a nested function has none here."""
    return code.co_varnames[place] if place < len(code.co_varnames) else place


def encode(code: CodeType) -> bytes:
    """Return a text of what the code object does; it differs between Python versions.

    File names, lines and docstrings do not count: a docstring is a constant that no instruction loads.
    """
    pieces: list[str] = []
    waiting: list[object] = [code]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        assert isinstance(item, _CODE_TYPE)  # noqa: S101  only these two kinds are put there
        counts = (item.co_argcount, item.co_posonlyargcount, item.co_kwonlyargcount)
        flags = item.co_flags & ~_FLAGS_WITHOUT_EFFECT
        names = (item.co_varnames, item.co_cellvars, item.co_freevars)
        pieces.append(f"code {item.co_name} {counts} {flags} {names} {item.co_exceptiontable!r}\n")
        inner: list[object] = []
        for name, argument in instructions(item):
            if isinstance(argument, _CODE_TYPE):
                inner.extend((f"{name}:", argument))
            else:
                inner.append(f"{name} {constant_text(argument)}\n")
        waiting.append("end\n")
        waiting.extend(reversed(inner))
    return "".join(pieces).encode("utf-8", "backslashreplace")


def constant_text(value: object) -> str:
    """Return a constant with its type, sets in an order that does not depend on the hash seed."""
    if isinstance(value, tuple):
        return "(" + ",".join(map(constant_text, value)) + ")"
    if isinstance(value, frozenset):
        return "{" + ",".join(sorted(map(constant_text, value))) + "}"
    if type(value) is int:
        return hex(value)
    return f"{type(value).__name__}:{value!r}"
