"""What a class of the user's is: its bases, methods, attributes and fields, as they live in memory."""

from __future__ import annotations

from types import CodeType, FunctionType

from cachedeco.keys import code_origin, source
from cachedeco.keys.code_annotations import add_annotations
from cachedeco.keys.code_describe import describe, of_value
from cachedeco.keys.names import GENERATED_CODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.keys.code_graph import Graph, Node, Pieces

# What says where the class is, what is counted elsewhere, and what others keep in a class while it is used.
_NO_MEANING = frozenset(
    "__module__ __qualname__ __dict__ __weakref__ __doc__ __firstlineno__ __static_attributes__ "
    "__annotations__ __annotate__ __annotate_func__ __annotations_cache__ __conditional_annotations__ "
    "__abstractmethods__ _abc_impl __orig_bases__ __parameters__ __type_params__ __signature__ "
    "__classcell__ __classdictcell__ __dataclass_params__ __dataclass_fields__ __attrs_attrs__ "
    "__attrs_props__ _is_protocol "
    "__slotnames__ __protocol_attrs__ __callable_proto_members_only__ __non_callable_proto_members__ "
    "__mutable_keys__ __readonly_keys__".split()
)
_GENERATED_PREFIXES = ("__pydantic_",)
_OF_ENUM = frozenset(
    "_all_bits_ _boundary_ _flag_mask_ _hashable_values_ _ignore_ _inverted_ _member_map_ _member_names_ _member_type_ "
    "_new_member_ _order_ _singles_mask_ _sort_order_ _unhashable_values_ _unhashable_values_map_ _use_args_ "
    "_value2member_map_ _value_repr_ __new_member__ __new__".split()
)
_FIELD_TABLES = ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__")
_FIELD_FACTS = (
    "default default_factory factory init repr hash compare eq order kw_only frozen metadata validator "
    "converter alias on_setattr".split()
)
_DATACLASS_OPTIONS = ("init", "repr", "eq", "order", "unsafe_hash", "frozen")
_PLAIN_METACLASSES = frozenset(("builtins.type", "abc.ABCMeta", "enum.EnumType", "enum.EnumMeta"))


def expand(graph: Graph, cls: type, node: Node) -> None:
    """Fill a class's part and add the parts that it uses."""
    members = vars(cls)
    mro = cls.__mro__
    graph.watch.members(members)
    graph.watch.value(lambda: cls.__mro__ is mro, True)
    node.head = b"class " + cls.__qualname__.encode("utf-8", "backslashreplace")
    compiled = code_origin.compiled_content(cls.__module__)
    if compiled:
        node.lines.append(("compiled module", [compiled]))
    for index, base in enumerate(cls.__bases__):
        node.lines.append((f"base {index}", describe(graph, base, "base")))
    if type(cls) is not type:
        node.lines.append(("metaclass", describe(graph, type(cls), "metaclass")))
    enumerated = members.get("_member_map_")
    if isinstance(enumerated, dict):
        _add_members(graph, enumerated, node)
    _add_fields(graph, cls, node)
    for name, value in tuple(members.items()):
        if _is_from_attrs(value):
            node.lines.append((name, ["generated"]))
        elif not _is_generated(name, value, enumerated if isinstance(enumerated, dict) else {}):
            node.lines.append((name, describe(graph, value, f"{cls.__qualname__}.{name}")))


def _is_generated(name: str, value: object, enumerated: dict[str, object]) -> bool:
    """Tell whether a member was made by the standard library from what is counted elsewhere."""
    if name in _NO_MEANING or name.startswith(_GENERATED_PREFIXES) or name in enumerated:
        return True
    # What `__slots__` makes: that counts itself, and a class that was sent by value has nothing else of it.
    if type(value).__name__ in {"_tuplegetter", "member_descriptor"}:
        return True
    function = getattr(value, "__func__", value)
    written = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    if not isinstance(function, FunctionType) or not isinstance(written, CodeType):
        return bool(enumerated) and name in _OF_ENUM
    module = str(function.__globals__.get("__name__"))
    return (
        # Fields and options of a dataclass say the same in every Python version.
        written.co_qualname.startswith(GENERATED_CODE)
        or module.startswith("namedtuple_")
        or (module == "collections" and written.co_qualname.startswith("namedtuple.<locals>."))
        or (module in {"dataclasses", "typing"} and name.startswith("__"))
        or (module == "enum" and bool(enumerated))
    )


def _is_from_attrs(value: object) -> bool:
    """Tell whether attrs wrote the method: from the fields, and with hashes in it that differ by process."""
    if not isinstance(value, FunctionType):
        return False
    filename = value.__code__.co_filename
    if filename == source.SENT:  # it no longer says so, but its text has come along
        filename, _ = source.captured(value.__code__, value.__globals__) or ("", b"")
    return filename.startswith("<attrs generated ")


def _add_members(graph: Graph, enumerated: dict[str, object], node: Node) -> None:
    for index, (name, member) in enumerate(enumerated.items()):
        value = getattr(member, "_value_", None)
        node.lines.append((f"member {index} {name}", describe(graph, value, name)))


def _add_fields(graph: Graph, cls: type, node: Node) -> None:
    options = vars(cls).get("__dataclass_params__")
    if options is not None:
        node.lines.append(
            ("options", [", ".join(f"{name}={getattr(options, name, None)}" for name in _DATACLASS_OPTIONS)])
        )
    for table_name in _FIELD_TABLES:
        table = vars(cls).get(table_name)
        fields = list(table.items()) if isinstance(table, dict) else [(f.name, f) for f in table or ()]
        for index, (name, field) in enumerate(fields):
            pieces: Pieces = [f"{index}: "]
            for fact in _FIELD_FACTS:
                if hasattr(field, fact):
                    value = getattr(field, fact)
                    pieces += [f"{fact}=", *_fact(graph, value, f"{cls.__qualname__}.{name}"), ", "]
            node.lines.append((f"field {name}", pieces))
    if type(cls).__module__.startswith("msgspec"):
        _add_struct(graph, cls, node)
    if _annotations_matter(cls):
        add_annotations(graph, cls, node, texts=_annotations_run(cls))


def _add_struct(graph: Graph, cls: type, node: Node) -> None:
    """Add what a structure of msgspec keeps in C."""
    for index, default in enumerate(getattr(cls, "__struct_defaults__", ())):
        factory = getattr(default, "factory", None)
        pieces = (
            of_value(graph, default, "default") if factory is None else describe(graph, factory, "factory")
        )
        node.lines.append((f"default {index}", pieces))
    config = getattr(cls, "__struct_config__", None)
    for name in sorted(name for name in dir(config) if not name.startswith("_")):
        node.lines.append((f"option {name}", describe(graph, getattr(config, name), name)))


def _fact(graph: Graph, value: object, where: str) -> Pieces:
    if type(value).__module__ == "dataclasses" or (type(value).__name__ == "mappingproxy" and not value):
        return [type(value).__name__]
    return describe(graph, value, where) if callable(value) else of_value(graph, value, where)


def _annotations_matter(cls: type) -> bool:
    """Tell whether something may have read the annotations when the class was made."""
    return _has_table(cls, *_FIELD_TABLES) or _is_made_by_code(cls)


def _annotations_run(cls: type) -> bool:
    """Tell whether something may have evaluated them; `dataclasses` takes text as it is."""
    return _has_table(cls, *_FIELD_TABLES[1:]) or _is_made_by_code(cls)


def _has_table(cls: type, *names: str) -> bool:
    return any(name in base.__dict__ for base in cls.__mro__ for name in names)


def _is_made_by_code(cls: type) -> bool:
    metaclass = f"{type(cls).__module__}.{type(cls).__qualname__}"
    hooks = any("__init_subclass__" in base.__dict__ for base in cls.__mro__[1:-1])
    return hooks or metaclass not in _PLAIN_METACLASSES
