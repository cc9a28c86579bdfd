"""What a piece of code uses, as a graph: functions, classes, globals, packages, each a named part.

A part's text says what it is itself and, line by line, which part each name in it stands for. So the texts
of all parts describe the graph whole, whatever its cycles and wherever the walk began.
"""

from __future__ import annotations

import threading
from types import FunctionType

import xxhash

from cachedeco.keys import code_origin
from cachedeco.keys.code_watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from cachedeco.keys.code_origin import Origin

    Pieces = list["str | Node"]

ABSENT = object()
# Attributes of this name hold what the decorator knows about a cached function.
CACHED = "__cachedeco__"

active = threading.local()


class Node:
    """One part.

    Attributes:
        title: its name among the parts.
        reference: how other parts call it; for a package without the version, which is not their affair.
        head: what the part is by itself, normalised.
        source: makes the text of `head` for people.
        lines: label and meaning of each name that the part uses.
    """

    __slots__ = ("head", "lines", "reference", "source", "title")

    def __init__(self, title: str, head: bytes = b"", source: Callable[[], str] | None = None) -> None:
        self.title = self.reference = title
        self.head = head
        self.source = source
        self.lines: list[tuple[str, Pieces]] = []

    def rendered(self) -> list[str]:
        """Return the lines as text, sorted."""
        return sorted({_line(label, pieces) for label, pieces in self.lines})

    def text(self) -> str:
        """Return the part as text for people; it differs exactly where the digest does."""
        source = self.source() if self.source is not None else self.head.decode("utf-8", "replace")
        return "\n".join(([source] if source else []) + self.rendered())

    def digest(self) -> bytes:
        """Return the digest of the part alone."""
        return join_digest([self.head, *(as_bytes(line) for line in self.rendered())])


def _line(label: str, pieces: Pieces) -> str:
    meaning = "".join(piece if isinstance(piece, str) else piece.reference for piece in pieces)
    return f"# {label} is {meaning}" if label else meaning


def join_digest(parts: Iterable[bytes]) -> bytes:
    """Return the digest of byte strings, their lengths included."""
    state = xxhash.xxh3_128()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


class Graph:
    """Collects the parts that are reachable from some code, and what their digest rests on.

    Args:
        root: the function that the digest is of, if it is one; its part is called `body`.
        bound_values: whether values in the root's closure count, as they do where the key does not have them.
        classes: classes that count beside what the root uses.
    """

    def __init__(
        self, root: object, *, bound_values: bool, classes: Iterable[type] = (), own: object = None
    ) -> None:
        self.watch = Watch()
        self.nodes: dict[object, Node] = {}
        self.root = root
        self.bound_values = bound_values
        self.own = own
        # Every attribute name that the code reads, and the dotted names that it begins with.
        self.attributes: set[str] = set()
        self.dotted: set[str] = set()
        # The functions, classes and modules that are parts, and what was added to each because it is read.
        self.live: list[tuple[object, Node, set[str]]] = []
        self._waiting: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        # Nodes go by address, so what they stand for has to stay alive.
        self._held: list[object] = []
        outer = getattr(active, "graph", None)
        active.graph = self
        try:
            self._build(root, classes)
        finally:
            active.graph = outer
        self.watch.finish()

    def _build(self, root: object, classes: Iterable[type]) -> None:
        from cachedeco.keys.code_describe import describe
        from cachedeco.keys.code_late import add_late

        if isinstance(root, FunctionType):
            self.function_node(root, "body")
        elif isinstance(root, type):
            self.class_node(root)
        else:
            self.add(("body",), "body", describe(self, root, "function"))
        for cls in sorted(classes, key=code_origin.class_title):
            describe(self, cls, "class")
        self._expand()
        while add_late(self):
            self._expand()
        self._tell_apart()

    def _expand(self) -> None:
        while self._waiting:
            expand, arguments = self._waiting.pop()
            expand(self, *arguments)

    def hold(self, value: object) -> int:
        """Keep the value alive and return its address."""
        self._held.append(value)
        return id(value)

    def meet(self, value: object) -> None:
        """Take in code that was found inside a value while the value was measured."""
        from cachedeco.keys.code_describe import describe

        describe(self, value, "value")

    def add(self, key: object, title: str, pieces: Pieces) -> Node:
        """Return the part of this key, made of one line if it is new."""
        node = self.nodes.get(key)
        if node is None:
            node = self.nodes[key] = Node(title)
            node.lines.append(("", pieces))
        return node

    def package_node(self, origin: Origin) -> Node:
        """Return the part of an installed package."""
        _, name, version = origin
        key = ("package", name, version)
        if key not in self.nodes:
            node = self.nodes[key] = Node(f"package {name} {version}", version.encode())
            node.reference = f"package {name}"
        return self.nodes[key]

    def function_node(self, function: FunctionType, title: str = "") -> Node:
        """Return the part of a function, whose uses are looked at later."""
        node = self.nodes.get(("code", id(function)))
        if node is None:
            from cachedeco.keys.code_functions import expand

            name = f"{code_origin.module_title(function.__globals__)}.{function.__code__.co_qualname}"
            node = self._code_node(function, title or f"helper {name}", expand)
        return node

    def class_node(self, cls: type) -> Node:
        """Return the part of a class, whose members are looked at later."""
        node = self.nodes.get(("code", id(cls)))
        if node is None:
            from cachedeco.keys.code_classes import expand

            node = self._code_node(cls, f"class {code_origin.class_title(cls)}", expand)
        return node

    def module_node(self, module: ModuleType) -> Node:
        """Return the part of a module that is passed on, whose names are looked at later."""
        node = self.nodes.get(("code", id(module)))
        if node is None:
            from cachedeco.keys.code_modules import expand

            node = self._code_node(module, f"module {code_origin.module_title(vars(module))}", expand)
        return node

    def _code_node(self, value: object, title: str, expand: Callable[..., None]) -> Node:
        node = self.nodes["code", self.hold(value)] = Node(title)
        self.live.append((value, node, set()))
        self._waiting.append((expand, (value, node)))
        return node

    def parts(self) -> dict[str, Node]:
        """Return the parts by title; parts of one title are equal."""
        return {node.title: node for node in self.nodes.values()}

    def digest(self) -> bytes:
        """Return the digest of all parts with their names."""
        parts = self.parts()
        return join_digest(
            item for title in sorted(parts) for item in (as_bytes(title), parts[title].digest())
        )

    def _tell_apart(self) -> None:
        """Give different parts of one title (lambdas, functions made by one factory) different titles.

        Their labels come from what they are and use, to any depth, so that equal ones stay equal in every
        process.
        """
        titles: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            titles.setdefault(node.title, []).append(node)
        if len(titles) == len(self.nodes):
            return
        labels = _stable_labels(list(self.nodes.values()))
        for nodes in titles.values():
            if len({labels[id(node)] for node in nodes}) > 1:
                for node in nodes:
                    node.title = node.reference = f"{node.title} #{labels[id(node)].hex()[:16]}"


def _stable_labels(nodes: list[Node]) -> dict[int, bytes]:
    """Label each node so that two have one label if and only if nothing reachable from them differs."""
    labels = {id(node): join_digest([as_bytes(node.title), node.head]) for node in nodes}
    while True:
        refined = {
            id(node): join_digest(
                [
                    labels[id(node)],
                    *sorted({_labelled(line, labels) for line in node.lines}),
                ]
            )
            for node in nodes
        }
        if len(set(refined.values())) == len(set(labels.values())):
            return refined
        labels = refined


def _labelled(line: tuple[str, Pieces], labels: dict[int, bytes]) -> bytes:
    label, pieces = line
    return join_digest(
        [as_bytes(label), *(as_bytes(p) if isinstance(p, str) else labels[id(p)] for p in pieces)]
    )


def as_bytes(text: str) -> bytes:
    """Return a text as bytes, whatever is in it."""
    return text.encode("utf-8", "backslashreplace")
