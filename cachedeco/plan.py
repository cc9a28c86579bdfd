"""A decorated function made ready: how its calls are bound, keyed, named and stored."""

from __future__ import annotations

from cachedeco.keys.arguments import Binder, Selection
from cachedeco.keys.code import Code
from cachedeco.keys.describe import describe
from cachedeco.keys.key import make_key
from cachedeco.keys.uri import FileName, Uri
from cachedeco.registry.attributes import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from cachedeco.registry.claims import Attribute
    from cachedeco.store import Store

    class HasStore(Protocol):
        """A `cachedeco.Cache`, as far as a call needs it."""

        @property
        def store(self) -> Store:
            """The opened cache folder."""

OUTPUT_PARAMETER = "output"
"""The parameter in which a function with ``output=`` gets the path that it writes to."""

ANY_VERSION = 1 << 62


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
        params = plan.selection.params(arguments)
        closure = plan.code.closure()
        self.params = params if not closure else {**params, **closure}
        self.uri = plan.uri.render(arguments)
        self.key = make_key(self.uri, self.params)
        self.code = self.scope = plan.code.digest(arguments)
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
        self._attributes = None if callable(options.attrs) else encode(options.attrs or {})

    def __reduce__(self) -> tuple[object, ...]:
        return Plan, (self.function, self.options, self.cache, self.default_cache)

    def attributes(self, value: Any, arguments: Mapping[str, Any]) -> list[Attribute]:
        """The attributes of an item that holds a value.

        Raises:
            OptionError: the function given as ``attrs`` returned something else than attributes.
        """
        if self._attributes is not None:
            return self._attributes
        make: Any = self.options.attrs
        return encode(make(value, arguments))

    def code_parts(self) -> str:
        """The texts behind the digest of the code, as JSON."""
        import json

        return json.dumps(self.code.parts(), ensure_ascii=False)

    def store(self) -> Store:
        """The cache folder that this call uses."""
        return (self.cache or self.default_cache()).store


class Options:
    """The options of `cached` that say how a function is keyed and stored; see there for their meaning."""

    __slots__ = ("attrs", "code_version", "ignore", "label", "output", "params", "uri")

    def __init__(
        self,
        *,
        uri: str | Callable[[Mapping[str, Any]], str] | None,
        params: tuple[str, ...] | Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]] | None,
        ignore: tuple[str, ...],
        output: str | None,
        attrs: Mapping[str, Any] | Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None,
        label: str | None,
        code_version: str | None,
    ) -> None:
        self.uri = uri
        self.params = params
        self.ignore = ignore
        self.output = output
        self.attrs = attrs
        self.label = label
        self.code_version = code_version
