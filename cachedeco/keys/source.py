"""The source of a live function: its text, kept from when it was decorated, and proof that it is its source.

A text counts only if compiling it yields the function's code object, constants, names and positions included.
So a file edited after its import, two lambdas on a line or a wrapper under a borrowed name cannot lend their
text to another function.
"""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from _thread import allocate_lock

from cachedeco.keys import code_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ast
    from collections.abc import Iterator, Mapping
    from types import CodeType, FunctionType

    from cachedeco.keys.code_tree import Function

_ONLY_TREE = 0x400
# Cells of a notebook may await at their top level; in other texts the flag changes nothing.
_TOP_LEVEL_AWAIT = 0x2000
_FUTURE_FEATURES = 0x1FE0000
_CODE_TYPE = type(compile("0", "<string>", "eval"))
_SAME = ("co_name", "co_qualname", "co_firstlineno", "co_linetable", "co_exceptiontable", "co_flags")
_TEXTS_KEPT = 4
_NO_STATEMENT = b" \t\f\r\n#)]}"

SENT = "<dynamic-code>"
"""The file that cloudpickle, since 3.1.3, names in all code that it sends by value."""

_texts: dict[str, list[Text]] = {}
# A function that was sent here, and the texts that came with it; what came together has the same globals.
_came_with: weakref.WeakKeyDictionary[FunctionType, list[tuple[str, Text]]] = weakref.WeakKeyDictionary()
_found: dict[int, tuple[weakref.ref[CodeType], Source | None]] = {}
# `warnings.catch_warnings` restores what it saw at its start, so two threads in it can undo each other.
_compiling = allocate_lock()


class Source:
    """The syntax tree of one function, normalised.

    Attributes:
        node: the function's node, with all its decorators.
        code: the code object that the normalised tree compiles to; it has the names that the function uses.
    """

    __slots__ = ("code", "node")

    def __init__(self, node: Function, code: CodeType) -> None:
        self.node = node
        self.code = code


class Text:
    """One state of one file, or the text of one cell."""

    __slots__ = ("content", "parsed", "signature")

    def __init__(self, content: bytes, signature: object) -> None:
        self.content = content
        self.signature = signature
        self.parsed: dict[tuple[int, int, int], _Parsed | None] = {}


class _Parsed:
    """A text compiled twice: as it stands, to be compared, and normalised, to be used."""

    __slots__ = ("normalised", "raw", "tree")

    def __init__(self, content: bytes, filename: str, flags: int) -> None:
        flags |= _TOP_LEVEL_AWAIT
        with _compiling, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.tree: _ast.Module = compile(content, filename, "exec", flags | _ONLY_TREE, dont_inherit=True)
            self.raw: CodeType = compile(self.tree, filename, "exec", flags, dont_inherit=True)
            code_tree.normalise(self.tree)
            self.normalised: CodeType = compile(self.tree, filename, "exec", flags, dont_inherit=True)


def capture(code: CodeType, namespace: Mapping[str, object]) -> None:
    """Keep the text that the code's file has now, so that a later edit of the file does not hide it.

    Args:
        code: the code object of a function.
        namespace: the function's globals.
    """
    filename = _file_of(code, namespace)
    if filename.startswith("<"):
        _capture_cell(filename)
        return
    try:
        status = os.stat(filename)
    except (OSError, ValueError):
        _capture_cell(filename)
        return
    signature = (status.st_size, status.st_mtime_ns, status.st_ino)
    kept = _texts.get(filename)
    if kept and kept[0].signature == signature:
        return
    try:
        with open(filename, "rb") as stream:
            content = stream.read()
    except OSError:
        return
    remember(filename, content, signature)


def remember(filename: str, content: bytes, signature: object) -> None:
    """Add a text to those that a file is known to have had."""
    kept = _texts.get(filename, [])
    same = [text for text in kept if text.content == content]
    text = same[0] if same else Text(content, signature)
    text.signature = signature
    _texts[filename] = [text, *(other for other in kept if other is not text)][:_TEXTS_KEPT]


def receive(function: FunctionType, texts: Mapping[str, bytes]) -> None:
    """Add the texts that have come with a function from another process.

    Args:
        function: as it came.
        texts: what was the file there -> its text.
    """
    for filename, content in texts.items():
        remember(filename, content, None)
    _came_with[function] = [(filename, _texts[filename][0]) for filename in texts]


def captured(code: CodeType, namespace: Mapping[str, object]) -> tuple[str, bytes] | None:
    """Return the file of a code object and the newest text known of it, to be sent along.

    Args:
        code: the code object of a function.
        namespace: the function's globals.
    """
    for filename, text, _ in _matches_sent(code, namespace):
        return filename, text.content
    filename = _file_of(code, namespace)
    kept = _texts.get(filename)
    return (filename, kept[0].content) if kept else None


def _matches_sent(code: CodeType, namespace: Mapping[str, object]) -> list[tuple[str, Text, Source]]:
    """Return the texts that a code object compiles from, if it was sent by value: those that came with it, else any.

    A class comes home from a worker without a text; the text is then that of a cell here.
    """
    if code.co_filename != SENT:
        return []
    functions = [function for function in tuple(_came_with) if function.__globals__ is namespace]
    together = [pair for function in reversed(functions) for pair in _came_with.get(function, ())]
    known = [(filename, text) for filename, texts in tuple(_texts.items()) for text in texts]
    without_file = [pair for pair in reversed(known) if pair[1].signature is None]
    for texts in (together, without_file):
        found = [(*pair, source) for pair in texts if (source := _match(pair[1], code)) is not None]
        if found:
            return found
    return []


def _file_of(code: CodeType, namespace: Mapping[str, object]) -> str:
    filename = namespace.get("__file__") if code.co_filename == SENT else None
    return filename if isinstance(filename, str) else code.co_filename


def _capture_cell(filename: str) -> None:
    # Whoever made a cell has put its text there, so where nobody has imported linecache there is none.
    linecache = sys.modules.get("linecache")
    entry = getattr(linecache, "cache", {}).get(filename)
    if isinstance(entry, tuple) and len(entry) == 4:  # noqa: PLR2004  (size, mtime, lines, full name)
        remember(filename, "".join(entry[2]).encode("utf-8", "surrogatepass"), None)


def find(code: CodeType, namespace: Mapping[str, object]) -> Source | None:
    """Return the source of a live code object, or None where no text compiles to it.

    Args:
        code: the code object of a function.
        namespace: the function's globals; their loader knows the text of modules in archives.
    """
    known = _found.get(id(code))
    if known is not None and known[0]() is code:
        return known[1]
    source = _search(code, namespace)
    place = id(code)
    # Equal code objects are not the same source, so this table goes by identity.
    _found[place] = (weakref.ref(code, lambda _: _found.pop(place, None)), source)
    return source


def _search(code: CodeType, namespace: Mapping[str, object]) -> Source | None:
    filename = _file_of(code, namespace)
    sent = [source for *_, source in _matches_sent(code, namespace)]
    if sent:
        # Of texts that only a decorator tells apart nobody knows which it was.
        return sent[0] if len({code_tree.encode(source.node) for source in sent}) == 1 else None
    for text in _texts.get(filename, ()):
        source = _match(text, code)
        if source is not None:
            return source
    capture(code, namespace)
    if filename not in _texts:
        _capture_from_loader(filename, namespace)
    for text in _texts.get(filename, ())[:1]:
        return _match(text, code)
    return None


def _capture_from_loader(filename: str, namespace: Mapping[str, object]) -> None:
    get_source = getattr(namespace.get("__loader__"), "get_source", None)
    if get_source is None:
        return
    try:
        content = get_source(namespace.get("__name__"))
    except Exception:  # noqa: BLE001  a foreign loader may raise anything; the code object is then digested
        return
    if isinstance(content, str):
        remember(filename, content.encode("utf-8", "surrogatepass"), None)


def _match(text: Text, code: CodeType) -> Source | None:
    for start, stop in _extents(text, code):
        parsed = _parse(text, start, stop, code)
        if parsed is None:
            continue
        path = _path_to(parsed.raw, code)
        node = _node_of(parsed, code, path) if path is not None else None
        if path is not None and node is not None:
            used = _follow(parsed.normalised, path)
            return Source(node, used if used is not None and used.co_name == code.co_name else code)
    return None


def _parse(text: Text, start: int, stop: int, code: CodeType) -> _Parsed | None:
    flags = code.co_flags & _FUTURE_FEATURES
    place = (start, stop, flags)
    if place not in text.parsed:
        content = text.content
        if stop >= 0:
            content = b"\n" * start + b"".join(content.splitlines(keepends=True)[start:stop])
        try:
            text.parsed[place] = _Parsed(content, code.co_filename, flags)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            # A stretch that is no program by itself, or a text too deep or broken: the next one is tried.
            text.parsed[place] = None
    return text.parsed[place]


def _extents(text: Text, code: CodeType) -> Iterator[tuple[int, int]]:
    """Yield ranges of lines to try: the top-level statement that seems to hold the code, then everything.

    Guessing the statement saves parsing a long module; a wrong guess does not compile to the live code.
    """
    lines = text.content.splitlines()
    start = code.co_firstlineno - 1
    if 0 <= start < len(lines):
        while start > 0 and _inside_statement(lines[start]):
            start -= 1
        stop = start
        while stop < len(lines) and (_inside_statement(lines[stop]) or lines[stop].startswith(b"@")):
            stop += 1
        stop += 1
        while stop < len(lines) and _inside_statement(lines[stop]):
            stop += 1
        yield start, min(stop, len(lines))
    yield 0, -1


def _inside_statement(line: bytes) -> bool:
    return not line or line[0] in _NO_STATEMENT


def _path_to(module: CodeType, code: CodeType) -> tuple[int, ...] | None:
    """Return where the code is among the nested codes of the compiled text, None if it is not."""
    waiting: list[tuple[CodeType, tuple[int, ...]]] = [(module, ())]
    while waiting:
        part, path = waiting.pop()
        if _same_code(part, code):
            return path
        waiting.extend((inner, (*path, index)) for index, inner in enumerate(_inner(part)))
    return None


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, _CODE_TYPE)]


def _follow(code: CodeType, path: tuple[int, ...]) -> CodeType | None:
    for index in path:
        inner = _inner(code)
        if index >= len(inner):
            return None
        code = inner[index]
    return code


def _same_code(one: CodeType, other: CodeType) -> bool:
    """Compare two code objects with their positions, which `==` leaves out in some versions."""
    if any(getattr(one, name) != getattr(other, name) for name in _SAME) or one != other:
        return False
    return all(map(_same_code, _inner(one), _inner(other)))


def _node_of(parsed: _Parsed, code: CodeType, path: tuple[int, ...]) -> Function | None:
    candidates: list[Function] = []
    for node in code_tree.walk(parsed.tree):
        if code_tree.is_function(node) and code_tree.name_of(node) == code.co_name:
            decorators = getattr(node, "decorator_list", [])
            if min(item.lineno for item in (node, *decorators)) == code.co_firstlineno:
                candidates.append(node)
    if len(candidates) > 1:
        candidates = [node for node in candidates if _is_at(parsed, node, code, path)]
    return candidates[0] if len(candidates) == 1 else None


def _is_at(parsed: _Parsed, node: Function, code: CodeType, path: tuple[int, ...]) -> bool:
    """Tell whether the node compiles to the code at the path, by compiling it with another body."""
    with code_tree.marked(node) as mark, _compiling, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flags = code.co_flags & _FUTURE_FEATURES | _TOP_LEVEL_AWAIT
        module = compile(parsed.tree, code.co_filename, "exec", flags, dont_inherit=True)
    found = _follow(module, path)
    return found is not None and mark in found.co_consts


def _after_fork_in_child() -> None:
    # A thread that the child lacks may have been compiling.
    global _compiling  # noqa: PLW0603 - the one lock of this module
    _compiling = allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
