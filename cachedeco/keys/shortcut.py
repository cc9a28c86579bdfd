"""The short road of a call: arguments bound and, where they are plain, turned into the key in one step.

For each function one expression is compiled. For ``def f(x, y=2)`` it is, names aside::

    lambda x, y=2: (
        digest(head + dumps((values := (x, y)), 2)) if type(x) in LEAVES and ... else key_of((values := (x, y))),
        layout,
        values,
    )

It gives the key that `make_key` gives. Nothing is remembered from one call to the next.
"""

from __future__ import annotations

from marshal import dumps

from xxhash import xxh3_128_digest

from cachedeco.keys.key import head_of
from cachedeco.keys.plain import LEAVES, MARSHAL, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.keys.arguments import Binder, Selection

    Found = tuple[bytes | None, "Layout", tuple[object, ...]]
    Compiled = tuple[object, object, object, Callable[..., "Found"]]


class Layout:
    """What the values are that a shortcut has bound.

    Args:
        names: of all parameters, as in the function's declaration.
        chosen: those that count.
        uri: of the calls.
    """

    __slots__ = ("_chosen", "_names", "uri")

    def __init__(self, names: tuple[str, ...], chosen: tuple[str, ...], uri: str) -> None:
        self._names, self._chosen, self.uri = names, chosen, uri

    def arguments(self, values: tuple[object, ...]) -> dict[str, object]:
        """Return the arguments of a call by name.

        Args:
            values: of all parameters.
        """
        return dict(zip(self._names, values, strict=True))

    def params(self, arguments: dict[str, object]) -> dict[str, object]:
        """Return those of the arguments that count.

        Args:
            arguments: all of them.
        """
        return arguments if self._chosen == self._names else {name: arguments[name] for name in self._chosen}


NO_LAYOUT = Layout((), (), "")
_NO_SHORTCUT = (None, NO_LAYOUT, ())


class Shortcut:
    """Binds and keys the calls of a function in which the arguments themselves, or some of them, are what counts.

    Args:
        binder: of the function.
        selection: of its arguments.
        uri: names the family of results; None where each call has its own, for which there is no short road.

    Examples:
        >>> from cachedeco.keys.arguments import Binder, Selection
        >>> def f(x, y=2): ...
        >>> binder = Binder(f)
        >>> key, layout, values = Shortcut(binder, Selection(binder), "demo://f").take((1,), {})
        >>> len(key), layout.arguments(values)
        (16, {'x': 1, 'y': 2})
    """

    __slots__ = ("_binder", "_function", "_ready", "_selection", "_uri")

    def __init__(self, binder: Binder, selection: Selection, uri: str | None) -> None:
        self._binder, self._selection, self._uri = binder, selection, uri
        self._function = binder.function
        # Code and defaults of the function, and what is compiled for them: swapped in whole, for other threads.
        self._ready: Compiled = (None, None, None, _no_shortcut)

    def take(self, args: tuple[object, ...], kwargs: dict[str, Any]) -> Found:
        """Return the key of a call, its layout, and the values of all parameters.

        Args:
            args: the positional arguments.
            kwargs: the keyword arguments.

        Returns:
            The key is None where not all that counts is plain; the layout is `NO_LAYOUT` without a short road.

        Raises:
            TypeError: the call does not fit the function; the message is the one of the call itself.
            OptionError: markers cannot be read.
        """
        code, defaults, kwdefaults, found = self._ready
        function = self._function
        # Reloading tools put new code and defaults into living functions.
        if (
            function.__code__ is not code
            or function.__defaults__ is not defaults
            or function.__kwdefaults__ is not kwdefaults
        ):
            found = self._prepare()
        try:
            return found(*args, **kwargs)
        except ValueError:  # marshal has no room for a string of 2 GiB
            return _NO_SHORTCUT

    def _prepare(self) -> Callable[..., Found]:
        function, binder = self._function, self._binder
        known = function.__code__, function.__defaults__, function.__kwdefaults__
        revision = binder.refresh()
        chosen = self._selection.chosen()
        found: Callable[..., Found] = _no_shortcut
        if chosen is not None and self._uri is not None and not binder.bound:
            found = _compile(binder, chosen, self._uri)
        if binder.revision != revision:  # another thread has met newer code meanwhile
            return _no_shortcut
        self._ready = *known, found
        return found


def _no_shortcut(*_args: object, **_kwargs: object) -> Found:
    return _NO_SHORTCUT


def _compile(binder: Binder, chosen: tuple[str, ...], uri: str) -> Callable[..., Found]:
    head, order = head_of(uri, chosen)

    def key_of(values: tuple[object, ...]) -> bytes | None:
        encoded = encode(values)
        return None if encoded is None else xxh3_128_digest(head + encoded)

    used = {
        "digest": xxh3_128_digest,
        "dumps": dumps,
        "head": head,
        "key_of": key_of,
        "layout": Layout(binder.names, chosen, uri),
        "type": type,
        "LEAVES": LEAVES,
    }
    # Longer than the names of all parameters, so that none of them is in the way.
    prefix = "_" * max(map(len, binder.names), default=0)
    values, counting = _as_tuple(binder.names), _as_tuple(order)
    if values == counting:
        values, counting = f"{prefix}values", f"({prefix}values := {values})"
    are_leaves = " and ".join(f"{prefix}type({name}) in {prefix}LEAVES" for name in order) or "True"
    plain = f"{prefix}digest({prefix}head + {prefix}dumps({counting}, {MARSHAL}))"
    body = f"({plain} if {are_leaves} else {prefix}key_of({counting}), {prefix}layout, {values})"
    namespace = {prefix + name: value for name, value in used.items()}
    return binder.shape.lambda_of(body, namespace, binder.function)


def _as_tuple(names: tuple[str, ...]) -> str:
    return "(" + "".join(f"{name}, " for name in names) + ")"
