"""Conditions as text, such as ``status = failed and size > 1MB``: from words to a tree.

Grammar, from what binds least to what binds most; words may be written in capitals::

    condition  = all {"or" all}
    all        = one {"and" one}
    one        = "not" one | "(" condition ")" | test
    test       = name ("=" | "!=" | "<" | "<=" | ">" | ">=" | "like") value
               | name ["not"] "in" "(" value {"," value} ")"
               | name "between" value "and" value
               | name "exists"
    name       = word | quoted text
    value      = number, perhaps with a unit | word | quoted text

``==`` and ``<>`` may be written for ``=`` and ``!=``. A text in quotes is always a text; a quote in it is
written twice.
"""

from __future__ import annotations

import re

from cachedeco.errors import QueryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<operator><=|>=|<>|!=|==|=|<|>)
      | (?P<sign>[(),])
      | (?P<word>[^\s()'",=<>!]+)
    )""",
    re.VERBOSE,
)
_COMPARISONS = {"=": "=", "==": "=", "!=": "<>", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_RESERVED = frozenset({"and", "or", "not", "in", "between", "like", "exists"})
_DEEPEST = 100


class Token:
    """One word of a condition.

    Attributes:
        kind: ``"text"``, ``"operator"``, ``"sign"``, ``"word"`` or ``"end"``.
        text: as it was written, a quoted text without its quotes.
        at: where it begins.
    """

    __slots__ = ("at", "kind", "text")

    def __init__(self, kind: str, text: str, at: int) -> None:
        self.kind = kind
        self.text = text
        self.at = at

    def says(self, word: str) -> bool:
        """Whether it is that word or sign, and not a text in quotes."""
        return self.kind != "text" and self.text.lower() == word


class Comparison:
    """One comparison.

    Attributes:
        name: what is compared.
        operator: ``= <> < <= > >= like in between exists``.
        values: what it is compared with; none for ``exists``.
    """

    __slots__ = ("name", "operator", "values")

    def __init__(self, name: Token, operator: str, values: list[Token]) -> None:
        self.name = name
        self.operator = operator
        self.values = values


class Not:
    """The opposite of a condition."""

    __slots__ = ("one",)

    def __init__(self, one: Node) -> None:
        self.one = one


class Joined:
    """Several conditions, of which all are to hold (``"AND"``) or any (``"OR"``)."""

    __slots__ = ("nodes", "word")

    def __init__(self, word: str, nodes: list[Node]) -> None:
        self.word = word
        self.nodes = nodes


if TYPE_CHECKING:
    Node = Comparison | Not | Joined


def parse(text: str) -> Node:
    """The tree of a condition.

    Raises:
        QueryError: it is none; the message points at the place.

    Examples:
        >>> parse("label = a and not size > 1MB").word
        'AND'
    """
    parser = _Parser(text)
    node = parser.condition()
    if parser.next.kind != "end":
        raise parser.error("here one of `and`, `or` or the end is expected")
    return node


def pointed(text: str, at: int, message: str) -> QueryError:
    """An error that points at a place of a condition."""
    shown = text.replace("\n", " ").replace("\t", " ")
    return QueryError(f"{message}\n  {shown}\n  {' ' * at}^", text=text, at=at)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self.next = self._read()

    def error(self, message: str, token: Token | None = None) -> QueryError:
        return pointed(self._text, (token or self.next).at, message)

    def condition(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.error(f"the condition is nested more than {_DEEPEST} deep")
        node = self._joined("or", lambda: self._joined("and", self._one))
        self._depth -= 1
        return node

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        nodes = [part()]
        while self.next.says(word):
            self._take()
            nodes.append(part())
        return nodes[0] if len(nodes) == 1 else Joined(word.upper(), nodes)

    def _one(self) -> Node:
        negations = 0
        while self.next.says("not"):
            self._take()
            negations += 1
        node = self._in_brackets() if self.next.says("(") else self._test()
        return Not(node) if negations % 2 else node

    def _in_brackets(self) -> Node:
        opened = self._take()
        node = self.condition()
        if not self.next.says(")"):
            raise self.error("this bracket is not closed", opened)
        self._take()
        return node

    def _test(self) -> Node:
        name = self._name()
        negated = self.next.says("not")
        if negated:
            self._take()
            if not self.next.says("in"):
                raise self.error("behind `not`, here `in` is expected")
        operator = self._take()
        if operator.kind == "operator":
            return Comparison(name, _COMPARISONS[operator.text], [self._value()])
        if operator.says("like"):
            return Comparison(name, "like", [self._value()])
        if operator.says("exists"):
            return Comparison(name, "exists", [])
        if operator.says("between"):
            low = self._value()
            if not self.next.says("and"):
                raise self.error("`between` needs two values with `and` between them")
            self._take()
            return Comparison(name, "between", [low, self._value()])
        if operator.says("in"):
            test = Comparison(name, "in", self._values())
            return Not(test) if negated else test
        raise self.error(
            f"behind {name.text} an operator is expected: = != < <= > >= like in between exists", operator
        )

    def _name(self) -> Token:
        token = self._take()
        if token.kind not in {"word", "text"} or (token.kind == "word" and token.text.lower() in _RESERVED):
            raise self.error(
                "here a name is expected, such as status, function, size or an attribute's", token
            )
        return token

    def _value(self) -> Token:
        token = self._take()
        if token.kind not in {"word", "text"}:
            raise self.error("here a value is expected; a text with spaces or signs goes in quotes", token)
        return token

    def _values(self) -> list[Token]:
        if not self.next.says("("):
            raise self.error("`in` needs values in brackets: in (1, 2)")
        opened = self._take()
        values = [self._value()]
        while self.next.says(","):
            self._take()
            values.append(self._value())
        if not self.next.says(")"):
            if self.next.kind == "end":
                raise self.error("this bracket is not closed", opened)
            raise self.error("here a comma or a closing bracket is expected")
        self._take()
        return values

    def _take(self) -> Token:
        token = self.next
        if token.kind != "end":
            self.next = self._read()
        return token

    def _read(self) -> Token:
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.lastgroup is None:
            at = len(self._text) - len(self._text[self._at :].lstrip())
            if at < len(self._text):
                what = (
                    "this quote is not closed" if self._text[at] in "'\"" else "this sign means nothing here"
                )
                raise pointed(self._text, at, what)
            return Token("end", "", len(self._text))
        kind, at = found.lastgroup, found.start(found.lastgroup)
        self._at = found.end()
        text = found[kind]
        if kind == "text":
            text = text[1:-1].replace(text[0] * 2, text[0])
        return Token(kind, text, at)
