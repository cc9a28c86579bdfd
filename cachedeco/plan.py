"""A decorated function made ready: how its calls are bound, keyed, named and stored."""

from __future__ import annotations

import os

from cachedeco.errors import OptionError
from cachedeco.keys.arguments import Binder, Selection
from cachedeco.keys.code import Code
from cachedeco.keys.describe import describe
from cachedeco.keys.key import make_key
from cachedeco.keys.uri import FileName, Uri
from cachedeco.registry.attributes import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from cachedeco.registry.claims import Attribute
    from cachedeco.registry.digests import Signature
    from cachedeco.store import Store

    class HasStore(Protocol):
        """A `cachedeco.Cache`, as far as a call needs it."""

        @property
        def store(self) -> Store:
            """The opened cache folder."""

OUTPUT_PARAMETER = "output"
"""The parameter in which a function with ``output=`` gets the path that it writes to."""

ANY_VERSION = 1 << 62

CODE_POLICIES = ("recompute", "warn", "raise", "ignore")
"""What a result of other code is: a miss, a hit with a warning, an error, a hit."""


class Request:
    """One call, on its way to a value.

    Attributes:
        plan: of the function.
        args: positional arguments as the caller gave them.
        kwargs: keyword arguments as the caller gave them.
        arguments: name -> value of every parameter, defaults filled in.
        params: name -> value of what counts.
        uri: names the family of results.
        key: 16 bytes.
        code: 16 bytes, digest of the code.
        scope: the code where it counts, else empty.
        file_name: of the output; None for a function that returns a value.
        below: only READY items below this version are considered.
        seen: the newest READY version that turned out unusable; 0 for none.
        entered: whether the function has been run for this call.
    """

    __slots__ = (
        "args",
        "arguments",
        "below",
        "code",
        "entered",
        "file_name",
        "key",
        "kwargs",
        "params",
        "plan",
        "scope",
        "seen",
        "uri",
    )

    def __init__(self, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.plan = plan
        self.args = args
        self.kwargs = kwargs
        self.arguments = arguments = plan.bind(args, kwargs)
        params = plan.selection.params(arguments, plan.file_digests)
        bound = plan.code.closure()
        if bound or plan.options.env:
            params = {**params, **_unseen(bound, plan.options.env)}
        self.params = params
        self.uri = plan.uri.render(arguments)
        self.key = make_key(self.uri, params)
        self.code = plan.code.digest(params)
        self.scope = self.code if plan.code_counts else b""
        self.file_name = None if plan.file_name is None else plan.file_name.render(arguments)
        self.below = ANY_VERSION
        self.seen = 0
        self.entered = False

    def reject(self, version: int) -> None:
        """Look for older versions from now on: this one is no use here."""
        self.below = version
        self.seen = max(self.seen, version)

    def described(self) -> str:
        """The parameters for people, as JSON."""
        import json

        return json.dumps(describe(self.params, self.plan.selection.secrets), ensure_ascii=False)

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

    Attributes:
        name: module and qualified name, for people.
        code: digest of what runs.
        code_counts: whether a result of other code is no hit.
        file_digests: remembers files that are keyed by their content.
        form: ``"value"`` or ``"file"``: what the function produces.

    Raises:
        OptionError: an option names what does not exist, or contradicts another one.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        options: Options,
        cache: HasStore | None,
        default_cache: Callable[[], HasStore],
    ) -> None:
        self.function = function
        self.options = options
        self.cache = cache
        self.default_cache = default_cache
        self.name = f"{function.__module__}.{function.__qualname__}"
        binder = Binder(function)
        self.bind = binder.bind
        output = None if options.output is None else OUTPUT_PARAMETER
        self.selection = Selection(binder, params=options.params, ignore=options.ignore, output=output)
        self.uri = Uri(function, options.uri, self.selection)
        self.file_name = None if options.output is None else FileName(options.output, binder)
        self.form = "value" if self.file_name is None else "file"
        self.code = Code(function, version=options.code_version)
        self.code_counts = options.on_code_change in {"recompute", "raise"}
        self.file_digests = _LateDigests(self)
        self._attributes = None if callable(options.attrs) else encode(options.attrs or {})

    def __reduce__(self) -> tuple[object, ...]:
        # The code takes the text of its file along: where a worker unpickles it, the file may be another one.
        return Plan, (self.function, self.options, self.cache, self.default_cache), {"code": self.code}

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


class _LateDigests:
    """The cache's memory of file digests, opened only when a file is to be keyed by its content."""

    __slots__ = ("_plan",)

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def get(self, signature: Signature, /) -> bytes | None:
        return self._plan.store().file_digests.get(signature)

    def put(self, signature: Signature, digest: bytes, /) -> None:
        self._plan.store().file_digests.put(signature, digest)


class Options:
    """The options of `cached` that say how a function is keyed and stored; see there for their meaning."""

    __slots__ = ("attrs", "code_version", "env", "ignore", "label", "on_code_change", "output", "params", "uri")

    def __init__(
        self,
        *,
        uri: str | Callable[[Mapping[str, Any]], str] | None,
        params: Iterable[str] | Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] | None,
        ignore: Iterable[str],
        output: str | None,
        attrs: Mapping[str, Any] | Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None,
        label: str | None,
        code_version: str | None,
        on_code_change: str,
        env: Iterable[str],
    ) -> None:
        if on_code_change not in CODE_POLICIES:
            raise OptionError(f"on_code_change={on_code_change!r}: it is one of {', '.join(CODE_POLICIES)}")
        if code_version is not None and not isinstance(code_version, str):
            raise OptionError(f"code_version={code_version!r}: it is a str, such as {str(code_version)!r}")
        names = tuple(env)
        if isinstance(env, str) or not all(isinstance(name, str) and name for name in names):
            raise OptionError(f"env={env!r}: it is a tuple of names of environment variables, such as ('HOME',)")
        self.uri = uri
        self.params = params
        self.ignore = ignore
        self.output = output
        self.attrs = attrs
        self.label = label
        self.code_version = code_version
        self.on_code_change = on_code_change
        self.env = names
