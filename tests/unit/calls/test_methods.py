"""Methods and other functions that are not at the top of a module; decorators above and below; calls in calls."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading

import pytest

from cachedeco import Cache, KeyingError, OptionError, WaitCycleError, cached

SEEN = []


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    SEEN.clear()


class Base:
    """A class whose methods are used by cached ones."""

    def double(self, x):
        return 2 * x


class Station(Base):
    """An object with state."""

    def __init__(self, name, depth=0):
        self.name = name
        self.depth = depth


def with_method(cache, *bases, body=None, **options):
    """A class with a cached method `read(x, seen)`, whose `seen` does not count."""

    class Made(*(bases or (Station,))):
        @cached(cache=cache, ignore=("seen", *options.pop("also", ())), **options)
        def read(self, x, seen=None):
            seen.append(x)
            return f"{self.name} {self.double(x)}"

    if body is not None:
        Made.double = body
    return Made


# Methods


def test_self_is_part_of_the_key_by_its_state(cache):
    """Equal objects share results, others do not."""
    kind = with_method(cache)
    assert kind("A").read(1, SEEN) == "A 2"
    assert kind("A").read(1, SEEN) == "A 2"
    assert len(SEEN) == 1
    assert kind("B").read(1, SEEN) == "B 2"
    assert kind("A", depth=3).read(1, SEEN) == "A 2"
    assert len(SEEN) == 3


def test_a_changed_object_is_another_key(cache):
    """At the time of the call."""
    station = with_method(cache)("A")
    station.read(1, SEEN)
    station.name = "B"
    assert station.read(1, SEEN) == "B 2"
    station.name = "A"
    assert station.read(1, SEEN) == "A 2"
    assert len(SEEN) == 2


def test_slots_are_state(cache):
    """As a dictionary is."""

    class Slotted:
        __slots__ = ("name",)

        def __init__(self, name):
            self.name = name

        @cached(cache=cache, ignore=("seen",))
        def read(self, seen):
            seen.append(self.name)
            return self.name

    assert [Slotted(name).read(SEEN) for name in "ABA"] == ["A", "B", "A"]
    assert SEEN == ["A", "B"]


def test_the_class_counts_as_code(cache):
    """A changed method of it is a miss."""
    kind = with_method(cache)
    assert kind("A").read(1, SEEN) == "A 2"
    kind.double = lambda self, x: 3 * x
    assert kind("A").read(1, SEEN) == "A 3"
    del kind.double
    assert kind("A").read(1, SEEN) == "A 2"
    assert len(SEEN) == 2


def test_its_bases_count_as_code(cache):
    """Also those of bases."""

    class Root:
        def double(self, x):
            return 2 * x

    class Middle(Root):
        def __init__(self, name):
            self.name = name

    kind = with_method(cache, Middle)
    assert kind("A").read(1, SEEN) == "A 2"
    Root.double = lambda self, x: 5 * x
    assert kind("A").read(1, SEEN) == "A 5"


def test_a_method_is_not_shared_by_classes(cache):
    """A class that inherits it has another `self`."""
    kind = with_method(cache)

    class Deeper(kind):
        def double(self, x):
            return 20 * x

    assert kind("A").read(1, SEEN) == "A 2"
    assert Deeper("A").read(1, SEEN) == "A 20"


def test_ignoring_self_shares_results_of_all_objects(cache):
    """As the option says."""
    kind = with_method(cache, also=("self",))
    assert kind("A").read(1, SEEN) == "A 2"
    assert kind("B").read(1, SEEN) == "A 2"
    assert kind("A").read.__func__.params(kind("A"), 1) == {"x": 1}


def test_an_object_without_usable_state_is_refused_in_one_sentence(cache):
    """It names the part and says what to do. Nothing is computed."""
    kind = with_method(cache)
    station = kind("A")
    station.lock = threading.Lock()
    with pytest.raises(KeyingError) as caught:
        station.read(1, SEEN)
    text = str(caught.value)
    assert "self.lock" in text
    assert "ignore=('self',)" in text
    assert "\n" not in text
    assert caught.value.path == "self.lock"
    assert not SEEN
    assert with_method(cache, also=("self",))("A").read(1, SEEN) == "A 2"


def test_an_object_without_any_state_is_one_object(cache):
    """Its class says it all."""

    class Plain(Base):
        name = "A"

    kind = with_method(cache, Plain)
    assert kind().read(1, SEEN) == kind().read(1, SEEN) == "A 2"
    assert len(SEEN) == 1


def test_verbs_of_a_method_take_the_object(cache):
    """As the first of the arguments."""
    kind = with_method(cache)
    station = kind("A")
    station.read(1, SEEN)
    assert kind.read.item(station, 1).load() == "A 2"
    assert kind.read.status(station, 2).name == "UNINITIALIZED"
    assert kind.read.remove(station, 1) == 1


class Telescope:
    """Its methods would take another argument for the object without a complaint."""

    @cached
    def look(self, day=1):
        """Look at a day."""
        return day

    @classmethod
    @cached
    def make(cls, day=1):
        """Count the class."""
        return [cls.__name__, day]

    @staticmethod
    @cached
    def double(x, y=2):
        """Take neither."""
        return 2 * x


class Finder(Telescope):
    """Inherits all of them."""


class Kind(type):
    """Its methods take a class for their object."""

    @cached
    def label(cls, day=1):
        """Name the class."""
        return [cls.__name__, day]


class Labelled(metaclass=Kind):
    """Has a method of its class's class."""


class Borrower:
    """Is no telescope, but looks like one."""

    look = Telescope.look


VERBS_OF_CALLS = ["item", "items", "status", "key", "params", "refresh", "remove", "why"]


@pytest.mark.parametrize("verb", VERBS_OF_CALLS)
@pytest.mark.parametrize(
    "method",
    [Telescope().look, Finder().look, Telescope.make, Finder.make],
    ids=["own", "inherited", "class's own", "class's inherited"],
)
def test_a_verb_that_misses_the_object_is_refused(method, verb):
    """It does not see what stands before the dot, and takes nothing else for it."""
    for args, kwargs in (((5,), {}), ((), {}), ((), {"day": 5})):
        with pytest.raises(
            OptionError, match=r"Pass it first, as in Telescope\.(look|make)\.item\(the_object"
        ):
            getattr(method, verb)(*args, **kwargs)


@pytest.mark.parametrize("verb", ["map", "missing"])
def test_many_calls_that_miss_the_object_are_refused(verb):
    """Before any of them is computed."""
    with pytest.raises(OptionError, match="they got a value of the type int"):
        getattr(Telescope().look, verb)([1, 2])
    assert Cache().search() == []


def test_a_verb_gets_the_object_or_the_class_first():
    """That of a subclass too, by name or position, and of a class that borrows the method."""
    finder = Finder()
    assert finder.look(3) == 3
    assert Telescope.look.item(finder, 3) == finder.look.item(self=finder, day=3) is not None
    assert Finder.make(3) == Finder.make.item(Finder, 3).load() == ["Finder", 3]
    assert Borrower().look(4) == Borrower.look.item(Borrower(), 4).load()
    assert Labelled.label(2) == Kind.label.item(Labelled, 2).load() == ["Labelled", 2]
    assert Telescope.look.map([finder, Telescope()], [3, 5]) == [3, 5]
    assert Telescope.double(4) == Telescope.double.item(4).load() == Telescope().double.refresh(4)


def test_a_method_called_through_its_class_is_the_same_call(cache):
    """Bound or not."""
    kind = with_method(cache)
    assert kind.read(kind("A"), 1, SEEN) == kind("A").read(1, SEEN)
    assert len(SEEN) == 1


def test_classmethods_and_staticmethods(cache):
    """With @cached next to the def; the class counts as what it is."""

    class Kit:
        factor = 2

        @classmethod
        @cached(cache=cache, ignore=("seen",))
        def scale(cls, x, seen):
            seen.append(x)
            return cls.factor * x

        @staticmethod
        @cached(cache=cache, ignore=("seen",))
        def add(x, seen):
            seen.append(x)
            return x + 1

    class Other(Kit):
        factor = 3

    assert [Kit.scale(2, SEEN), Kit().scale(2, SEEN), Other.scale(2, SEEN), Other.scale(2, SEEN)] == [
        4,
        4,
        6,
        6,
    ]
    assert [Kit.add(1, SEEN), Kit().add(1, SEEN), Other.add(1, SEEN)] == [2, 2, 2]
    assert SEEN == [2, 2, 1]


def test_a_property_may_be_cached(cache):
    """With @cached next to the def."""

    class Circle:
        def __init__(self, radius):
            self.radius = radius

        @property
        @cached(cache=cache, code_version="1")
        def area(self):
            SEEN.append(self.radius)
            return 3 * self.radius**2

    assert [Circle(1).area, Circle(1).area, Circle(2).area] == [3, 3, 12]
    assert SEEN == [1, 2]


def plain():
    """A function to be wrapped."""


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (classmethod, "@cached stands above @classmethod on plain; put @classmethod above @cached"),
        (staticmethod, "@cached stands above @staticmethod on plain; put @staticmethod above @cached"),
        (property, "@cached stands above @property; put @property above @cached"),
        (functools.cached_property, "options go in by name|not for"),
        (
            lambda function: type("Thing", (), {}),
            "Thing is a class; cache a function that makes instances of it",
        ),
        (lambda function: 5, "@cached is for functions, not for 5"),
        (lambda function: "text", "options go in by name"),
        (lambda function: None, "options go in by name"),
        (lambda function: len, "len is not a function written in Python; cache a function that calls it"),
        (functools.lru_cache, "is not a function written in Python; cache a function that calls it"),
    ],
    ids=[
        "classmethod",
        "staticmethod",
        "property",
        "cached_property",
        "class",
        "5",
        "text",
        "None",
        "len",
        "lru_cache",
    ],
)
def test_what_cannot_be_cached_is_refused_with_the_way_out(cache, wrap, words):
    """At decoration."""
    with pytest.raises(OptionError, match=words):
        cached(cache=cache)(wrap(plain))


def test_none_is_not_taken_for_bare_use():
    """`cached(None)` is a slip, not `cached()`."""
    with pytest.raises((OptionError, TypeError)):
        cached(None)(5)


# Functions in functions, lambdas, partials


def test_functions_in_functions_are_told_apart_by_what_they_close_over(cache):
    """Their values belong to the key."""

    def scaled(factor):
        @cached(cache=cache, ignore=("seen",))
        def scale(x, seen):
            seen.append(x)
            return factor * x

        return scale

    assert [scaled(2)(5, SEEN), scaled(3)(5, SEEN), scaled(2)(5, SEEN)] == [10, 15, 10]
    assert len(SEEN) == 2


def test_a_closure_that_changes_is_another_key(cache):
    """At the time of the call."""
    factor = 2

    @cached(cache=cache)
    def scale(x):
        return factor * x

    assert scale(5) == 10
    factor = 3
    assert scale(5) == 15


def test_lambdas_are_told_apart_by_their_code(cache):
    """They have no name of their own."""
    one, two = cached(cache=cache)(lambda x: x + 1), cached(cache=cache)(lambda x: x + 2)
    assert [one(1), two(1), one(1), two(1)] == [2, 3, 2, 3]


def test_partials_bind_as_the_function_does(cache):
    """What is bound counts as an argument."""

    def scale(factor, x, seen, offset=0):
        seen.append(x)
        return factor * x + offset

    def make(*args, **kwargs):
        return cached(cache=cache, ignore=("seen",))(functools.partial(scale, *args, **kwargs))

    assert make(2)(5, SEEN) == 10
    assert make(3)(5, SEEN) == 15
    assert make(2, offset=1)(5, SEEN) == 11
    assert make(2)(5, SEEN) == 10
    assert len(SEEN) == 3
    assert make(2).__name__ == "scale"
    assert make(2).params(5, SEEN)["factor"] == 2


def test_bound_methods_bind_their_object(cache):
    """As the first argument."""
    one = cached(cache=cache)(Station("A").double)
    assert one(4) == one(4) == 8
    assert one.params(4)["x"] == 4


def test_defaults_that_are_mutable_count_as_they_are(cache):
    """At the time of the call."""

    def extend(x, rows=[]):  # noqa: B006 - that is the point
        return [*rows, x]

    f = cached(cache=cache)(extend)
    assert f(1) == [1]
    extend.__defaults__[0].append(5)
    assert f(1) == [5, 1]


# Decorators above and below


def shouting(function):
    """A decorator as people write them."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        SEEN.append("shout")
        return function(*args, **kwargs).upper()

    return wrapper


def test_a_decorator_below_is_part_of_what_is_cached(cache):
    """It runs on misses only."""
    f = cached(cache=cache, code_version="1", uri="demo://shouting")(shouting(lambda x, y="!": x + y))
    assert f("a") == f(x="a") == f("a", "!") == "A!"
    assert SEEN == ["shout"]
    assert list(inspect.signature(f).parameters) == ["x", "y"]


def test_a_decorator_above_runs_at_each_call(cache):
    """What lies under it is cached; the verbs are within reach."""
    f = shouting(cached(cache=cache, code_version="1", uri="demo://same")(lambda x: x))
    assert f("a") == f("a") == "A"
    assert SEEN == ["shout"] * 2
    assert f.item("a").load() == "a"


def test_other_caches_and_context_managers_above(cache):
    """The thing is a plain function to them."""
    f = functools.lru_cache(cached(cache=cache)(lambda x: x + 1))
    assert f(1) == f(1) == 2

    @contextlib.contextmanager
    def open_it(x):
        yield x

    g = cached(cache=cache)(lambda x: open_it(x).__enter__())
    assert g(3) == 3


def test_cached_above_cached(cache, tmp_path):
    """Each keeps its own: the outer one's verbs are its own."""
    inner = cached(cache=cache, code_version="1", uri="demo://seen")(lambda x: SEEN.append(x) or x)
    outer = cached(cache=tmp_path / "outer", code_version="2", uri="demo://outer")(inner)
    assert outer(1) == outer(1) == inner(1) == 1
    assert SEEN == [1]
    assert outer.item(1)._store.folder == str(tmp_path / "outer")
    assert inner.item(1)._store.folder == cache.path
    inner.remove(1)
    assert outer(1) == 1
    assert SEEN == [1]


def test_cached_twice_in_one_cache(cache):
    """Needless, but told apart by what they run; under one `code_version` the inner call would wait for the outer."""
    inner = cached(cache=cache)(plain_value)
    outer = cached(cache=cache)(inner)
    assert outer(1) == inner(1) == 1
    inner = cached(cache=cache, code_version="1")(plain_value)
    outer = cached(cache=cache, code_version="1")(inner)
    with pytest.raises(WaitCycleError, match="a call cannot wait for its own result"):
        outer(2)
    assert inner(2) == outer(2) == 2


def plain_value(x):
    return x


# Calls in calls


def test_a_cached_function_may_call_another(cache):
    """Each value is computed once, and a change of the inner function's code is one of the outer's."""
    inner = cached(cache=cache, ignore=("seen",))(lambda x, seen: seen.append("inner") or x + 1)
    outer = cached(cache=cache, ignore=("seen",))(lambda x, seen: seen.append("outer") or 2 * inner(x, seen))
    assert outer(1, SEEN) == outer(1, SEEN) == 4
    assert inner(1, SEEN) == 2
    assert SEEN == ["outer", "inner"]
    inner = cached(cache=cache, ignore=("seen",))(lambda x, seen: seen.append("new") or x + 10)
    assert outer(1, SEEN) == 22


@cached(ignore=("seen",))
def fibonacci(n, seen):
    seen.append(n)
    return n if n < 2 else fibonacci(n - 1, seen) + fibonacci(n - 2, seen)


def test_a_cached_function_may_call_itself(cache):
    """With other arguments."""
    assert fibonacci(30, SEEN) == 832040
    assert sorted(SEEN) == list(range(31))


def test_threads_that_recurse_compute_each_value_once(cache):
    """None waits for one that waits for it."""
    got = []
    threads = [threading.Thread(target=lambda: got.append(fibonacci(25, SEEN))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == [75025] * 4
    assert sorted(SEEN) == list(range(26))


def test_a_cached_function_may_be_an_argument(cache):
    """It counts by its code, as a plain function does."""
    square = cached(cache=cache)(lambda x: x * x)
    apply = cached(cache=cache, ignore=("seen",))(lambda function, x, seen: seen.append(x) or function(x))
    assert apply(square, 3, SEEN) == apply(square, 3, SEEN) == 9
    assert SEEN == [3]


def test_a_generator_in_a_cached_function(cache):
    """No claim is held while the consumer has control, so they do not wait for each other."""
    items = cached(cache=cache)(generate)
    total = cached(cache=cache, ignore=("seen",))(lambda n, seen: seen.append(n) or sum(items(n)))
    assert total(5, SEEN) == total(5, SEEN) == 10
    assert SEEN == [5]
    assert items.status(5).name == "READY"


def generate(n):
    yield from range(n)
