"""Finding the source of live functions: only text that compiles to the live code counts."""

from __future__ import annotations

import functools
import importlib.util
import linecache
import os
import subprocess
import sys
import warnings
import zipfile

import pytest
import xxhash

from cachedeco.keys import code_tree, source
from cachedeco.keys.code import Code


def load(path, name="subject"):
    """Import a file as a module that is not kept."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


def write(path, text):
    """Write a file whose compiled form is not found again."""
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def no_compiled_files(monkeypatch):
    """Edits within one second must not be hidden by a compiled file."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def body_of(function) -> str:
    """Return the text of the function's own part."""
    return Code(function).parts()["body"]


def test_file_edited_before_the_first_digest_does_not_lend_its_new_text(tmp_path):
    """The text counts that the file had when the function was decorated."""
    path = write(tmp_path / "m.py", "def f(x):\n    return x + 1\n")
    code = Code(load(path).f)
    write(path, "def f(x):\n    return x + 2\n")
    assert code.parts()["body"] == "def f(x):\n    return x + 1"


def test_file_edited_before_decoration_does_not_lend_its_new_text(tmp_path):
    """Where the text is gone, the code object counts: it differs from that of the new text."""
    path = write(tmp_path / "m.py", "def f(x):\n    return x + 1\n")
    old = load(path).f
    write(path, "def f(x):\n    return x + 2\n")
    first = Code(old)
    assert "x + 2" not in first.parts()["body"]
    assert first.digest() != Code(load(path).f).digest()


def test_helper_in_a_file_edited_after_import_is_not_read_from_the_new_text(tmp_path):
    """A helper's text is not taken from a file that has changed since."""
    path = write(tmp_path / "m.py", "def f(x):\n    return x + 1\n")
    old = load(path).f
    write(path, "def f(x):\n    return x * 7\n")
    assert "x * 7" not in "".join(Code(lambda: old(1)).parts().values())


def test_same_text_after_an_edit_of_something_else_is_the_same_code(tmp_path):
    """A function that only moved within its file keeps its digest."""
    text = "def f(x):\n    return x + 1\n"
    first = Code(load(write(tmp_path / "a.py", text)).f).digest()
    assert Code(load(write(tmp_path / "b.py", "import os\n\n\n" + text)).f).digest() == first


@pytest.mark.parametrize(
    "line",
    [
        "a, b = lambda x: x + 1, lambda x: x + 2",
        "a, b = (lambda x: x), (lambda x: (x))",
        "a = lambda x: lambda y: x - y; b = a(1)",
        "a, b = [lambda x: i for i in range(1)][0], lambda x: 4",
        "a, b = lambda: (yield 1), lambda: (yield 2)",
        "a, b = lambda x=lambda: 1: x, lambda x=lambda: 2: x",
    ],
)
def test_lambdas_on_one_line_have_their_own_text(tmp_path, line):
    """Lambdas that share a line are told apart by the positions of their instructions."""
    module = load(write(tmp_path / "m.py", line + "\n"))
    for function in (module.a, module.b):
        found = source.find(function.__code__, vars(module))
        assert found is not None
        again = eval(code_tree.text(found.node), {"i": 0})
        assert again.__code__.co_code == function.__code__.co_code or function.__code__.co_freevars
        assert [c for c in again.__code__.co_consts if type(c) is int] == [
            c for c in function.__code__.co_consts if type(c) is int
        ]


def test_wrapper_is_not_given_the_text_of_what_it_wraps():
    """`functools.wraps` lends a name, not a text."""

    def plain(x):
        return x

    @functools.wraps(plain)
    def wrapper(x):
        return -x

    parts = Code(wrapper).parts()
    assert "return -x" in parts["body"]
    assert any("return x" in text for name, text in parts.items() if name.startswith("helper "))


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    class B:\n        def f(self):\n            return self.__x + super().y\nf = A.B.f\n",
        "if True:\n    def f(x):\n        return x\nelse:\n    f = None\n",
        "try:\n    def f(x):\n        return x\nexcept ValueError:\n    raise\n",
        "text = '''\nno = code\n'''\ndef f(x):\n    text = '''\nx = 1\n'''\n    return text\n",
        "def deco(*a):\n    return lambda g: g\n@deco(\n    1,\n)\n@deco(2)\ndef f(\n    x,\n):\n    pass\n",
        "def outer():\n    y = 1\n    def f(x):\n        return x + y\n    return f\nf = outer()\n",
        "# -*- coding: latin-1 -*-\ndef f(x):\n    return '\u00e4'\n",
        "from __future__ import annotations\ndef f(x: Missing) -> Missing:\n    return x\n",
        "def f(x): return x\n",
        "def f(x):\n\n# left\n    return x\n# end",
        "async def f(x):\n    return [i async for i in x]\n",
        "def f(x):\n    return '\\d'\n",
        "def f(x):\n    match x:\n        case {'a': [1, *rest], **more} if rest:\n            return more\n",
        "\ufeffdef f(x):\n    return x\n",
        "def f(x):\r\n    return '''a\r\nb'''\r\n",
        "def f(x):\x0c\n\x0c\n    return x\n",
    ],
)
def test_source_is_found(tmp_path, text):
    """Methods, nested and conditional functions, odd layouts and encodings all find their text."""
    path = tmp_path / "m.py"
    path.write_bytes(text.encode("latin-1" if "latin-1" in text else "utf-8"))
    function = load(path).f
    found = source.find(function.__code__, function.__globals__)
    assert found is not None
    assert code_tree.name_of(found.node) == "f"
    assert found.code.co_name == "f"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters are new in Python 3.12")
def test_source_of_a_generic_function_is_found(tmp_path):
    """A function with type parameters is nested in one that makes these."""
    function = load(write(tmp_path / "m.py", "def f[T](x: T) -> T:\n    return x\n")).f
    assert source.find(function.__code__, function.__globals__) is not None


def test_cell_of_a_notebook_has_source():
    """A cell's text is where the notebook has put it, and its file name does not count."""
    texts = []
    for filename in ("/nowhere/ipykernel_1/111.py", "<ipython-input-2-abc>"):
        text = "# a cell\ndef f(x):\n    return x + 1\n"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        namespace = {"__name__": "__main__"}
        exec(compile(text, filename, "exec", dont_inherit=True), namespace)
        code = Code(namespace["f"])
        del linecache.cache[filename]
        texts.append((code.digest(), code.parts()["body"]))
    assert texts[0] == texts[1]
    assert texts[0][1] == "def f(x):\n    return x + 1"


def test_redefinition_in_a_cell_of_the_same_name_is_another_function():
    """A cell run again under one file name gives the text of its own run."""
    bodies = []
    for number in (1, 2):
        text = f"def f(x):\n    return x + {number}\n"
        linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
        namespace = {"__name__": "__main__"}
        exec(compile(text, "<cell>", "exec", dont_inherit=True), namespace)
        bodies.append((Code(namespace["f"]), f"return x + {number}"))
    del linecache.cache["<cell>"]
    assert all(expected in code.parts()["body"] for code, expected in bodies)


def test_function_without_source_counts_by_its_code_object():
    """Comments, docstrings and lines do not count without source either, what runs does."""

    def digest(text):
        namespace = {"__name__": "subject"}
        exec(compile(text, "<string>", "exec", dont_inherit=True), namespace)
        return Code(namespace["f"]).digest()

    first = digest("def f(x):\n    return x in {1, 'a', None}\n")
    assert (
        digest("\n\ndef f(x):\n    'A docstring.'\n    # and a comment\n    return x in {1, 'a', None}\n")
        == first
    )
    assert digest("def f(x):\n    return x in {1, 'b', None}\n") != first
    assert digest("def f(x):\n    return x not in {1, 'a', None}\n") != first
    assert digest("def f(x, y=1):\n    return x in {1, 'a', None}\n") != first


def test_module_in_an_archive_has_source(tmp_path, monkeypatch):
    """The loader of an archive knows the text."""
    archive = tmp_path / "library.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("zipped_subject.py", "def f(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(str(archive))
    import zipped_subject

    assert body_of(zipped_subject.f) == "def f(x):\n    return x + 1"
    del sys.modules["zipped_subject"]


def test_source_is_found_without_columns(tmp_path):
    """Where instructions have lines only, the text is found all the same."""
    write(tmp_path / "m.py", "def f(x):\n    return x\na, b = lambda: 1, lambda: 2\n")
    script = (
        "import m; from cachedeco.keys import source\n"
        "print([source.find(g.__code__, vars(m)) is not None for g in (m.f, m.a)])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    result = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[True, True]"


def test_encoding_of_a_tree_is_the_same_in_every_python_version():
    """The digest of a tree was written down once, for all versions."""
    text = (
        "@final\nasync def f(a, /, b: int = 1, *c, d=None, **e) -> str:\n    '''Doc.'''\n"
        "    x: int = 3\n    async with a as q, b:\n        yield [i for i in c if i < 1_000]\n"
        "    try:\n        del a[1:2, ...], q.z\n    except* (A, B) as error:\n        raise C from error\n"
        "    match a:\n        case [1, *_] | {'k': v, **w} | P(x=1):\n            pass\n"
        "    def g():\n        nonlocal x\n"
        "        return lambda y=1.5: f'{y!r:>{x}}{x=}' + b'z'.decode() * -0.0j\n"
        "    await (x := g())\n"
    )
    tree = compile(text, "<string>", "exec", 0x400)
    code_tree.normalise(tree)
    assert xxhash.xxh3_128_hexdigest(code_tree.encode(tree)) == "195dcf1b5b5c8ba2c23323aea2b1c792"
    assert "int" not in code_tree.text(tree)


def test_huge_integers_and_deep_expressions_are_encoded():
    """Neither the limit on decimal digits nor that on recursion stops the encoding."""
    tree = compile("0x" + "f" * 9000 + "+ 1" * 2000, "<string>", "exec", 0x400)
    assert code_tree.encode(tree).count(b"Add") == 2000
