"""Syntax trees without what does not run: docstrings, annotations of functions, bare constants.

The nodes come from `compile(..., PyCF_ONLY_AST)`, so the module `ast` is needed only to show a tree as text.
"""

from __future__ import annotations

import _ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeGuard

    Function = _ast.FunctionDef | _ast.AsyncFunctionDef | _ast.Lambda

# Decorators that are known not to read the annotations of what they decorate.
_BLIND_DECORATORS = frozenset(
    "abstractmethod asynccontextmanager cache cached cached_property classmethod contextmanager deleter "
    "final getter jit lru_cache njit override property setter staticmethod wraps".split()
)
_SKIPPED_FIELDS = frozenset(("ctx", "kind", "type_comment"))
_ONLY_TREE = 0x400
_FUNCTIONS = (_ast.FunctionDef, _ast.AsyncFunctionDef)


def walk(tree: _ast.AST) -> Iterator[_ast.AST]:
    """Yield a tree's nodes, in no particular order, without recursion."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, _ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(item for item in value if isinstance(item, _ast.AST))


def is_function(node: _ast.AST) -> TypeGuard[Function]:
    """Tell whether the node makes a function."""
    return isinstance(node, (*_FUNCTIONS, _ast.Lambda))


def name_of(node: Function) -> str:
    """Return the name that the function's code object has."""
    return "<lambda>" if isinstance(node, _ast.Lambda) else node.name


class marked:  # noqa: N801  used as a context manager only
    """Give a lambda another body, a constant that is nowhere else, for as long as the context lasts."""

    def __init__(self, node: Function) -> None:
        self.node = node
        self.body: Any = node.body

    def __enter__(self) -> str:
        mark = f"cachedeco mark {id(self.node)}"
        constant = _ast.Constant(value=mark, **_position(self.node))
        if isinstance(self.node, _ast.Lambda):
            self.node.body = constant
        else:
            self.node.body = [_ast.Return(value=constant, **_position(self.node))]
        return mark

    def __exit__(self, *_: object) -> None:
        self.node.body = self.body


def normalise(tree: _ast.Module) -> None:
    """Take out of a tree, in place, what has no effect on what its functions do.

    Positions stay as they were. Annotations in class bodies stay: dataclasses and the like are made of them.
    So do those of a function under a decorator that may read them, as `singledispatch` does.
    """
    waiting: list[tuple[_ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, in_function = waiting.pop()
        if is_function(node) or isinstance(node, _ast.ClassDef):
            in_function = not isinstance(node, _ast.ClassDef)
            _drop_signature_annotations(node)
        elif isinstance(node, _ast.JoinedStr):
            node.values[:] = _joined(node.values)
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, _ast.AST):
                waiting.append((value, in_function))
            elif isinstance(value, list):
                if value and isinstance(value[0], _ast.stmt):
                    value[:] = _statements(value, in_function=in_function)
                waiting.extend((item, in_function) for item in value if isinstance(item, _ast.AST))


def decorator_name(node: _ast.AST) -> str:
    """Return the last name of a decorator's expression, or an empty text."""
    if isinstance(node, _ast.Call):
        node = node.func
    if isinstance(node, _ast.Attribute):
        return node.attr
    return node.id if isinstance(node, _ast.Name) else ""


def decorator_chain(node: _ast.AST) -> tuple[str, ...]:
    """Return the dotted names that lead to a decorator, `()` for another kind of expression.

    A call of a call (`@make(1)(2)`) has the names of the innermost function.
    """
    names: list[str] = []
    while not isinstance(node, _ast.Name):
        if isinstance(node, _ast.Call):
            node = node.func
        elif isinstance(node, _ast.Attribute):
            names.append(node.attr)
            node = node.value
        else:
            return ()
    return (node.id, *reversed(names))


def names_around(node: Function) -> Iterator[tuple[str, ...]]:
    """Yield the dotted names in what a function's decorators are given.

    Where decorators may read its annotations, these have been kept, and count as well.
    """
    if isinstance(node, _ast.Lambda):
        return
    for decorator in node.decorator_list:
        call: _ast.AST = decorator
        while isinstance(call, (_ast.Call, _ast.Attribute)):
            if isinstance(call, _ast.Call):
                for argument in (*call.args, *call.keywords):
                    yield from names_in(argument)
                call = call.func
            else:
                call = call.value
    for part in walk(node.args):
        if isinstance(part, _ast.arg) and part.annotation is not None:
            yield from names_in(part.annotation, in_texts=True)
    if node.returns is not None:
        yield from names_in(node.returns, in_texts=True)


def names_in(tree: _ast.AST, *, in_texts: bool = False) -> Iterator[tuple[str, ...]]:
    """Yield the dotted names in an expression, and in the texts in it where these are expressions too."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        chain = decorator_chain(node) if isinstance(node, (_ast.Name, _ast.Attribute)) else ()
        if in_texts and isinstance(node, _ast.Constant) and isinstance(node.value, str):
            yield from names_in_text(node.value)
        elif chain:
            yield chain
        else:
            for field in node._fields:
                value = getattr(node, field, None)
                found = value if isinstance(value, list) else [value]
                waiting.extend(item for item in found if isinstance(item, _ast.AST))


def names_in_text(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the dotted names in an annotation that is a text; none where it is no expression."""
    try:
        tree = compile(text.strip(), "<annotation>", "eval", _ONLY_TREE, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    # A text within a text is one letter shorter at least, so this ends.
    yield from names_in(tree, in_texts=True)


def _drop_signature_annotations(node: _ast.AST) -> None:
    if not isinstance(node, _FUNCTIONS):
        return
    if not all(decorator_name(item) in _BLIND_DECORATORS for item in node.decorator_list):
        return
    node.returns = None
    arguments = node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        argument.annotation = None
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            extra.annotation = None


def _statements(statements: list[_ast.stmt], *, in_function: bool) -> list[_ast.stmt]:
    kept: list[_ast.stmt] = []
    for statement in statements:
        if isinstance(statement, _ast.Expr) and isinstance(statement.value, _ast.Constant):
            continue
        if in_function and isinstance(statement, _ast.AnnAssign):
            kept.append(_without_annotation(statement))
        else:
            kept.append(statement)
    return kept or [_ast.Pass(**_position(statements[0]))]


def _joined(values: list[_ast.expr]) -> list[_ast.expr]:
    """Join the constant stretches of a formatted text; Python versions divide them differently."""
    joined: list[_ast.expr] = []
    for value in values:
        last = joined[-1] if joined else None
        if isinstance(value, _ast.Constant) and isinstance(value.value, str):
            if not value.value:
                continue
            if isinstance(last, _ast.Constant) and isinstance(last.value, str):
                joined[-1] = _ast.Constant(value=last.value + value.value, **_position(last))
                continue
        joined.append(value)
    return joined


def _without_annotation(statement: _ast.AnnAssign) -> _ast.stmt:
    if statement.value is not None:
        return _ast.Assign(targets=[statement.target], value=statement.value, **_position(statement))
    # Without a value the statement still makes the name a local one.
    statement.annotation = _ast.Constant(value=None, **_position(statement.annotation))
    return statement


def _position(node: _ast.AST) -> dict[str, Any]:
    names = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    return {name: getattr(node, name, None) for name in names}


def without_decorators(node: Function, drop: Callable[[_ast.expr], bool]) -> Function:
    """Return the function's node without the decorators that `drop` names; the node itself stays."""
    if isinstance(node, _ast.Lambda):
        return node
    kept = [item for item in node.decorator_list if not drop(item)]
    if len(kept) == len(node.decorator_list):
        return node
    fields: dict[str, Any] = {field: getattr(node, field, None) for field in node._fields}
    fields["decorator_list"] = kept
    copy: Function = type(node)(**fields, **_position(node))
    return copy


def encode(tree: _ast.AST) -> bytes:
    """Return one text for equal trees, the same under every Python version.

    Fields that are None or empty are left out: versions differ in which fields a node has.
    """
    pieces: list[str] = []
    waiting: list[object] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            pieces.append(item)
        elif isinstance(item, _ast.AST):
            pieces.append("(" + type(item).__name__)
            waiting.append(")")
            for field in reversed(item._fields):
                _push_field(waiting, item, field)
    return "".join(pieces).encode("utf-8", "backslashreplace")


def _push_field(waiting: list[object], node: _ast.AST, field: str) -> None:
    value = getattr(node, field, None)
    constant = isinstance(node, _ast.Constant) and field == "value"
    if not constant and (value is None or value == [] or field in _SKIPPED_FIELDS):
        return
    if isinstance(value, list):
        waiting.append("]")
        waiting.extend("None," if entry is None else _leaf_or_node(entry) for entry in reversed(value))
        waiting.append("[")
    else:
        waiting.append(_leaf_or_node(value))
    waiting.append(" " + field + "=")


def _leaf_or_node(value: object) -> object:
    if isinstance(value, _ast.AST):
        return value
    # Decimal digits of an int are limited in number, hexadecimal ones are not.
    text = hex(value) if type(value) is int else repr(value)
    return type(value).__name__ + ":" + text + ","


def text(tree: _ast.AST) -> str:
    """Return the tree as source text, for people."""
    import ast

    try:
        return ast.unparse(tree)
    except RecursionError:
        return encode(tree).decode()
