"""The code digest of a function: when it is checked, what it covers, how it is explained."""

from __future__ import annotations

import dataclasses
import functools
import gc
import linecache
import logging
import sys
import threading
import types
import weakref

import numpy as np
import pytest

from cachedeco.keys.code import Code, class_digest, function_digest


def make(text: str, name: str = "f", **names: object):
    """Return a function made from text, in a namespace of its own."""
    namespace = {"__name__": "subject", **names}
    exec(compile(text, "<string>", "exec", dont_inherit=True), namespace)
    return namespace[name]


def test_same_code_has_the_same_digest():
    """Two functions made from one text have one digest."""
    text = "def f(x):\n    return x + 1\n"
    assert Code(make(text)).digest() == Code(make(text)).digest()
    assert len(Code(make(text)).digest()) == 16


def test_unchanged_code_is_not_digested_again():
    """A second call finds what the first one computed."""
    code = Code(make("def f():\n    return N\n", N=1))
    first = code.digest()
    state = code._states[frozenset()]
    assert code.digest() == first
    assert code._states[frozenset()] is state


def test_global_set_to_an_equal_value_of_another_type_is_seen():
    """1, 1.0 and True are different globals."""
    f = make("def f():\n    return N\n", N=1)
    code = Code(f)
    digests = set()
    for value in (1, 1.0, True, "1", None):
        f.__globals__["N"] = value
        digests.add(code.digest())
    assert len(digests) == 5


def test_global_set_back_has_its_digest_again():
    """Reverting a global makes the old results hit again."""
    f = make("def f():\n    return N\n", N=1)
    code = Code(f)
    first = code.digest()
    f.__globals__["N"] = 2
    assert code.digest() != first
    f.__globals__["N"] = 1
    assert code.digest() == first


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1], lambda value: value.append(2)),
        ({"a": {"b": 1}}, lambda value: value["a"].update(b=2)),
        ({1}, lambda value: value.add(2)),
        (np.zeros(3), lambda value: value.__setitem__(0, 1.0)),
        (([],), lambda value: value[0].append(1)),
        (types.SimpleNamespace(a=1), lambda value: setattr(value, "a", 2)),
    ],
    ids=["list", "dict", "set", "array", "tuple", "namespace"],
)
def test_global_changed_in_place_is_seen(value, change):
    """Globals that can change in place are measured at each call."""
    code = Code(make("def f():\n    return N\n", N=value))
    first = code.digest()
    assert code.digest() == first
    change(value)
    assert code.digest() != first


def test_name_defined_later_is_seen():
    """A name that did not exist is looked for again at each call."""
    f = make("def f():\n    return helper()\n")
    code = Code(f)
    first = code.digest()
    assert "# helper is undefined" in code.parts()["body"]
    f.__globals__["helper"] = make("def helper():\n    return 1\n", "helper")
    assert code.digest() != first


def test_name_deleted_is_seen():
    """A global that disappears changes the digest."""
    f = make("def f():\n    return N\n", N=1)
    code = Code(f)
    first = code.digest()
    del f.__globals__["N"]
    assert code.digest() != first


def test_builtin_hidden_later_is_seen():
    """A global that takes a builtin's name changes the digest."""
    f = make("def f(x):\n    return len(x)\n")
    code = Code(f)
    first = code.digest()
    f.__globals__["len"] = 3
    assert code.digest() != first


def test_code_replaced_in_place_is_seen():
    """Autoreload puts new code into the old function object, of the function and of its helpers."""
    text = "def helper(x):\n    return x + 1\ndef f(x):\n    return helper(x)\n"
    f = make(text)
    code = Code(f)
    first = code.digest()
    f.__globals__["helper"].__code__ = make(text.replace("x + 1", "x + 2"), "helper").__code__
    second = code.digest()
    f.__code__ = make(text.replace("return helper", "return 2 * helper")).__code__
    assert len({first, second, code.digest()}) == 3


@pytest.mark.parametrize("attribute", ["__defaults__", "__kwdefaults__"])
def test_defaults_replaced_in_place_are_seen(attribute):
    """Defaults are part of the function, also when they are set from outside."""
    f = make("def f(x=1, *, y=2):\n    return x + y\n")
    code = Code(f)
    first = code.digest()
    setattr(f, attribute, (5,) if attribute == "__defaults__" else {"y": 5})
    assert code.digest() != first


def test_keyword_default_changed_in_place_is_seen():
    """The dictionary of keyword-only defaults is looked into."""
    f = make("def f(*, y=2):\n    return y\n")
    code = Code(f)
    first = code.digest()
    f.__kwdefaults__["y"] = 3
    assert code.digest() != first


def test_mutable_default_is_measured_again():
    """A list that is a default counts with what it holds now."""
    f = make("def f(x=[]):\n    return x\n")
    code = Code(f)
    first = code.digest()
    f.__defaults__[0].append(1)
    assert code.digest() != first


def test_helper_rebound_is_seen():
    """A global function replaced by another changes the digest."""
    f = make("def helper():\n    return 1\ndef f():\n    return helper()\n")
    code = Code(f)
    first = code.digest()
    f.__globals__["helper"] = make("def helper():\n    return 2\n", "helper")
    assert code.digest() != first


def test_method_replaced_on_a_class_is_seen():
    """A class is looked at member by member, at each call."""
    f = make("class A:\n    def g(self):\n        return 1\ndef f():\n    return A().g()\n")
    code = Code(f)
    first = code.digest()
    f.__globals__["A"].g = lambda self: 2
    assert code.digest() != first


def test_function_planted_in_a_foreign_module_is_seen(monkeypatch):
    """The user's function in the place of a standard one is the user's code."""
    f = make("import json\ndef f(x):\n    return json.dumps(x)\n")
    first = Code(f).digest()
    monkeypatch.setattr("json.dumps", make("def g(x):\n    return 'x'\n", "g"))
    assert Code(f).digest() != first


def test_mutual_recursion_does_not_depend_on_where_it_is_entered():
    """Functions that call each other are the same parts, whichever is looked at first."""
    text = "def a(n):\n    return b(n)\ndef b(n):\n    return a(n) + c(n)\ndef c(n):\n    return a(n)\n"
    texts = [f"{text}def f(n):\n    return {order}\n" for order in ("(a, b, c)", "(c, b, a)")]
    first, second = (Code(make(text)).parts() for text in texts)
    del first["body"], second["body"]
    assert first == second
    assert set(first) == {"helper subject.a", "helper subject.b", "helper subject.c"}


def test_recursion_ends():
    """A function may use itself, by its name or through a table that is looked up."""
    f = make("def f(n):\n    return TABLE['f'](n) + f(n)\nTABLE = {}\n")
    f.__globals__["TABLE"]["f"] = f
    assert len(Code(f).digest()) == 16
    assert len(function_digest(f)) == 16


def test_parts_name_what_differs():
    """The parts that differ say what has changed."""
    text = "def helper(x):\n    return x * N\ndef f(x, y=1):\n    return helper(x) + y\n"
    before, after = Code(make(text, N=1)).parts(), Code(make(text, N=2)).parts()
    assert set(before) == {"body", "default y", "global subject.N", "helper subject.helper"}
    assert [name for name in before if before[name] != after[name]] == ["global subject.N"]


def test_parts_show_source_where_there_is_one():
    """A function with source is shown as normalised source."""
    assert Code(helper_for_text).parts()["body"] == "def helper_for_text(x):\n    return x + 1"


def helper_for_text(x: int) -> int:
    """Add one."""
    return x + 1  # as simple as that


def test_texts_of_globals_are_not_shown():
    """A password among the globals is told by its digest only."""
    parts = Code(make("def f():\n    return KEY\n", KEY="geheim")).parts()
    assert "geheim" not in "".join(parts.values())


def test_installed_package_counts_by_its_version():
    """A package is one part, named with its version."""
    parts = Code(make("def f(x):\n    return np.sum(x)\n", np=np)).parts()
    assert parts[f"package numpy {np.__version__}"] == np.__version__
    assert "# np is package numpy module numpy" in parts["body"]


def test_version_replaces_everything_else():
    """With a version the function is not looked at, nor are the classes of the arguments."""
    one, two = make("def f():\n    return 1\n"), make("def f():\n    return 2\n")
    arguments = {"x": Model(1)}
    assert Code(one, version="1").digest() == Code(two, version="1").digest(arguments)
    assert Code(one, version="1").digest() != Code(one, version="2").digest()
    assert Code(one, version="1").digest() != Code(one).digest()
    assert Code(one, version="1").parts() == {"version": "1"}


class Model:
    """An instance argument's class."""

    def __init__(self, inner: object) -> None:
        self.inner = inner

    def fit(self) -> int:
        """Return one."""
        return 1


class Slotted:
    """The same without a dictionary."""

    __slots__ = ("__private",)

    def __init__(self, inner: object) -> None:
        self.__private = inner


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: [model],
        lambda model: {"a": (1, [model])},
        lambda model: {model: 1},
        lambda model: {model},
        lambda model: types.SimpleNamespace(a=model),
        lambda model: functools.partial(print, model),
        lambda model: [1] * 100_000 + [model],
        Slotted,
        lambda model: types.MappingProxyType({"a": model}),
        lambda model: model.fit,
    ],
    ids=[
        "itself",
        "list",
        "nested",
        "key",
        "set",
        "namespace",
        "partial",
        "long",
        "slots",
        "proxy",
        "method",
    ],
)
def test_class_of_an_instance_argument_counts(monkeypatch, wrap):
    """A method changed in the class of an argument changes the digest, wherever the instance is."""
    code = Code(make("def f(x):\n    return x\n"))
    arguments = {"x": wrap(Model(1))}
    first = code.digest(arguments)
    assert first == code.digest(arguments) != code.digest({"x": 1})
    assert "helper " + __name__ + ".Model.fit" in code.parts(arguments)
    monkeypatch.setattr(Model, "fit", lambda self: 2)
    assert code.digest(arguments) != first


def test_base_class_of_an_instance_argument_counts(monkeypatch):
    """The bases of an argument's class are code as well."""

    class Derived(Model):
        pass

    code = Code(make("def f(x):\n    return x\n"))
    arguments = {"x": Derived(1)}
    first = code.digest(arguments)
    monkeypatch.setattr(Model, "fit", lambda self: 2)
    assert code.digest(arguments) != first


def test_plain_arguments_do_not_change_the_digest():
    """Values without code of the user's leave the digest as it is."""
    code = Code(make("def f(x):\n    return x\n"))
    cyclic: list[object] = []
    cyclic.append(cyclic)
    deep: object = None
    for _ in range(10_000):
        deep = [deep]
    for value in (1, "a", None, [1, {"b": (2,)}], {1: b""}, threading.Lock(), cyclic, deep, print, int):
        assert code.digest({"x": value}) == code.digest()


def test_class_of_a_package_counts_by_version():
    """An array as an argument brings in the version of its package."""
    code = Code(make("def f(x):\n    return x\n"))
    assert f"package numpy {np.__version__}" in code.parts({"x": np.zeros(1)})
    assert code.digest({"x": np.zeros(1)}) == code.digest({"x": np.ones(2)}) != code.digest()


def test_lock_among_the_globals_counts_by_its_class():
    """A global that has no content to key does not stop the call."""
    text = "def f():\n    return N\n"
    one, two = Code(make(text, N=threading.Lock())), Code(make(text, N=threading.Lock()))
    assert one.digest() == two.digest() != Code(make(text, N=threading.Event())).digest()


def test_function_value_counts_with_what_it_has_bound():
    """Two functions of one factory differ by their cells."""

    def factory(n):
        return lambda x: x + n

    assert function_digest(factory(1)) == function_digest(factory(1))
    assert function_digest(factory(1)) != function_digest(factory(2))


@pytest.mark.parametrize(
    "functions",
    [
        (len, min, "".join, "a".join, np.sum, np.max, [].append, [1].append),
        (
            functools.partial(min, 1),
            functools.partial(min, 2),
            functools.partial(max, 1),
            functools.partial(min, key=1),
        ),
        (Model(1).fit, Model(2).fit, Model(1).__init__),
        (str.upper, str.lower, bytes.upper),
        (functools.lru_cache(lambda x: x), functools.lru_cache(lambda x: -x)),
    ],
    ids=["builtins", "partials", "methods", "descriptors", "wrapped"],
)
def test_different_function_values_differ(functions):
    """Functions of every kind are told apart, and each agrees with itself."""
    digests = [function_digest(function) for function in functions]
    assert len(set(digests)) == len(functions)
    assert digests == [function_digest(function) for function in functions]


def test_function_value_sees_a_change_of_its_helper():
    """The digest of a function value is checked again, as that of a cached one is."""
    f = make("def f():\n    return N\n", N=1)
    first = function_digest(f)
    f.__globals__["N"] = 2
    assert function_digest(f) != first


def test_class_value_counts_by_its_code(monkeypatch):
    """A class as a value is its methods and bases."""
    first = class_digest(Model)
    assert class_digest(int) != class_digest(str) != first
    monkeypatch.setattr(Model, "fit", lambda self: 2)
    assert class_digest(Model) != first


def test_what_others_keep_in_a_class_does_not_count():
    """Pickling an instance and asking for a protocol leave notes in the class."""
    namespace = {"__name__": __name__}
    text = (
        "import typing\n"
        "class Shape(typing.Protocol):\n    def area(self): ...\n"
        "class Square:\n    __slots__ = ('a',)\n    def area(self):\n        return 1\n"
        "def f(x):\n    return isinstance(x, Shape)\n"
    )
    exec(compile(text, "<string>", "exec", dont_inherit=True), namespace)
    code = Code(namespace["f"])
    arguments = {"x": namespace["Square"]()}
    first = code.digest(arguments)
    arguments["x"].__reduce_ex__(2)
    assert "__slotnames__" in vars(namespace["Square"])
    namespace["Shape"].__callable_proto_members_only__ = True
    assert code.digest(arguments) == first


def test_logger_among_the_globals_counts_by_its_name():
    """Handlers and levels of a logger are not data."""
    logger = logging.getLogger("subject.test")
    code = Code(make("def f():\n    log.info(1)\n", log=logger))
    first = code.digest()
    logger.setLevel(logging.CRITICAL)
    assert code.digest() == first
    assert code.parts()["global subject.log"] == "logger subject.test"


def test_decorator_of_ours_whose_name_is_gone_does_not_count(tmp_path):
    """A function sent to a worker comes without the name of its decorator."""
    text = "def f(x):\n    return x\n"
    folder = tmp_path / "m.py"
    digests = set()
    for decorator in ("", "@cached\n", "@cachedeco.cached(label='a')\n"):
        folder.write_text(decorator + text, encoding="utf-8")
        namespace = {"__name__": "subject", "cached": lambda f: f, "cachedeco": Decorating}
        exec(compile(decorator + text, str(folder), "exec", dont_inherit=True), namespace)
        del namespace["cached"], namespace["cachedeco"]
        digests.add(Code(namespace["f"]).digest())
        assert "cached" not in Code(namespace["f"]).parts()["body"]
    assert len(digests) == 1


class Decorating:
    """Stands for the library's module."""

    @staticmethod
    def cached(**options):
        """Return a decorator that does nothing."""
        return lambda function: function


def test_foreign_decorator_named_cached_counts():
    """A decorator that is known not to be ours counts, whatever it is called."""
    parts = Code(foreign).parts()
    assert "@cached" in parts["body"]


def cached(function):
    """Return the function itself."""
    return function


@cached
def foreign(x):
    """Return the argument."""
    return x


def test_functions_passed_as_values_are_not_kept_for_ever():
    """A lambda made for each call is let go after a while."""
    kept = weakref.ref(first := lambda: 0)
    function_digest(first)
    del first
    for number in range(600):
        function_digest(make(f"def f():\n    return {number}\n"))
    gc.collect()
    assert kept() is None


def test_shared_parts_of_an_argument_are_looked_at_once():
    """A value that holds itself many times over by sharing does not take long."""
    value: list[object] = [Model(1)]
    for _ in range(200):
        value = [value, value]
    code = Code(make("def f(x):\n    return x\n"))
    assert code.digest({"x": value}) == code.digest({"x": Model(1)})


def test_very_deep_expression_is_counted():
    """An expression of thousands of terms has a digest and a text, with source or without."""
    codes = []
    for last in ("x", "y"):
        text = "def f(x, y):\n    return " + " + ".join([*["x"] * 2500, last]) + "\n"
        linecache.cache["<deep>"] = (len(text), None, text.splitlines(keepends=True), "<deep>")
        namespace = {"__name__": "subject"}
        exec(compile(text, "<deep>", "exec", dont_inherit=True), namespace)
        codes.append(Code(namespace["f"]))
        del linecache.cache["<deep>"]
        assert len(codes[-1].parts()["body"]) > 2500
    assert codes[0].digest() != codes[1].digest()


def test_attrs_and_pydantic_classes_count_by_their_fields():
    """What such libraries generate is not code of the user's, what they generate it from is."""
    attrs, pydantic = pytest.importorskip("attrs"), pytest.importorskip("pydantic")

    def digest(one, two):
        text = (
            f"@attrs.define\nclass A:\n    x: int = {one}\n"
            f"class B(pydantic.BaseModel):\n    x: int = {two}\n"
            "def f():\n    return A(), B()\n"
        )
        return Code(make(text, attrs=attrs, pydantic=pydantic)).digest()

    assert digest(1, 1) == digest(1, 1)
    assert len({digest(1, 1), digest(2, 1), digest(1, 2)}) == 3


def test_threads_get_one_digest():
    """Many threads that ask at once get the same answer."""
    code = Code(make("def h(x):\n    return x\ndef f(x):\n    return h(x) + N[0]\n", N=[1]))
    digests: list[bytes] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        digests.extend(code.digest() for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(digests) == 400
    assert len(set(digests)) == 1


def test_parts_name_what_differs_behind_an_annotation():
    """The class that a field's annotation refers to is named, and so is a value in the annotation."""
    text = (
        "class Item:\n    size = 1\nclass Reading:\n    def __init_subclass__(cls):\n        pass\n"
        "@dataclasses.dataclass\nclass Outer(Reading):\n"
        "    items: 'list[Item]' = None\n    many: 'Annotated[int, N]' = 3\nN = 5\ndef f():\n    return Outer()\n"
    )
    # The namespace of a class is that of its module, so it has to be one.
    module = types.ModuleType("subject_of_annotations")
    sys.modules[module.__name__] = module
    parts = []
    try:
        for changed in (text, text.replace("size = 1", "size = 2"), text.replace("N = 5", "N = 6")):
            vars(module).update(dataclasses=dataclasses)
            exec(compile(changed, "<string>", "exec", dont_inherit=True), vars(module))
            parts.append(Code(module.f).parts())
    finally:
        del sys.modules[module.__name__]
    names = [{name for name in parts[0] if parts[0][name] != other[name]} for other in parts[1:]]
    assert names == [{"class subject_of_annotations.Item"}, {"global subject_of_annotations.N"}]


def test_parts_name_what_differs_in_a_module_that_is_passed_on():
    """The function of the module is named, not the module."""

    def module(text):
        made = types.ModuleType("tools")
        exec(compile(text, "<string>", "exec", dont_inherit=True), vars(made))
        return made

    text = "def used():\n    return 1\nLIMIT = 2\n"
    f = "def f():\n    return call(tools)\n"
    one, two, three = (
        Code(make(f, call=len, tools=module(changed))).parts()
        for changed in (text, text.replace("return 1", "return 3"), text.replace("LIMIT = 2", "LIMIT = 3"))
    )
    assert {name for name in one if one[name] != two[name]} == {"helper tools.used"}
    assert {name for name in one if one[name] != three[name]} == {"global tools.LIMIT"}
    assert "# tools as a whole is module tools" in one["body"]


def test_parts_name_an_option_of_a_foreign_decorator():
    """The global that the option came from is named."""
    path = "<decorated>"
    parts = []
    for number in (2, 3):
        text = f"N = {number}\n@functools.lru_cache(maxsize=N)\ndef h():\n    return 1\ndef f():\n    return h()\n"
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        namespace = {"__name__": "subject", "functools": functools}
        exec(compile(text, path, "exec", dont_inherit=True), namespace)
        parts.append(Code(namespace["f"]).parts())
    del linecache.cache[path]
    assert {name for name in parts[0] if parts[0][name] != parts[1][name]} == {"global subject.N"}


def test_subclass_made_later_is_seen():
    """Where subclasses are asked for, one that is made after the first call counts at the next."""
    f = make("class Base:\n    pass\ndef f():\n    return Base.__subclasses__()\n")
    code = Code(f)
    first = code.digest()
    made = type("Later", (f.__globals__["Base"],), {"__module__": "subject"})
    assert code.digest() != first
    assert f"class subject.{made.__name__}" in code.parts()


def test_name_set_in_a_module_that_is_passed_on_is_seen():
    """A constant or a function that is replaced at run time counts, and so does a table that is read."""
    tools = types.ModuleType("tools")
    tools.LIMIT, tools.TABLE, tools.other = 1, {"a": 1}, {"b": 1}
    code = Code(make("def f():\n    return call(tools).TABLE\n", call=len, tools=tools))
    digests = [code.digest()]
    tools.LIMIT = 2
    digests.append(code.digest())
    tools.TABLE["a"] = 2
    digests.append(code.digest())
    tools.other["b"] = 2
    assert len(set(digests)) == 3
    assert code.digest() == digests[-1]


def test_notebooks_own_names_do_not_count_among_globals(monkeypatch):
    """What was typed and what came out changes with every cell."""
    notebook = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    exec("def f():\n    return globals()['N']\nN = 1\n_i1 = 'f()'\n", vars(notebook))
    code = Code(notebook.f)
    first = code.digest()
    notebook._i2, notebook._i1 = "f()", "f(2)"
    assert code.digest() == Code(notebook.f).digest() == first
    notebook.N = 2
    assert code.digest() != first


def test_lazy_attribute_that_cannot_be_made_does_not_stop_the_digest():
    """A module may refuse to load what it names, with any error."""
    tools = types.ModuleType("tools")

    def refuse(name):
        raise ImportError(name)

    tools.__getattr__ = refuse
    parts = Code(make("def f():\n    return tools.missing\n", tools=tools)).parts()
    assert "# tools.missing is undefined" in parts["body"]
