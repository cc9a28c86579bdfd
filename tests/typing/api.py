"""What type checkers make of the public interface. Checked by mypy and pyright, never run.

A wrong use carries an ignore comment: unused ones are errors, so each asserts that the use is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

from cachedeco import OUTPUT, Cache, CachedFunction, CacheItem, Status, cached

cache = Cache("results")


# ---- Bare --------------------------------------------------------------------------------------------------


@cached
def bare(x: int, *, name: str = "a") -> float:
    """Used without options."""
    return x * len(name) / 2


assert_type(bare(1), float)
assert_type(bare(x=1, name="b"), float)
assert_type(bare.__name__, str)
assert_type(bare.__wrapped__(1), float)

bare("1")  # type: ignore[arg-type]
bare()  # type: ignore[call-arg]
bare(1, "b")  # type: ignore[call-arg]
bare(1, nmae="b")  # type: ignore[call-arg]
bare(1).items()  # type: ignore[attr-defined]
bare.forget()  # type: ignore[attr-defined]


# ---- Verbs -------------------------------------------------------------------------------------------------

assert_type(bare.item(1, name="b"), CacheItem | None)
assert_type(bare.items(1), list[CacheItem])
assert_type(bare.status(1), Status)
assert_type(bare.key(1), str)
assert_type(bare.params(1), dict[str, Any])
assert_type(bare.refresh(1), float)
assert_type(bare.remove(1), int)
assert_type(bare.why(1).hit, bool)
assert_type(str(bare.why(1)), str)

assert_type(bare.map([1, 2]), list[float])
assert_type(bare.map(range(2), n_jobs=2, progress=False), list[float])
assert_type(bare.map([1, 2], return_exceptions=True), list[float | Exception])
assert_type(bare.map([1, 2], as_completed=True), Iterator[tuple[int, float]])
assert_type(
    bare.map([1, 2], as_completed=True, return_exceptions=True), Iterator[tuple[int, float | Exception]]
)
assert_type(bare.missing([1, 2]), list[int])
assert_type(bare.missing([1, 2], ["a", "b"]), list[tuple[Any, ...]])

bare.item("1")  # type: ignore[arg-type]
bare.key()  # type: ignore[call-arg]
bare.refresh(1, nmae="b")  # type: ignore[call-arg]
bare.map()  # type: ignore[call-overload]
bare.map([1], jobs=2)  # type: ignore[call-overload]
bare.missing(1)  # type: ignore[call-overload]
print(bare.item(1).path)  # type: ignore[union-attr]


# ---- Options -----------------------------------------------------------------------------------------------


@cached(
    uri="https://example.org/{year}.csv",
    params=("year",),
    ignore=("logger",),
    cache=cache,
    attrs={"kind": "table"},
    label="tables",
    code_version="2",
)
def table(year: int, logger: object = None) -> list[tuple[int, str]]:
    """Used with options."""
    return [(year, str(logger))]


assert_type(table(2013), list[tuple[int, str]])
assert_type(table.refresh(2013, logger=None), list[tuple[int, str]])
table("2013")  # type: ignore[arg-type]


@cached(
    uri=lambda arguments: f"demo://{arguments['x']}",
    params=lambda arguments: {"x": arguments["x"]},
    attrs=lambda value, arguments: {"value": value, "x": arguments["x"]},
    cache=Path("results"),
)
def computed_options(x: int) -> int:
    """Used with options that are functions."""
    return x


assert_type(computed_options(1), int)


@cached(params={"release": 3}, cache="results")
def added_parameters(x: int) -> None:
    """Used with a mapping of parameters; returns nothing."""
    print(x)


assert_type(added_parameters.item(1), CacheItem | None)

cached("https://example.org")  # type: ignore[call-overload]
cached(url="https://example.org")  # type: ignore[call-overload]
cached(label=1)  # type: ignore[call-overload]
cached(ignore=1)  # type: ignore[call-overload]
cached(bare.__wrapped__, label="a")  # type: ignore[call-overload]


# ---- An output file ----------------------------------------------------------------------------------------


@cached(output="report_{year}.csv")
def report(year: int, output: Path = OUTPUT) -> Path:
    """Writes a file."""
    output.write_text(str(year))
    return output


assert_type(report(2013), Path)
assert_type(report(2013).suffix, str)
report("2013")  # type: ignore[arg-type]


# ---- Functions of types ------------------------------------------------------------------------------------


@cached
def collect(*values: int, **names: str) -> dict[str, int]:
    """Takes any number of arguments."""
    return dict(zip(names, values, strict=False))


assert_type(collect(1, 2, a="x"), dict[str, int])
collect("1")  # type: ignore[arg-type]
collect(a=1)  # type: ignore[arg-type]


# ---- Functions of other kinds ------------------------------------------------------------------------------


@cached
async def fetched(x: int) -> str:
    """Is awaited."""
    return str(x)


@cached(label="rows")
def rows(count: int) -> Iterator[int]:
    """Gives its items one by one."""
    yield from range(count)


async def awaiting() -> None:
    """Await what is cached."""
    assert_type(await fetched(1), str)
    assert_type(await fetched.refresh(1), str)
    assert_type(fetched.item(1), CacheItem | None)
    assert_type(await Model().ask(1), str)
    await fetched("1")  # type: ignore[arg-type]


for row in rows(3):
    assert_type(row, int)
rows("3")  # type: ignore[arg-type]


# ---- Methods -----------------------------------------------------------------------------------------------


class Model:
    """Has cached methods."""

    @cached
    def fit(self, rows: int) -> float:
        """Use the instance."""
        return rows / 2

    @cached(label="scores")
    def score(self, rows: int, *, scale: float = 1.0) -> float:
        """Use the instance, with options."""
        return rows * scale

    @cached
    async def ask(self, rows: int) -> str:
        """Is awaited."""
        return str(rows)

    @cached
    def rows(self, count: int) -> Iterator[int]:
        """Gives its items one by one."""
        yield from range(count)

    @property
    @cached
    def size(self) -> int:
        """Take nothing but the instance."""
        return 3

    @classmethod
    @cached
    def make(cls, rows: int) -> Model:
        """Use the class."""
        return cls()

    @classmethod
    @cached(label="named")
    def named(cls, name: str = "") -> str:
        """Use the class, with options."""
        return cls.__name__ + name

    @staticmethod
    @cached
    def double(x: int) -> int:
        """Use neither."""
        return 2 * x


model = Model()
assert_type(model.fit(3), float)
assert_type(model.score(3, scale=2), float)
assert_type(Model.double(2), int)
assert_type(model.size, int)
assert_type(Model.make(2), Model)
assert_type(model.make(rows=2), Model)
assert_type(Model.named(name="a"), str)
assert_type(Model.named.item(Model, name="a"), CacheItem | None)
for each in model.rows(3):
    assert_type(each, int)
assert_type(Model.fit(model, 3), float)
assert_type(Model.fit.item(model, 3), CacheItem | None)
assert_type(Model.score.refresh(model, 3, scale=2), float)

model.fit.item(3)  # type: ignore[attr-defined]  # Model.fit.item(model, 3): the verbs do not see what is before the dot
model.fit.map([3])  # type: ignore[attr-defined]
model.fit("3")  # type: ignore[arg-type]
model.fit()  # type: ignore[call-arg]
Model.make("2")  # type: ignore[arg-type]
Model.make()  # type: ignore[call-arg]
Model.named.item("a")  # type: ignore[arg-type]
model.score(3, 2.0)  # type: ignore[call-arg]
Model.fit.item(3)  # type: ignore[call-arg,arg-type]


# ---- Passed on ---------------------------------------------------------------------------------------------


def takes_function(function: CachedFunction[[int], float]) -> float:
    """Annotate with the protocol."""
    assert_type(function.item(1), CacheItem | None)
    return function(1)


@cached
def plain(x: int) -> float:
    """Fit the protocol exactly."""
    return x / 2


takes_function(plain)
takes_function(plain.__wrapped__)  # type: ignore[arg-type]
assert_type(list(map(plain, [1, 2])), list[float])


# ---- The cache ---------------------------------------------------------------------------------------------

with Cache(pkg="demo") as opened:
    assert_type(opened, Cache)


@cached(serializer="parquet", compress="zstd", mmap=False)
def table_of(rows: int) -> list[int]:
    return [rows]


assert_type(table_of(1), list[int])
Cache("folder", serializer="json", compress="gzip", mmap=False)
cached(compress=5)  # type: ignore[call-overload]
cached(serializer=5)  # type: ignore[call-overload]

item = cache.create("demo://data", params={"a": 1}, attrs={"kind": "demo"}, filename="data.tsv")
assert_type(item, CacheItem)
assert_type(item.path, Path | None)
assert_type(item.status, Status)
assert_type(item.params, dict[str, Any])
assert_type(item.attrs, dict[str, Any])
assert_type(item.size, int | None)
assert_type(cache.best("demo://data"), CacheItem | None)
assert_type(cache.search(label=None, status=Status.READY), list[CacheItem])
assert_type(cache.search(status=(Status.READY, 2), version=-1), list[CacheItem])
assert_type(cache.by_key("00" * 16), CacheItem | None)

cache.create(1)  # type: ignore[arg-type]
cache.search(params={"a": 1}, status="ready")  # type: ignore[arg-type]
item.ready("now")  # type: ignore[call-arg]
Status("READY").from_str(3)  # type: ignore[arg-type]
