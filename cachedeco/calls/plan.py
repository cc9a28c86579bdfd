"""A decorated function made ready: how its calls are bound, keyed, named and stored."""

from __future__ import annotations

import os
import time
from types import FunctionType

from cachedeco.calls import notices
from cachedeco.calls.outputs import Output, parameter_of
from cachedeco.errors import OptionError
from cachedeco.keys.arguments import Binder, Selection
from cachedeco.keys.code import Code
from cachedeco.keys.key import make_key, make_walked_key
from cachedeco.keys.shortcut import NO_LAYOUT, Shortcut
from cachedeco.keys.uri import Uri
from cachedeco.record import OUTPUT
from cachedeco.registry.attributes import encode
from cachedeco.scripts import module_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from cachedeco.calls.options import Options
    from cachedeco.guard import Guard
    from cachedeco.item import CacheItem
    from cachedeco.record import Record
    from cachedeco.registry.claims import Attribute
    from cachedeco.registry.digests import Signature
    from cachedeco.store import Store

    class HasStore(Protocol):
        """A `cachedeco.Cache`, as far as a call needs it."""

        @property
        def store(self) -> Store:
            """The opened cache folder."""


ANY_VERSION = 1 << 62


class Request:
    """One call, on its way to a value.

    Attributes:
        plan: of the function.
        args: positional arguments as the caller gave them.
        kwargs: keyword arguments as the caller gave them.
        uri: names the family of results.
        key: 16 bytes.
        code: 16 bytes, digest of the code.
        scope: the code where it counts, else empty.
        names: file names of the output; None for a function that returns a value.
        below: only READY items below this version are considered.
        seen: the newest READY version that turned out unusable; 0 for none.
        attempts: how often the function has been run for this call.
        outrun: how often somebody else was faster to claim.
    """

    __slots__ = (
        "_arguments",
        "_layout",
        "_params",
        "_values",
        "args",
        "attempts",
        "below",
        "code",
        "key",
        "kwargs",
        "names",
        "outrun",
        "plan",
        "scope",
        "seen",
        "uri",
    )

    def __init__(self, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.plan = plan
        self.args = args
        self.kwargs = kwargs
        self._arguments: dict[str, object] | None = None
        self._params: dict[str, object] | None = None
        key, self._layout, self._values = plan.shortcut.take(args, kwargs)
        if key is None:
            self._take_the_long_road()
        else:
            self.key = key
            self.uri = self._layout.uri
            self.code = plan.code.digest()  # what is plain has no classes that could count
        self.scope = self.code if plan.code_counts else b""
        self.names = None if plan.output is None else plan.output.names(self.arguments)
        self.below = ANY_VERSION
        self.seen = 0
        self.attempts = 0
        self.outrun = 0

    def _take_the_long_road(self) -> None:
        plan, make = self.plan, make_walked_key
        if self._layout is NO_LAYOUT:
            self._arguments, make = plan.bind(self.args, self.kwargs), make_key
        params = plan.selection.params(self.arguments, plan.file_digests)
        bound = plan.code.closure()
        if bound or plan.options.env:
            params = {**params, **_unseen(bound, plan.options.env)}
        self._params = params
        self.uri = plan.uri.render(self.arguments)
        self.key = make(self.uri, params)
        self.code = plan.code.digest(params)

    @property
    def arguments(self) -> dict[str, object]:
        """Name -> value of every parameter, defaults filled in."""
        if self._arguments is None:
            self._arguments = self._layout.arguments(self._values)
        return self._arguments

    @property
    def params(self) -> dict[str, object]:
        """Name -> value of what counts."""
        if self._params is None:
            self._params = self._layout.params(self.arguments)
        return self._params

    @classmethod
    def plain(cls, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        """A call that is not looked up, so it has no key; only its output's names are worked out."""
        request = cls.__new__(cls)
        request.plan, request.args, request.kwargs, request.attempts = plan, args, kwargs, 0
        request.names = None if plan.output is None else plan.output.names(plan.bind(args, kwargs))
        return request

    def deadline(self) -> float | None:
        """Until when, on the monotonic clock, this call waits for another one; None for as long as it takes."""
        wait = self.plan.options.wait
        return None if wait is None else time.monotonic() + wait

    def reject(self, version: int) -> None:
        """Look for older versions from now on: this one is no use here."""
        self.below = version
        self.seen = max(self.seen, version)

    def hit_name(self) -> bytes:
        """What the hits of this call are remembered by: key, code, and how the function looks for them."""
        return self.key + self.code + self.plan.way

    def described(self) -> str:
        """The parameters for people, as JSON."""
        import json

        from cachedeco.keys.describe import describe

        return json.dumps(describe(self.params, self.plan.selection.secrets))

    def stored_arguments(self, guard: Guard | None, token: bytes) -> bytes | None:
        """The arguments as they are kept for `Cache.retry_failed`; None when they are not, or cannot be.

        Args:
            guard: of the cache; signs them.
            token: of the claim that they belong to.
        """
        if not self.plan.options.store_args:
            return None
        import pickle

        try:
            if guard is None:
                return pickle.dumps((self.args, self.kwargs), protocol=5)
            guard.refuse_pickle("a call's arguments")
            pickled = pickle.dumps((self.args, self.kwargs), protocol=5)
            return guard.seal(pickled, self.key, self.plan.name, token)
        except Exception as error:  # noqa: BLE001 - whatever it is: the call itself needs no pickle
            notices.warn_once(self.plan.name, "store_args", f"its arguments are not stored: {error}")
            return None

    def code_parts(self) -> str:
        """The texts behind the digest of the code, as JSON."""
        import json

        return json.dumps(self.plan.code.parts(self.params), ensure_ascii=False)


def _unseen(bound: dict[str, object], env: tuple[str, ...]) -> dict[str, object]:
    """What belongs to the key although no argument has it, under names that no argument can have."""
    unseen = {f"<{name}>": value for name, value in bound.items()}
    unseen.update((f"<env {name}>", os.environ.get(name)) for name in env)
    return unseen


class Plan:
    """What `cached` knows of a function and its options, checked and prepared.

    Args:
        function: the plain function.
        options: as given to `cached`.
        cache: where results go; None for the default cache at the time of the call.
        default_cache: gives the default cache.
        make_item: makes the item that people see from a record.
        kind: of the function: ``"plain"``, ``"async"``, ``"generator"`` or ``"async generator"``.

    Attributes:
        name: module and qualified name, for people.
        code: digest of what runs.
        shortcut: binds and keys calls of plain values in one step.
        code_counts: whether a result of other code is no hit.
        file_digests: remembers files that are keyed by their content.
        method_of: qualified name of the class in whose body the function was written, if it takes an object
            of it (``self``) or the class (``cls``) first; else empty.
        output: the files that the function writes; None when it returns a value.
        way: what of form and options tells which item is a hit.
        form: ``"value"``, ``"file"``, ``"files"`` or ``"stream"``: what the function produces.

    Raises:
        OptionError: an option names what does not exist, or contradicts another one.
    """

    def __init__(  # noqa: PLR0917 - it is called in two places, by pickle in one of them
        self,
        function: Callable[..., Any],
        options: Options,
        cache: HasStore | None,
        default_cache: Callable[[], HasStore],
        make_item: Callable[[Record, Store], CacheItem],
        kind: str,
    ) -> None:
        _check_kind(kind, options)
        self.kind = kind
        self.function = function
        self.options = options
        self.cache = cache
        self.default_cache = default_cache
        self.make_item = make_item
        binder = Binder(function)
        self.name = f"{module_name(binder.function)}.{binder.function.__qualname__}"
        self.bind = binder.bind
        self.method_of = _method_of(function, binder)
        parameter = parameter_of(options.output)
        _check_output(self.name, binder, parameter)
        _check_name(self.name, options)
        self.selection = Selection(binder, params=options.params, ignore=options.ignore, output=parameter)
        self.output = None if options.output is None else Output(options.output, binder, self.selection)
        self.uri = Uri(function, options.uri, self.selection)
        self.form = "value" if self.output is None else self.output.form
        if "generator" in kind:
            self.form = "stream"
        self.code = Code(function, version=options.code_version)
        self.way = f"{self.form} {options.on_code_change}".encode()
        # What is bound, and the environment, is in no argument.
        elsewhere = self.code.bound or options.env
        self.shortcut = Shortcut(binder, self.selection, None if elsewhere else self.uri.constant)
        self.code_counts = options.on_code_change in {"recompute", "raise"}
        self.file_digests = _LateDigests(self)
        self._attributes = None if callable(options.attrs) else encode(options.attrs or {})

    def __reduce__(self) -> tuple[object, ...]:
        # The code takes the text of its file along: where a worker unpickles it, the file may be another one.
        arguments = (self.function, self.options, self.cache, self.default_cache, self.make_item, self.kind)
        return Plan, arguments, {"code": self.code}

    def attributes(self, value: Any, arguments: Mapping[str, Any]) -> list[Attribute]:
        """The attributes of an item that holds a value.

        Raises:
            OptionError: the function given as ``attrs`` returned something else than attributes.
        """
        if self._attributes is not None:
            return self._attributes
        make: Any = self.options.attrs
        return encode(make(value, arguments))

    def store(self) -> Store:
        """The cache folder that this call uses."""
        return (self.cache or self.default_cache()).store


def _method_of(function: Callable[..., Any], binder: Binder) -> str:
    owner = str(binder.function.__qualname__).rpartition(".")[0]
    takes_it = isinstance(function, FunctionType) and binder.names[:1] in {("self",), ("cls",)}
    return owner if takes_it and not owner.endswith("<locals>") else ""


def _check_kind(kind: str, options: Options) -> None:
    """Refuse options that a function of this kind cannot have."""
    if "generator" in kind:
        for option, usual in (("output", None), ("retry", 1), ("wait", None), ("on_error", "raise")):
            if getattr(options, option) != usual:
                raise OptionError(
                    f"{option}= is not for generators: their items reach the consumer as they are produced; "
                    "cache a function that returns a list"
                )
    if "generator" in kind or options.output is not None:
        what = (
            "generators, whose items are pickles"
            if "generator" in kind
            else "output files, which stay as they are"
        )
        for option in ("serializer", "compress", "mmap"):
            if getattr(options, option) is not None:
                raise OptionError(f"{option}= is for values that a function returns, not for {what}")
    if not isinstance(options.retry, int):
        call = getattr(type(options.retry).__call__, "__code__", None)
        if (kind == "async") != bool(call is not None and call.co_flags & _COROUTINE):
            wanted = "tenacity.AsyncRetrying" if kind == "async" else "tenacity.Retrying"
            raise OptionError(f"retry={type(options.retry).__name__}(...): this function needs a {wanted}")


def _check_output(function: str, binder: Binder, parameter: str | None) -> None:
    """Refuse a parameter that waits for an output file which no option asks for."""
    for name in binder.names:
        if name != parameter and binder.default(name) is OUTPUT:
            raise OptionError(
                f"{function}: its parameter {name!r} has the default OUTPUT, but gets no path; "
                'give the file a name: @cached(output="name.ext"), with the parameter `output: Path = OUTPUT`'
            )


def _check_name(function: str, options: Options) -> None:
    """Refuse a lambda that nothing tells from the others of its module: neither its name nor its code."""
    told_by_code = options.code_version is None and options.on_code_change in {"recompute", "raise"}
    if function.endswith("<lambda>") and options.uri is None and not told_by_code:
        raise OptionError(
            f"{function}: with code_version= or on_code_change={options.on_code_change!r} the code does not tell "
            "a lambda from others of its module; give it a name of its own with uri=, or write it with def"
        )


_COROUTINE = 0x80


class _LateDigests:
    """The cache's memory of file digests, opened only when a file is to be keyed by its content."""

    __slots__ = ("_plan",)

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def get(self, signature: Signature, /) -> bytes | None:
        """The digest that a file with this signature had, None if it is not known."""
        return self._plan.store().file_digests.get(signature)

    def put(self, signature: Signature, digest: bytes, /) -> None:
        """Remember the digest of a file."""
        self._plan.store().file_digests.put(signature, digest)
