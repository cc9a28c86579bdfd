"""Fingerprints: what they promise, what is refused and how it is said."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import itertools
import logging
import socket
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_digest

from cachedeco.errors import KeyingError, OptionError
from cachedeco.keys import dispatch, plain
from cachedeco.keys.fingerprint import SCHEME, digest, fingerprint, register_hasher

LEAVES = (
    st.none()
    | st.integers(-2, 2)
    | st.floats()
    | st.text(max_size=2)
    | st.dates()
    | st.decimals(allow_nan=False)
    | st.fractions()
)
HASHABLE = st.integers(-2, 2) | st.text(max_size=1) | st.dates() | st.tuples(st.integers(0, 1), st.dates())


class Node:
    """An object with any attributes."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


VALUES = st.recursive(
    LEAVES | st.sets(HASHABLE, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.builds(Node, a=inner, b=inner)
    ),
    max_leaves=15,
)


def exact(value):
    """Return a form of a value that is equal for equal types and contents only."""
    kind = type(value)
    if kind in (tuple, list):
        return kind, tuple(map(exact, value))
    if kind is dict:
        return kind, frozenset((exact(key), exact(part)) for key, part in value.items())
    if kind is set:
        return kind, frozenset(map(exact, value))
    if kind is Node:
        return kind, exact(vars(value))
    return kind, repr(value)


@pytest.fixture
def registered(monkeypatch):
    """Registrations that end with the test."""
    monkeypatch.setattr(dispatch, "_registered", {})
    monkeypatch.setattr(dispatch, "_found", type(dispatch._found)())


@given(VALUES, VALUES)
def test_fingerprints_agree_exactly_where_values_do(left, right):
    """Two values have one fingerprint if and only if they are equal in type and content."""
    assert (fingerprint(left) == fingerprint(right)) == (exact(left) == exact(right))


@given(VALUES)
def test_copy_has_the_fingerprint_of_the_original(value):
    """It does not matter which objects are shared."""
    assert fingerprint(copy.deepcopy(value)) == fingerprint(value)
    assert fingerprint([value, value]) == fingerprint([value, copy.deepcopy(value)])


@given(VALUES, VALUES)
def test_a_change_anywhere_changes_the_fingerprint(value, other):
    """Wherever two values differ, what contains them differs."""
    places = [
        lambda part: [part, 1],
        lambda part: {"a": (part, dt.date(2020, 1, 1))},
        lambda part: Node(a=part),
    ]
    for place in places:
        assert (fingerprint(place(value)) == fingerprint(place(other))) == (exact(value) == exact(other))


def test_fingerprint_is_the_digest_in_hexadecimal():
    """The public form has 32 digits."""
    assert fingerprint((1, "a")) == digest((1, "a")).hex()
    assert len(fingerprint(Node(a=1))) == 32


def test_scheme_is_the_one_of_the_golden_digests():
    """Changing the encoding means changing this number and the golden digests."""
    assert SCHEME == 1


def test_large_bytes_have_the_digest_of_their_encoding():
    """The way without a copy leads to the same digest."""
    for size in (10, (1 << 20) + 1):
        assert digest(bytes(size)) == xxh3_128_digest(plain.encode(bytes(size)))


def test_strings_without_room_in_marshal_are_digested(monkeypatch):
    """A string of 2 GiB goes the long road."""

    def no_room(*_):
        raise ValueError("unmarshallable object")

    monkeypatch.setattr(plain, "dumps", no_room)
    values = ["large", "larger", b"large", "\ud800", ["large"], ("large",), {"large": "larger"}, {"large"}]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint(["large"]) == fingerprint(["large"])


def test_very_deep_values_do_not_overflow_the_stack():
    """100,000 levels are walked, and the leaf below them counts."""
    digests = set()
    for leaf in (1, dt.date(2020, 1, 1)):
        value = leaf
        for _ in range(100_000):
            value = [value]
        digests.add(fingerprint(value))
    assert len(digests) == 2


def test_very_deep_objects_do_not_overflow_the_stack():
    """A long chain of objects is walked."""
    digests = set()
    for leaf in (1, 2):
        chain = Node(next=leaf)
        for _ in range(20_000):
            chain = Node(next=chain)
        digests.add(fingerprint(chain))
        while isinstance(chain, Node):  # link by link: to free them all at once overflows Python's own stack
            chain = chain.next
    assert len(digests) == 2


@pytest.mark.parametrize("leaf", [1, dt.date(2020, 1, 1)], ids=["plain", "not plain"])
def test_aliases_do_not_multiply_the_work(leaf):
    """A value that is written out 2 to the power of 200 times ends."""
    value = [leaf]
    for _ in range(200):
        value = [value, value]
    assert fingerprint(value) != fingerprint(value[0])


def test_dense_graph_ends():
    """Objects that all know each other are digested in no more than polynomial time."""
    nodes = [Node(number=number) for number in range(60)]
    for node in nodes:
        node.others = [other for other in nodes if other is not node]
    assert fingerprint(nodes[0]) != fingerprint(nodes[1])
    assert fingerprint(nodes[0]) == fingerprint(copy.deepcopy(nodes[0]))


def test_cycles_of_equal_shape_agree():
    """What cannot be told apart by following references has one fingerprint."""
    parent, other = Node(name="parent"), Node(name="parent")
    for node in (parent, other):
        node.children = [Node(name="child", parent=node) for _ in range(2)]
    assert fingerprint(parent) == fingerprint(other)
    assert fingerprint(parent.children[0]) == fingerprint(other.children[1])
    other.children[1].name = "another"
    assert fingerprint(parent) != fingerprint(other)


def test_copy_of_a_cyclic_value_agrees():
    """`[v, v]` and `[v, copy(v)]` agree although the copy is outside the cycle."""
    value = {"name": "v", "inner": [1]}
    value["self"] = value
    assert fingerprint([value, value]) == fingerprint([value, copy.copy(value)])
    assert fingerprint(value) == fingerprint(copy.deepcopy(value))


def test_cycles_through_sets_do_not_depend_on_order():
    """Members of a set that refer back to it are ordered by what they are."""

    def ring(names):
        owner = Node()
        owner.members = {Node(name=name, owner=owner) for name in names}
        return owner

    assert fingerprint(ring("abc")) == fingerprint(ring("cab"))
    assert fingerprint(ring("abc")) != fingerprint(ring("abd"))
    assert fingerprint(ring("ab")) != fingerprint(ring("abb"))


@given(
    st.lists(st.integers(0, 5), min_size=6, max_size=6), st.lists(st.integers(0, 2), min_size=6, max_size=6)
)
def test_graphs_are_told_apart_by_what_can_be_reached(edges, names):
    """A graph agrees with its copy, and two nodes agree exactly if following them looks the same."""
    nodes = [Node(name=name) for name in names]
    for node, to in zip(nodes, edges, strict=True):
        node.next = nodes[to]

    def seen(start):
        steps = itertools.accumulate(range(20), lambda node, _: node.next, initial=start)
        return [node.name for node in steps]

    assert fingerprint(nodes[0]) == fingerprint(copy.deepcopy(nodes[0]))
    assert (fingerprint(nodes[0]) == fingerprint(nodes[1])) == (seen(nodes[0]) == seen(nodes[1]))


def unkeyable():
    with socket.socket() as opened:
        yield "socket", opened
    yield "lock", threading.Lock()
    yield "generator", (number for number in range(3))
    yield "object", object()
    yield "module", sys
    yield "count", itertools.count()
    yield "frame", sys._getframe()
    with open(__file__, encoding="utf-8") as file:
        yield "file", file


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("number", range(8))
def test_refusal_names_argument_path_and_ways_out(number, place):
    """What has no content is refused with a sentence that says where it is and what to do."""
    for name, value in itertools.islice(unkeyable(), number, number + 1):
        whole, path = [
            (value, "rows"),
            ([1, [value]], "rows[1][0]"),
            ([0, 0, 0, Node(logger=value)], "rows[3].logger"),
            ({"a": {"b": Node(c=(value,))}}, "rows['a']['b'].c[0]"),
        ][place]
        with pytest.raises(KeyingError) as caught:
            digest(whole, "rows")
        assert caught.value.path == path
        message = str(caught.value)
        assert message.startswith(f"{path} is a "), name
        for part in ("argument 'rows'", "ignore=('rows',)", "NoKey", "KeyBy(function)"):
            assert part in message


def test_refusal_offers_only_what_can_be_done():
    """A method cannot be added to a built-in class, and nothing can stand for all objects."""
    with pytest.raises(KeyingError, match=r"register_hasher\(lock, function\)") as caught:
        fingerprint(threading.Lock())
    assert "__cachedeco_key__" not in str(caught.value)

    class Holder:
        def __reduce__(self):
            raise RuntimeError("not today")

    with pytest.raises(KeyingError, match="give Holder a __cachedeco_key__ method") as caught:
        fingerprint([Holder()])
    assert "not today" in str(caught.value)
    with pytest.raises(KeyingError) as caught:
        fingerprint(object())
    assert "register_hasher" not in str(caught.value)


def test_very_long_path_is_shortened_in_the_message_only():
    """The sentence stays readable, the attribute is complete."""
    value = threading.Lock()
    for _ in range(500):
        value = [value]
    with pytest.raises(KeyingError) as caught:
        fingerprint(value)
    assert caught.value.path == "value" + "[0]" * 500
    assert len(str(caught.value)) < 700


def test_keys_of_a_dict_have_a_path_too():
    """A key that cannot be digested is found by its place."""

    class Key:
        __hash__ = object.__hash__

        def __reduce__(self):
            raise TypeError("no")

    with pytest.raises(KeyingError) as caught:
        fingerprint({"a": 1, Key(): 2})
    assert caught.value.path == "value.keys()[1]"


def test_logger_is_known_by_its_name():
    """What pickle finds by name is known by that name."""
    assert fingerprint(logging.getLogger("a")) == fingerprint(logging.getLogger("a"))
    assert fingerprint(logging.getLogger("a")) != fingerprint(logging.getLogger("b"))


class Named:
    """Says that it is found under a name."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return self.name


HERE = Named("HERE")


def test_name_that_leads_elsewhere_is_refused():
    """What only claims to be found under a name would be taken for whatever is found there."""
    assert fingerprint(HERE) == fingerprint(HERE)
    with pytest.raises(KeyingError, match="where something else is"):
        fingerprint(Named("HERE"))


def test_reconstructor_that_has_no_name_counts_by_its_code(monkeypatch):
    """A lambda in a reduction may hold the content; its name says nothing."""
    from cachedeco.keys import code

    class Hidden:
        def __init__(self, content):
            self.content = content

        def __reduce__(self):
            content = self.content
            return (lambda: Hidden(content)), ()

    def cells(function):
        return xxh3_128_digest(repr([cell.cell_contents for cell in function.__closure__ or ()]).encode())

    monkeypatch.setattr(
        code, "function_digest", lambda function: cells(function) if function.__closure__ else b""
    )
    monkeypatch.setattr(code, "class_digest", lambda _: b"class")
    assert fingerprint(Hidden(1)) != fingerprint(Hidden(2))


def test_functions_and_classes_are_known_by_their_code(monkeypatch):
    """What a function or a class does decides, not its name or address."""
    from cachedeco.keys import code

    monkeypatch.setattr(code, "function_digest", lambda function: function.__code__.co_code)
    monkeypatch.setattr(code, "class_digest", lambda kind: kind.body)
    functions = [lambda: 1, lambda: 1 + len(""), lambda: 1]
    digests = [fingerprint(function) for function in functions]
    assert digests[0] == digests[2] != digests[1]
    first, second = type("C", (), {"body": b"1"}), type("C", (), {"body": b"2"})
    assert fingerprint(first) != fingerprint(second)
    assert fingerprint(functools.partial(functions[0])) != fingerprint(functools.partial(functions[1]))
    assert fingerprint(functools.lru_cache(functions[0])) != fingerprint(functools.lru_cache(functions[1]))


def test_function_found_in_what_it_closes_over_ends(monkeypatch):
    """A function is not digested within itself."""
    from cachedeco.keys import code

    def digest_cells(function):
        return b"".join(digest(cell.cell_contents) for cell in function.__closure__ or ())

    monkeypatch.setattr(code, "function_digest", digest_cells)

    def make(extra):
        known = [extra]

        def function():
            return known

        known.append(function)
        return function

    assert fingerprint(make(1)) == fingerprint(make(1))
    assert fingerprint(make(1)) != fingerprint(make(2))


def test_error_inside_a_function_has_the_whole_path(monkeypatch):
    """What a function closes over is named after the function."""
    from cachedeco.keys import code

    monkeypatch.setattr(code, "function_digest", lambda _: digest(threading.Lock(), "function.lock"))
    with pytest.raises(KeyingError) as caught:
        digest([lambda: 1], "callbacks")
    assert caught.value.path == "callbacks[0].function.lock"


def closing_over(value):
    def function():
        return value

    return function


def with_default(value):
    return lambda value=value: value


@pytest.mark.parametrize("make", [closing_over, with_default])
@pytest.mark.parametrize(
    "place",
    [lambda value: value, lambda value: [value], closing_over, lambda value: functools.partial(print, value)],
    ids=["itself", "in a list", "in another function", "in a partial"],
)
def test_function_with_something_bound_that_has_no_content(make, place):
    """It is refused: a connection could be exchanged for another one, and the code would be the same."""
    with pytest.raises(KeyingError, match="lock") as caught:
        digest(make(place(threading.Lock())), "callback")
    assert caught.value.path.startswith(("callback.value", "callback.__defaults__[0]"))


def test_function_with_a_bare_object_bound():
    """A sentinel stands for nothing but itself."""
    assert fingerprint(with_default(object())) == fingerprint(with_default(object()))
    assert fingerprint(closing_over(object())) != fingerprint(closing_over(1))


@pytest.mark.parametrize("make", [closing_over, with_default])
def test_what_is_bound_counts(make):
    """By content, through any number of functions."""
    values = [1, 2, True, [1], {1}, dt.date(2020, 1, 1), len, closing_over(1), closing_over(2)]
    assert len({fingerprint(make(value)) for value in values}) == len(values)
    assert fingerprint(make([1])) == fingerprint(make([1]))


def test_function_that_calls_itself():
    """A closure in which the function is found again ends."""

    def make(start):
        def count(n):
            return start if n == 0 else count(n - 1)

        def even(n):
            return start if n == 0 else odd(n - 1)

        def odd(n):
            return even(n - 1)

        return count, even, odd

    assert list(map(fingerprint, make(1))) == list(map(fingerprint, make(1)))
    assert len({*map(fingerprint, make(1)), *map(fingerprint, make(2))}) == 6


def test_classes_made_by_a_function_differ_by_their_code(monkeypatch):
    """Each call makes another class of the same name, so instances are told apart by the class's code."""
    from cachedeco.keys import code

    def make(factor):
        class Scale:
            by = factor

        return Scale

    monkeypatch.setattr(code, "class_digest", lambda kind: repr(kind.by).encode())
    assert fingerprint(make(1)()) == fingerprint(make(1)())
    assert fingerprint(make(1)()) != fingerprint(make(2)())


class Client:
    """Has an address that counts, and a connection that does not."""

    def __init__(self, address):
        self.address = address
        self.lock = threading.Lock()


class SubClient(Client):
    """Is not its base."""


def test_registered_hasher_stands_for_the_value(registered):
    """Only what the function returns counts, for subclasses too, and the type."""
    with pytest.raises(KeyingError):
        fingerprint(Client("a"))
    register_hasher(Client, lambda client: client.address)
    assert fingerprint(Client("a")) == fingerprint(Client("a"))
    assert fingerprint(Client("a")) != fingerprint(Client("b"))
    assert fingerprint(Client("a")) != fingerprint("a")
    assert fingerprint(Client("a")) != fingerprint(SubClient("a"))
    register_hasher(Client, lambda _: 1)
    assert fingerprint(Client("a")) == fingerprint(Client("b"))


def test_nearest_registered_base_decides(registered):
    """A hasher for the class itself goes before one for its base."""
    register_hasher(Client, lambda _: "base")
    register_hasher(SubClient, lambda client: client.address)
    assert fingerprint(SubClient("a")) != fingerprint(SubClient("b"))


def test_registered_hasher_goes_before_what_is_known(registered):
    """A user can say that something else stands for a date."""
    register_hasher(dt.date, lambda date: date.year)
    assert fingerprint(dt.date(2020, 1, 1)) == fingerprint(dt.date(2020, 2, 2))


def test_method_goes_before_a_registered_hasher(registered):
    """The value's own class knows best."""

    class Keyed(SubClient):
        def __cachedeco_key__(self):
            return self.address

    from cachedeco.keys import code

    assert callable(code.class_digest)
    register_hasher(Client, lambda _: 1)
    assert fingerprint(Keyed("a")) != fingerprint(Keyed("b"))


def test_method_may_be_added_later(registered):
    """A class that was refused can be given the method, as the message advises."""

    class Late:
        def __init__(self):
            self.lock = threading.Lock()

    with pytest.raises(KeyingError):
        fingerprint(Late())
    Late.__cachedeco_key__ = lambda _: 1
    assert fingerprint(Late()) == fingerprint(Late())


def test_key_that_is_the_value_itself_is_refused():
    """A method that returns self says nothing about the value."""

    class Selfish:
        def __cachedeco_key__(self):
            return self

    with pytest.raises(KeyingError, match="returned the value itself"):
        fingerprint(Selfish())


def test_error_in_a_key_method_has_a_path_and_a_cause():
    """A fault of the user's method is shown, with the place of the value."""

    class Faulty:
        def __cachedeco_key__(self):
            raise ZeroDivisionError("oops")

    with pytest.raises(KeyingError, match="ZeroDivisionError: oops") as caught:
        digest({"a": Faulty()}, "x")
    assert caught.value.path == "x['a']"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("kind", [str, list, dict, object, int], ids=lambda kind: kind.__name__)
def test_hasher_for_a_plain_type_is_refused(kind):
    """Plain values never ask for a hasher, so one would be ignored."""
    with pytest.raises(OptionError, match=kind.__name__):
        register_hasher(kind, repr)


def test_registration_of_what_is_no_type_or_function_is_refused():
    """The two arguments are what their names say."""
    with pytest.raises(OptionError, match="takes a type"):
        register_hasher("Client", repr)
    with pytest.raises(OptionError, match="must be a function"):
        register_hasher(Client, "address")


def test_attributes_that_somebody_gave_a_function_count():
    """As they do for any object; those of a decorator are its own affair."""

    def make():
        def g():
            return 1

        return g

    plain, marked, other = make(), make(), make()
    marked.level, other.level = 3, 4
    assert len({fingerprint(plain), fingerprint(marked), fingerprint(other)}) == 3
    assert fingerprint(make()) == fingerprint(plain)
