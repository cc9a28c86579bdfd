"""A corpus of code changes: each says whether it counts, and why."""

# ruff: noqa: E501  a change is easier to read with its text on one line

from __future__ import annotations

import importlib
import sys
from textwrap import dedent

import pytest

from cachedeco.keys.code import Code

BEFORE = "def f(x, y=2):\n    return x + y\n"
HELPER = "def helper(x):\n    return x + 1\n\ndef f(x):\n    return helper(x)\n"
CLASS = """
    class Model:
        rate = 3
        def fit(self, x):
            return x * self.rate
        @staticmethod
        def scale(x):
            return x + 1
        @classmethod
        def make(cls):
            return cls()
        @property
        def size(self):
            return 4
    def f(x):
        return Model().fit(x)
    """
DATACLASS = """
    from dataclasses import dataclass, field
    @dataclass
    class Point:
        x: int = 1
        y: int = field(default=2)
        def norm(self):
            return self.x + self.y
    def f(v):
        return Point(v).norm()
    """
DECORATED = """
    import functools
    def twice(function):
        @functools.wraps(function)
        def wrapper(*args):
            return 2 * function(*args)
        return wrapper
    @twice
    def helper(x):
        return x
    def f(x):
        return helper(x)
    """
PACKAGE = """
    import tools
    def f(x):
        return tools.load(x)
    # file: tools.py
    LIMIT = 10
    UNUSED = 1
    def load(x):
        return inner(x) + LIMIT
    def inner(x):
        return x
    def other(x):
        return x
    """
LAMBDAS = """
    plus, minus = lambda x: x + 1, lambda x: x - 1
    def f(x):
        return plus(x) * 2 + minus(x)
    """
FACTORY = """
    def make(n):
        def add(x):
            return x + n
        return add
    one, two = make(1), make(2)
    def f(x):
        return one(x) * two(2 * x)
    """
MUTUAL = """
    def even(n):
        return n == 0 or odd(n - 1)
    def odd(n):
        return n != 0 and even(n - 1)
    def f(n):
        return even(n)
    """
ENUM = """
    import enum
    class Colour(enum.Enum):
        RED = 1
        BLUE = 2
        def text(self):
            return self.name
    def f(x):
        return Colour(x).text()
    """
DISPATCH = """
    import functools
    @functools.singledispatch
    def show(x):
        return "object"
    @show.register
    def _(x: int):
        return "int"
    def f(x):
        return show(x)
    """
PASSED_ON = """
    import tools
    def call(module, x):
        return module.used(x)
    def f(x):
        return call(tools, x)
    # file: tools.py
    '''Tools.'''
    import os
    LIMIT = 10
    TABLE = {"a": 20}
    COUNTS = {"a": 30}
    def used(x):
        return 1
    def other(x):
        return TABLE
    class Thing:
        def m(self):
            return 4
    """
RETRIED = """
    import tenacity
    N = 2
    def is_bad(x):
        return x < 0
    @tenacity.retry(stop=tenacity.stop_after_attempt(N), retry=tenacity.retry_if_result(is_bad))
    def helper(x):
        return x
    def f(x):
        return helper(x)
    """
FIELDS = """
    from dataclasses import dataclass, fields
    from typing import TYPE_CHECKING, Annotated, Literal, NewType, Optional
    if TYPE_CHECKING:
        from nowhere import Gone
    N = 7
    y = 8
    def check(x):
        return x + 1
    class Item:
        size = 5
    Alias = NewType("Alias", Item)
    class Reading:
        def __init_subclass__(cls):
            pass
    @dataclass
    class Outer(Reading):
        part: ANNOTATION = None
    def f(x):
        return [field.type for field in fields(Outer)]
    """
FAMILY = """
    class Base:
        @classmethod
        def everybody(cls):
            return [one().run() for one in cls.__subclasses__()]
    class Child(Base):
        def run(self):
            return 1
    class Grandchild(Child):
        def run(self):
            return 2
    def f(x):
        return Base.everybody()
    """


def edit(text: str, *changes: tuple[str, str]) -> tuple[str, str]:
    """Return the text and the text with all the changes, each of which must hit."""
    changed = text
    for old, new in changes:
        assert old in changed, old
        changed = changed.replace(old, new)
    return text, changed


def through(use: str, *changes: tuple[str, str]) -> tuple[str, str]:
    """Change the module that `f`, written as said, passes on."""
    return edit(PASSED_ON.replace("return call(tools, x)", use), *changes)


def annotated(annotation: str, *changes: tuple[str, str], late: bool = False) -> tuple[str, str]:
    """Change what the annotation of a dataclass's field refers to, early or as a text."""
    text = dedent(FIELDS).replace("ANNOTATION", annotation)
    return edit("from __future__ import annotations\n" * late + text, *changes)


# (why, whether it counts, (before, after))
CHANGES = [
    ("a comment", False, edit(BEFORE, ("return", "# why\n    return"))),
    ("spaces and line breaks", False, edit(BEFORE, ("x + y", "(x\n            +   y)"))),
    ("a docstring added", False, edit(BEFORE, ("    return", '    """Add."""\n    return'))),
    ("an annotation of a parameter", False, edit(BEFORE, ("x, y=2", "x: int, y: 'int' = 2"))),
    ("an annotation of the result", False, edit(BEFORE, ("):", ") -> int:"))),
    ("an annotation of a local variable", False, edit("def f(x):\n    z = x\n    return z\n", ("z = x", "z: int = x"))),
    ("parentheses that mean nothing", False, edit(BEFORE, ("x + y", "((x) + (y))"))),
    ("another kind of quotes", False, edit("def f():\n    return 'a'\n", ("'a'", '"a"'))),
    ("the function moved down", False, (BEFORE, "import os\n\n\nVALUE = 3\n\n" + BEFORE)),
    ("an unused function added", False, (BEFORE, BEFORE + "\ndef other():\n    return 1\n")),
    ("a bare constant", False, edit(BEFORE, ("return", "...\n    'note'\n    return"))),
    ("a number written otherwise", False, edit("def f():\n    return 1000\n", ("1000", "1_000"))),
    ("the own decorator", False, (BEFORE, "from cachedeco import cached\n@cached\n" + BEFORE)),
    ("options of the own decorator", False, (
        "from cachedeco import cached\n@cached\n" + BEFORE,
        "import cachedeco\n@cachedeco.cached(ignore=('y',), label='a')\n" + BEFORE,
    )),
    ("tabs for spaces", False, edit(BEFORE, ("    ", "\t"))),
    ("line ends", False, edit(BEFORE, ("\n", "\r\n"))),
    ("an annotation in a nested function", False, edit(
        "import numpy\ndef f(x):\n    def g(y):\n        return y\n    return g(x)\n", ("g(y)", "g(y: numpy.ndarray)"))),
    ("an operator", True, edit(BEFORE, ("x + y", "x - y"))),
    ("a constant", True, edit("def f():\n    return 1\n", ("1", "2"))),
    ("the type of a constant", True, edit("def f():\n    return 1\n", ("1", "1.0"))),
    ("true for one", True, edit("def f():\n    return 1\n", ("1", "True"))),
    ("the sign of zero", True, edit("def f():\n    return 0.0\n", ("0.0", "-0.0"))),
    ("a default", True, edit(BEFORE, ("y=2", "y=3"))),
    ("the type of a default", True, edit(BEFORE, ("y=2", "y=2.0"))),
    ("a keyword-only default", True, edit("def f(*, y=2):\n    return y\n", ("y=2", "y=3"))),
    ("the name behind a default", True, edit("D = 2\ndef f(y=D):\n    return y\n", ("D = 2", "D = 4"))),
    ("a parameter added", True, edit(BEFORE, ("x, y=2", "x, y=2, z=3"))),
    ("a parameter made keyword-only", True, edit(BEFORE, ("x, y=2", "x, *, y=2"))),
    ("a text", True, edit("def f():\n    return 'a'\n", ("'a'", "'b'"))),
    ("bytes for text", True, edit("def f():\n    return 'a'\n", ("'a'", "b'a'"))),
    ("an order of statements", True, edit("def f(x):\n    x += 1\n    x *= 2\n    return x\n",
                                          ("x += 1\n    x *= 2", "x *= 2\n    x += 1"))),
    ("a formatted text", True, edit("def f(x):\n    return f'{x:>4}'\n", (":>4", ":>5"))),
    ("a nested function", True, edit("def f(x):\n    def g(y):\n        return y\n    return g(x)\n",
                                     ("return y", "return -y"))),
    ("a comprehension", True, edit("def f(x):\n    return [i for i in x if i]\n", ("if i]", "if not i]"))),
    ("async", True, edit(BEFORE, ("def", "async def"))),
    ("a foreign decorator", True, (BEFORE, "import functools\n@functools.lru_cache\n" + BEFORE)),
    ("an option of a foreign decorator", True, (
        "import functools\n@functools.lru_cache(2)\n" + BEFORE, "import functools\n@functools.lru_cache(3)\n" + BEFORE)),
    ("a helper's body", True, edit(HELPER, ("x + 1", "x + 2"))),
    ("a helper's comment", False, edit(HELPER, ("return x + 1", "return x + 1  # one"))),
    ("a helper's docstring", False, edit(HELPER, ("def helper(x):", "def helper(x):\n    'Add one.'"))),
    ("a helper's annotation", False, edit(HELPER, ("helper(x):", "helper(x: int) -> int:"))),
    ("a helper's default", True, edit(HELPER, ("helper(x):", "helper(x, y=1):"), ("x + 1", "x + y"))),
    ("a helper under an alias", True, edit(HELPER.replace("return helper", "return alias") + "alias = helper\n",
                                           ("x + 1", "x + 2"))),
    ("a helper's helper", True, edit("def g(x):\n    return x\n\n" + HELPER.replace("x + 1", "g(x)"),
                                     ("def g(x):\n    return x", "def g(x):\n    return 2 * x"))),
    ("a helper in a comprehension", True, edit(HELPER.replace("helper(x)\n", "[helper(i) for i in x]\n"), ("x + 1", "x + 2"))),
    ("a helper in a lambda", True, edit(HELPER.replace("return helper(x)", "return (lambda: helper(x))()"), ("x + 1", "x + 2"))),
    ("a helper as a default", True, edit(HELPER.replace("f(x):\n    return helper(x)", "f(x, g=helper):\n    return g(x)"),
                                         ("x + 1", "x + 2"))),
    ("a helper in a dictionary", True, edit(HELPER.replace("return helper(x)", "return TABLE['a'](x)") + "TABLE = {'a': helper}\n",
                                            ("x + 1", "x + 2"))),
    ("a helper's helper in a dictionary", True, edit(
        "def g(x):\n    return x\n\ndef h(x):\n    return g(x)\n\nTABLE = [h]\ndef f(x):\n    return TABLE[0](x)\n",
        ("return x\n", "return -x\n"))),
    ("a helper in a partial", True, edit(HELPER.replace("return helper(x)", "return bound()")
                                         + "import functools\nbound = functools.partial(helper, 3)\n", ("x + 1", "x + 2"))),
    ("a partial's argument", True, edit(HELPER.replace("return helper(x)", "return bound()")
                                        + "import functools\nbound = functools.partial(helper, 3)\n", ("helper, 3", "helper, 4"))),
    ("a helper behind lru_cache", True, edit("import functools\n@functools.lru_cache\n" + HELPER, ("x + 1", "x + 2"))),
    ("a decorator's wrapper", True, edit(DECORATED, ("2 * function", "3 * function"))),
    ("a decorated helper", True, edit(DECORATED, ("return x\n    def f", "return -x\n    def f"))),
    ("a decorator's argument", True, edit(
        "def times(n):\n    def make(g):\n        return lambda x: g(x) * n\n    return make\n"
        "N = 2\n@times(N)\ndef h(x):\n    return x\ndef f(x):\n    return h(x)\n", ("N = 2", "N = 3"))),
    ("a context manager", True, edit(
        "import contextlib\n@contextlib.contextmanager\ndef manage():\n    yield 1\n"
        "def f():\n    with manage() as x:\n        return x\n", ("yield 1", "yield 2"))),
    ("a lambda's body", True, edit(LAMBDAS, ("x + 1", "x + 2"))),
    ("two lambdas exchanged", True, edit(LAMBDAS, ("lambda x: x + 1, lambda x: x - 1", "lambda x: x - 1, lambda x: x + 1"))),
    ("what a factory has bound", True, edit(FACTORY, ("make(2)", "make(3)"))),
    ("two functions of one factory exchanged", True, edit(FACTORY, ("make(1), make(2)", "make(2), make(1)"))),
    ("one of two functions that call each other", True, edit(MUTUAL, ("n != 0", "n == 1"))),
    ("a global", True, edit("N = 1\ndef f():\n    return N\n", ("N = 1", "N = 2"))),
    ("the type of a global", True, edit("N = 1\ndef f():\n    return N\n", ("N = 1", "N = 1.0"))),
    ("an unused global", False, edit("N = 1\nM = 1\ndef f():\n    return N\n", ("M = 1", "M = 2"))),
    ("a mutable global", True, edit("N = {'a': [1]}\ndef f():\n    return N\n", ("[1]", "[2]"))),
    ("the order of a dictionary", False, edit("N = {'a': 1, 'b': 2}\ndef f():\n    return N\n",
                                              ("'a': 1, 'b': 2", "'b': 2, 'a': 1"))),
    ("a global of a helper", True, edit("N = 1\n" + HELPER.replace("x + 1", "x + N"), ("N = 1", "N = 2"))),
    ("a global that is only written", False, edit(
        "N = 1\ndef f():\n    global N\n    N = 5\n    return 3\n", ("N = 1\ndef", "N = 2\ndef"))),
    ("a global that is read and written", True, edit(
        "N = 1\ndef f():\n    global N\n    N += 5\n    return N\n", ("N = 1\ndef", "N = 2\ndef"))),
    ("one part of a global with a lock", True, edit(
        "import threading\nN = {'lock': threading.Lock(), 'a': 1}\ndef f():\n    return N['a']\n", ("'a': 1", "'a': 2"))),
    ("a name that was undefined", True, ("def f():\n    return N\n", "N = 1\ndef f():\n    return N\n")),
    ("a builtin hidden by a function", True, ("def f(x):\n    return len(x)\n",
                                              "def len(x):\n    return 3\ndef f(x):\n    return len(x)\n")),
    ("an attribute of a function", True, edit(HELPER.replace("return helper(x)", "return helper(x) + helper.limit")
                                              + "helper.limit = 3\n", ("limit = 3", "limit = 4"))),
    ("a standard function for another", True, edit("from math import floor as g\ndef f(x):\n    return g(x)\n",
                                                   ("floor as", "ceil as"))),
    ("a package's function for another", True, edit("from numpy import sum as g\ndef f(x):\n    return g(x)\n",
                                                    ("sum as", "max as"))),
    ("a function of another module", True, edit(PACKAGE, ("return inner(x) +", "return inner(x) -"))),
    ("what a function of another module uses", True, edit(PACKAGE, ("return x\n    def other", "return -x\n    def other"))),
    ("a constant of another module", True, edit(PACKAGE, ("LIMIT = 10", "LIMIT = 11"))),
    ("an unused constant of another module", False, edit(PACKAGE, ("UNUSED = 1", "UNUSED = 2"))),
    ("an unused function of another module", False, edit(PACKAGE, ("def other(x):\n        return x", "def other(x):\n        return 2"))),
    ("a function imported by name", True, edit(PACKAGE.replace("import tools", "from tools import load").replace("tools.load", "load"),
                                               ("return inner(x) +", "return inner(x) -"))),
    ("a function imported in the function", True, edit(
        "def f(x):\n    from tools import load\n    return load(x)\n# file: tools.py\ndef load(x):\n    return x\n",
        ("return x\n", "return -x\n"))),
    ("a module imported in the function", True, edit(
        "def f(x):\n    import tools\n    return tools.load(x)\n# file: tools.py\ndef load(x):\n    return x\n",
        ("return x\n", "return -x\n"))),
    ("another name of a module imported in the function", False, edit(
        "def f(x):\n    import tools as t\n    return t.load(x)\n# file: tools.py\ndef load(x):\n    return x\ndef g(x):\n    return 1\n",
        ("return 1", "return 2"))),
    ("a function of a package's module", True, edit(
        "import kit.part\ndef f(x):\n    return kit.part.load(x)\n# file: kit/__init__.py\n# file: kit/part.py\ndef load(x):\n    return x\n",
        ("return x\n", "return -x\n"))),
    ("a relative import", True, edit(
        "from kit.part import g\ndef f(x):\n    return g(x)\n# file: kit/__init__.py\n# file: kit/part.py\n"
        "def g(x):\n    from . import other\n    return other.h(x)\n# file: kit/other.py\ndef h(x):\n    return x\n",
        ("h(x):\n    return x\n", "h(x):\n    return -x\n"))),
    ("a method", True, edit(CLASS, ("x * self.rate", "x / self.rate"))),
    ("a static method", True, edit(CLASS, ("x + 1", "x + 2"))),
    ("a class method", True, edit(CLASS, ("cls()", "cls().make()"))),
    ("a property", True, edit(CLASS, ("return 4", "return 5"))),
    ("an attribute of a class", True, edit(CLASS, ("rate = 3", "rate = 4"))),
    ("a docstring of a class", False, edit(CLASS, ("class Model:", "class Model:\n        'A model.'"))),
    ("an annotation of a plain class's attribute", False, edit(CLASS, ("rate = 3", "rate: int = 3"))),
    ("a comment in a method", False, edit(CLASS, ("return 4", "return 4  # four"))),
    ("a base class", True, edit("class Base:\n    def g(self):\n        return 1\nclass Model(Base):\n    pass\n"
                                "def f():\n    return Model().g()\n", ("return 1", "return 2"))),
    ("a metaclass", True, edit("class Meta(type):\n    def g(cls):\n        return 1\nclass Model(metaclass=Meta):\n    pass\n"
                               "def f():\n    return Model.g()\n", ("return 1", "return 2"))),
    ("what a method uses", True, edit("def g():\n    return 1\nclass Model:\n    def h(self):\n        return g()\n"
                                      "def f():\n    return Model().h()\n", ("return 1", "return 2"))),
    ("the class of a global instance", True, edit("class Model:\n    def g(self):\n        return 1\nmodel = Model()\n"
                                                  "def f():\n    return model.g()\n", ("return 1", "return 2"))),
    ("the state of a global instance", True, edit("class Model:\n    def __init__(self, n):\n        self.n = n\nmodel = Model(1)\n"
                                                  "def f():\n    return model.n\n", ("Model(1)", "Model(2)"))),
    ("a callable instance", True, edit("class Model:\n    def __call__(self):\n        return 1\nmodel = Model()\n"
                                       "def f():\n    return model()\n", ("return 1", "return 2"))),
    ("a bound method", True, edit("class Model:\n    def g(self):\n        return 1\ng = Model().g\n"
                                  "def f():\n    return g()\n", ("return 1", "return 2"))),
    ("a function that a decorator class holds", True, edit(
        "class Wrap:\n    def __init__(self, g):\n        self.g = g\n    def __call__(self, x):\n        return self.g(x)\n"
        "@Wrap\ndef h(x):\n    return x\ndef f(x):\n    return h(x)\n", ("h(x):\n    return x", "h(x):\n    return -x"))),
    ("a cached property", True, edit(CLASS.replace("@property", "@__import__('functools').cached_property"), ("return 4", "return 5"))),
    ("a dataclass's default", True, edit(DATACLASS, ("x: int = 1", "x: int = 5"))),
    ("a dataclass's field default", True, edit(DATACLASS, ("default=2", "default=3"))),
    ("a dataclass's option", True, edit(DATACLASS, ("@dataclass\n", "@dataclass(frozen=True)\n"))),
    ("a dataclass's method", True, edit(DATACLASS, ("self.x + self.y", "self.x - self.y"))),
    ("the order of a dataclass's fields", True, edit(
        DATACLASS, ("x: int = 1\n        y: int = field(default=2)", "y: int = field(default=2)\n        x: int = 1"))),
    ("the type of a dataclass's field", True, edit(DATACLASS, ("x: int = 1", "x: float = 1"))),
    ("a field of a named tuple", True, edit(
        "import collections\nP = collections.namedtuple('P', 'a b')\ndef f():\n    return P(1, 2)\n", ("'a b'", "'b a'"))),
    ("a member of an enumeration", True, edit(ENUM, ("RED = 1", "RED = 3"))),
    ("a method of an enumeration", True, edit(ENUM, ("self.name", "self.name.lower()"))),
    ("an implementation of singledispatch", True, edit(DISPATCH, ('return "int"', 'return "integer"'))),
    ("the type that an implementation is for", True, edit(DISPATCH, ("x: int", "x: str"))),
    ("a cached helper", True, edit("from cachedeco import cached\n@cached\n" + HELPER, ("x + 1", "x + 2"))),
    ("options of a cached helper", False, edit("from cachedeco import cached\n@cached\n" + HELPER,
                                               ("@cached\n", "@cached(ignore=())\n"))),
    ("the body of a cached helper with a version", False, edit(
        "from cachedeco import cached\n@cached(code_version='1')\n" + HELPER, ("x + 1", "x + 2"))),
    ("the version of a cached helper", True, edit(
        "from cachedeco import cached\n@cached(code_version='1')\n" + HELPER, ("='1'", "='2'"))),
    ("a type parameter of super", True, edit(
        "class A:\n    def g(self):\n        return 1\nclass B(A):\n    def g(self):\n        return super().g()\n"
        "def f():\n    return B().g()\n", ("return 1", "return 2"))),
    ("a function of a module passed on", True, edit(PASSED_ON, ("return 1", "return 2"))),
    ("another function of a module passed on", True, edit(PASSED_ON, ("return TABLE", "return [TABLE]"))),
    ("a class of a module passed on", True, edit(PASSED_ON, ("return 4", "return 5"))),
    ("a constant of a module passed on", True, edit(PASSED_ON, ("LIMIT = 10", "LIMIT = 11"))),
    ("what a function of a module passed on reads", True, edit(PASSED_ON, ('"a": 20', '"a": 21'))),
    ("what a module passed on keeps for itself", False, edit(PASSED_ON, ('"a": 30', '"a": 31'))),
    ("a table read of a module passed on", True, edit(PASSED_ON.replace("module.used(x)", "module.COUNTS"), ('"a": 30', '"a": 31'))),
    ("a docstring of a module passed on", False, edit(PASSED_ON, ("Tools.", "The tools."))),
    ("an attribute of a module got by name", True, through("return getattr(tools, x)(x)", ("return 1", "return 2"))),
    ("a module's table of names", True, through("return vars(tools)[x](x)", ("return 1", "return 2"))),
    ("a function got by name of the own globals", True, edit(
        "def g():\n    return 1\ndef f(x):\n    return globals()[x]()\n", ("return 1", "return 2"))),
    ("a module in a dictionary", True, through("return {'a': tools}['a'].used(x)", ("return 1", "return 2"))),
    ("a module under another name", True, through("t = tools\n        return t.used(x)", ("return 1", "return 2"))),
    ("a module under another name for the whole module", False, edit(
        PASSED_ON.replace("def call", "alias = tools\n    def call").replace("call(tools, x)", "alias.used(x)"), ("return 4", "return 5"))),
    ("a module in a global list", True, edit(
        PASSED_ON.replace("def call", "kept = [tools]\n    def call").replace("call(tools, x)", "kept[0].used(x)"), ("return 1", "return 2"))),
    ("a module in a global instance", True, edit(
        PASSED_ON.replace("def call", "class Kept:\n        pass\n    kept = Kept()\n    kept.module = tools\n    def call")
        .replace("call(tools, x)", "kept.module.used(x)"), ("return 1", "return 2"))),
    ("a module as a default", True, edit(PASSED_ON.replace("f(x):", "f(x, m=tools):").replace("call(tools, x)", "m.used(x)"),
                                         ("return 1", "return 2"))),
    ("a module in a partial", True, edit(
        PASSED_ON.replace("def f", "import functools\n    g = functools.partial(call, tools)\n    def f").replace("call(tools, x)", "g(x)"),
        ("return 1", "return 2"))),
    ("a module in a class", True, edit(
        PASSED_ON.replace("def f", "class Kept:\n        module = tools\n    def f").replace("call(tools, x)", "Kept.module.used(x)"),
        ("return 1", "return 2"))),
    ("another name of a module whose attributes are read", False, through("return tools.used(x)", ("return 4", "return 5"))),
    ("another name of a module in a cell", False, edit(
        "import tools\ndef make(m):\n    def g(x):\n        return m.used(x)\n    return g\ng = make(tools)\ndef f(x):\n    return g(x)\n"
        "# file: tools.py\ndef used(x):\n    return 1\ndef other(x):\n    return 2\n", ("return 2", "return 3"))),
    ("a module imported in the function and passed on", True, edit(
        PASSED_ON.replace("return call(tools, x)", "import tools as t\n        return call(t, x)"), ("return 1", "return 2"))),
    ("another name of a module imported twice in the function", False, edit(
        PASSED_ON.replace("return call(tools, x)", "from tools import used\n        import tools as t\n        return used(t.LIMIT)"),
        ("return 4", "return 5"))),
    ("a module that a nested function takes from the one around it", True, edit(
        "def f(x):\n    import kit.part\n    def g():\n        return kit.part.h()\n    return g()\n"
        "# file: kit/__init__.py\n# file: kit/part.py\ndef h():\n    return 1\n", ("return 1", "return 2"))),
    ("a submodule read of a package passed on", True, edit(
        "import kit.part\ndef call(m):\n    return m.part.h()\ndef f(x):\n    return call(kit)\n"
        "# file: kit/__init__.py\n# file: kit/part.py\ndef h():\n    return 1\n", ("return 1", "return 2"))),
    ("a submodule of a package passed on, imported or not", False, edit(
        "import kit\ndef call(m):\n    return m.h()\ndef f(x):\n    return call(kit)\n"
        "# file: kit/__init__.py\ndef h():\n    return 1\n# file: kit/part.py\nN = 1\n", ("import kit", "import kit.part"))),
    ("a helper re-exported by a package", True, edit(
        "import kit\ndef f(x):\n    return kit.g()\n# file: kit/__init__.py\nfrom .part import *\n# file: kit/part.py\ndef g():\n    return 1\n",
        ("return 1", "return 2"))),
    ("a helper that a package loads when it is asked for", True, edit(
        "import kit\ndef f(x):\n    return kit.g()\n# file: kit/__init__.py\ndef __getattr__(name):\n    from kit.part import g\n"
        "    return g\n# file: kit/part.py\ndef g():\n    return 1\n", ("return 1", "return 2"))),
    ("an option by name of an installed decorator", True, edit(RETRIED, ("N = 2", "N = 3"))),
    ("a function given to an installed decorator", True, edit(RETRIED, ("x < 0", "x < 1"))),
    ("an option of an installed decorator", True, edit(RETRIED, ("attempt(N)", "attempt(3)"))),
    ("an attribute given to an installed decorator", True, edit(
        RETRIED.replace("N = 2", "class Options:\n        n = 2").replace("attempt(N)", "attempt(Options.n)"), ("n = 2", "n = 3"))),
    ("an option of an installed decorator that is made elsewhere", True, edit(
        RETRIED.replace("def is_bad", "again = tenacity.retry(stop=tenacity.stop_after_attempt(N))\n    def is_bad").replace(
            "@tenacity.retry(stop=tenacity.stop_after_attempt(N), retry=tenacity.retry_if_result(is_bad))", "@again"), ("N = 2", "N = 3"))),
    ("a function that makes an installed decorator", True, edit(
        "import tenacity\ndef again():\n    return tenacity.retry(stop=tenacity.stop_after_attempt(2))\n@again()\ndef h(x):\n    return x\n"
        "def f(x):\n    return h(x)\n", ("attempt(2)", "attempt(3)"))),
    ("another function that a decorator has noted", False, edit(
        "HOOKS = []\ndef hook(g):\n    HOOKS.append(g)\n    return g\n@hook\ndef h(x):\n    return x\n@hook\ndef other(x):\n    return 1\n"
        "def f(x):\n    return h(x)\n", ("return 1", "return 2"))),
    ("the format of a global of a type written in C", True, edit(
        "import struct\nS = struct.Struct('<i')\ndef f(x):\n    return S.pack(x)\n", ("<i", "<q"))),
    ("the state of a user's object in a standard wrapper", True, edit(
        "import contextlib\nN = 1\nclass Scale(contextlib.ContextDecorator):\n    def __init__(self, n):\n        self.n = n\n"
        "    def __enter__(self):\n        return self.n\n    def __exit__(self, *_):\n        return None\nscale = Scale(N)\n"
        "@scale\ndef h(x):\n    return x\ndef f(x):\n    return h(x)\n", ("N = 1", "N = 2"))),
    ("a name in a text given to a decorator", False, edit(
        "import functools\ndef named(text):\n    return lambda g: functools.lru_cache(g)\ntrain = 1\n@named('train')\n"
        "def h(x):\n    return x\ndef f(x):\n    return h(x)\n", ("train = 1", "train = 2"))),
    ("a docstring that is read of a class", True, edit(
        CLASS.replace("class Model:", "class Model:\n        'one'").replace("return 4", "return self.__doc__"), ("'one'", "'two'"))),
    ("a docstring that a helper is asked for", True, edit(
        HELPER.replace("helper(x):", "helper(x):\n    'one'").replace("return helper(x)", "return inspect.getdoc(helper)") + "import inspect\n",
        ("'one'", "'two'"))),
    ("an annotation that is read of a class", True, edit(
        CLASS.replace("rate = 3", "rate: int = 3").replace("return 4", "return self.__annotations__"), ("rate: int", "rate: float"))),
    ("an annotation that a helper is asked for", True, edit(
        HELPER.replace("helper(x):", "helper(x: int):").replace("return helper(x)", "return inspect.signature(helper)") + "import inspect\n",
        ("x: int", "x: float"))),
    ("an annotation beside an attribute that is called signature", False, edit(
        HELPER.replace("helper(x):", "helper(x: int):").replace("return helper(x)", "return helper(x).signature"), ("x: int", "x: float"))),
    ("a subclass that is asked for", True, edit(FAMILY, ("return 1", "return 3"))),
    ("a subclass of a subclass that is asked for", True, edit(FAMILY, ("return 2", "return 3"))),
    ("a subclass that nobody asks for", False, edit(
        FAMILY.replace("cls.__subclasses__()", "[cls]"), ("return 1", "return 3"))),
    ("a class in an annotation", True, annotated("Item", ("size = 5", "size = 6"))),
    ("a class within an annotation", True, annotated("dict[str, list[Item]]", ("size = 5", "size = 6"))),
    ("a class in a union", True, annotated("Item | None", ("size = 5", "size = 6"))),
    ("a class in an annotation that is a text", True, annotated("'list[Item]'", ("size = 5", "size = 6"))),
    ("a class in a text within an annotation", True, annotated("Optional['list[Item]']", ("size = 5", "size = 6"))),
    ("a class in a late annotation", True, annotated("list[Item]", ("size = 5", "size = 6"), late=True)),
    ("a class in a text within a late annotation", True, annotated("list['Item']", ("size = 5", "size = 6"), late=True)),
    ("a class beside a name for type checkers only", True, annotated("dict[Gone, Item]", ("size = 5", "size = 6"), late=True)),
    ("a class in a text that a dataclass takes as it is", False, edit(
        dedent(FIELDS).replace("ANNOTATION", "'list[Item]'").replace("(Reading)", ""), ("size = 5", "size = 6"))),
    ("a class behind another name of its type", True, annotated("Alias", ("size = 5", "size = 6"))),
    ("a function in an annotation", True, annotated("list[Annotated[int, check]]", ("x + 1", "x + 2"))),
    ("a function in a late annotation", True, annotated("list[Annotated[int, check]]", ("x + 1", "x + 2"), late=True)),
    ("a function that a lambda in an annotation uses", True, annotated("Annotated[int, lambda x: check(x)]", ("x + 1", "x + 2"))),
    ("a value after a function in an annotation", True, annotated("Annotated[int, check, N]", ("N = 7", "N = 8"))),
    ("a value in a late annotation", True, annotated("Annotated[int, N]", ("N = 7", "N = 8"), late=True)),
    ("a comment in a function in an annotation", False, annotated("Annotated[int, check]", ("x + 1", "x + 1  # one"))),
    ("what has the name of a text that is a value", False, annotated("Literal['x', 'y']", ("y = 8", "y = 9"))),
    ("a class in an annotation that nobody reads", False, edit(
        "class Item:\n    size = 5\nclass Plain:\n    part: Item\ndef f(x: Item) -> Item:\n    return Plain()\n", ("size = 5", "size = 6"))),
    ("a class in an annotation that is asked for", True, edit(
        "import typing\nclass Item:\n    size = 5\nclass Plain:\n    part: 'list[Item]'\ndef f(x):\n    return typing.get_type_hints(Plain)\n",
        ("size = 5", "size = 6"))),
    ("a class in an annotation under an unknown decorator", True, edit(
        "import functools\ndef reading(g):\n    return functools.lru_cache(g)\nclass Item:\n    size = 5\n@reading\ndef h(x: 'list[Item]'):\n"
        "    return x\ndef f(x):\n    return h(x)\n", ("size = 5", "size = 6"))),
    ("an overload", False, edit(
        "from typing import overload\n@overload\ndef h(x: int) -> int: ...\n@overload\ndef h(x: str) -> str: ...\ndef h(x):\n    return x\n"
        "def f(x):\n    return h(x)\n", ("x: int) -> int", "x: bytes) -> bytes"))),
    ("a factory of a dataclass's default", True, edit(
        DATACLASS.replace("default=2", "default_factory=make").replace("@dataclass\n", "def make():\n        return 1\n    @dataclass\n"),
        ("return 1", "return 2"))),
    ("a hook for subclasses", True, edit(
        "class Base:\n    def __init_subclass__(cls):\n        cls.n = 1\nclass Child(Base):\n    pass\ndef f(x):\n    return Child.n\n",
        ("cls.n = 1", "cls.n = 2"))),
    ("a default method of a protocol", True, edit(
        "from typing import Protocol\nclass P(Protocol):\n    def m(self):\n        return 1\nclass A(P):\n    pass\ndef f(x):\n    return A().m()\n",
        ("return 1", "return 2"))),
    ("a pattern of a match statement", True, edit(
        "def f(x):\n    match x:\n        case [1, *_]:\n            return 0\n", ("[1,", "[2,"))),
    ("a partial of a partial", True, edit(
        "import functools\ndef g(*a):\n    return a\nh = functools.partial(functools.partial(g, 1), 2)\ndef f(x):\n    return h(x)\n",
        ("g, 1", "g, 3"))),
    ("a member of a table of functions", True, edit(
        "HOOKS = []\ndef hook(g):\n    HOOKS.append(g)\n    return g\n@hook\ndef a(x):\n    return 1\ndef f(x):\n    return [h(x) for h in HOOKS]\n",
        ("return 1", "return 2"))),
    ("an async helper", True, edit("async def h(x):\n    return 1\nasync def f(x):\n    return await h(x)\n", ("return 1", "return 2"))),
    ("the bound of a type variable", False, edit(
        "import typing\nT = typing.TypeVar('T', bound=int)\ndef f(x: T) -> T:\n    return x\n", ("bound=int", "bound=str"))),
]  # fmt: skip


def digest_of(folder, text: str, monkeypatch) -> tuple[bytes, dict[str, str]]:
    """Write the text's files into the folder and return digest and parts of its function `f`."""
    name = "subject.py"
    files: dict[str, list[str]] = {name: []}
    for line in dedent(text).splitlines(keepends=True):
        if line.startswith("# file: "):
            name = line.removeprefix("# file: ").strip()
            files[name] = []
        else:
            files[name].append(line)
    for name, lines in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(lines), encoding="utf-8", newline="")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(folder))
        known = set(sys.modules)
        try:
            function = importlib.import_module("subject").f
            function = (
                getattr(function, "__wrapped__", function) if "__cachedeco__" in vars(function) else function
            )
            code = Code(function)
            return code.digest(), code.parts()
        finally:
            for added in set(sys.modules) - known:
                if added.partition(".")[0] in {"subject", "tools", "kit"}:
                    del sys.modules[added]


@pytest.mark.parametrize(
    ("counts", "texts"), [change[1:] for change in CHANGES], ids=[change[0] for change in CHANGES]
)
def test_change_counts_as_the_corpus_says(tmp_path, monkeypatch, counts, texts):
    """Digest and parts both differ for a change that counts and both agree for one that does not."""
    before, after = texts
    assert before != after
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    first = digest_of(tmp_path / "before", before, monkeypatch)
    second = digest_of(tmp_path / "after", after, monkeypatch)
    assert (first[0] != second[0]) == counts, (first[1], second[1])
    assert (first[1] != second[1]) == counts


def test_corpus_is_large():
    """The corpus has at least sixty changes, of both kinds, each told once."""
    assert len(CHANGES) >= 60
    assert len({change[0] for change in CHANGES}) == len(CHANGES)
    assert sum(not change[1] for change in CHANGES) >= 20
