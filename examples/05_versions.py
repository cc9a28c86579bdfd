"""Versions of one result: made by refresh, chosen, found by their attributes, outdated by time or by an edit.

    python examples/05_versions.py                 everything in a temporary folder
    python examples/05_versions.py --cache DIR     the same, but the versions stay in DIR

A line with `...` is printed by a function while it computes. The data is that of scikit-learn: breast tumours
and wines.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from datetime import timedelta

from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import train_test_split

from cachedeco import Cache, CacheItem, CodeChangedError, cached

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--cache", metavar="DIR", help="keep the cache there")
options = parser.parse_args()
scratch = tempfile.TemporaryDirectory()
cache = Cache(options.cache or scratch.name)

print("1. Refresh makes versions, `best` chooses one")


def most_accurate(items: list[CacheItem]) -> CacheItem:
    """Choose a version by what is recorded of it. Nothing is loaded for that."""
    return max(items, key=lambda item: item.attrs["accuracy"])


@cached(
    cache=cache,
    label="trees",
    best=most_accurate,
    attrs=lambda value, arguments: {"accuracy": value[1], "size": {"trees": arguments["trees"]}},
)
def train(trees: int) -> tuple[ExtraTreesClassifier, float]:
    """Train a small forest. It has no fixed seed, so each one is different."""
    print(f"  ... growing {trees} trees")
    inputs, malignant = load_breast_cancer(return_X_y=True)
    learn, exam, learn_answers, exam_answers = train_test_split(inputs, malignant, random_state=0)
    model = ExtraTreesClassifier(n_estimators=trees, max_depth=2).fit(learn, learn_answers)
    return model, float(model.score(exam, exam_answers))


train(1)
for _ in range(3):
    train.refresh(1)
for item in reversed(train.items(1)):
    print(f"  version {item.version}: accuracy {item.attrs['accuracy']:.3f}, {item.size:,} bytes")
_model, accuracy = train(1)
print(f"  a call gets version {train.item(1).version} with {accuracy:.3f}")

print("2. Attributes find items")
train(20)
good = cache.search(attrs={"accuracy": (">=", accuracy)}, label="trees")
print("  at least as good:", ", ".join(f"{item.params} version {item.version}" for item in good))
good[-1].update(attrs={"reviewed": True, "by": "Ada"})
print(f"  reviewed: {cache.search(attrs={'reviewed': True})[-1].attrs}")
large = cache.search(attrs={"size": {"trees": (">", 10)}})[-1]
model, _accuracy = large.load()
print(f"  more than 10 trees: {large}, loaded: {type(model).__name__} of {len(model)} trees")

print("3. `expires` is a wish of the reader: two readers of the same results")


def wines() -> int:
    """Count the wines, as if the answer changed from day to day."""
    print("  ... counting the wines")
    return len(load_wine().data)


patient = cached(cache=cache, expires=timedelta(days=7))(wines)
impatient = cached(cache=cache, expires=timedelta(0))(wines)
patient()
print(f"  for who takes what is a week old: {patient.why()}")
print(f"  for who takes nothing old: {impatient.why()}")
impatient()
print(f"  what that one has made is there for both: {patient.why()}")

print("4. After an edit, `on_code_change` and `code_version` say whether it counts")


def strongest() -> float:
    """Return the highest share of alcohol."""
    return float(load_wine().data[:, 0].max())


cached(cache=cache)(strongest)()
cached(cache=cache, code_version="1")(strongest)()


def strongest() -> float:
    """Return the highest share of alcohol, rounded: this is the edit."""
    return round(float(load_wine().data[:, 0].max()), 1)


for option, setting in (
    ("on_code_change", "ignore"),
    ("on_code_change", "warn"),
    ("on_code_change", "raise"),
    ("on_code_change", "recompute"),
    ("code_version", "1"),
    ("code_version", "2"),
):
    edited = cached(cache=cache, **{option: setting})(strongest)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = edited()
        except CodeChangedError as error:
            result = type(error).__name__
    print(f"  {option}={setting!r}: {result}", *(f"and a {each.category.__name__}" for each in said))

cache.close()
scratch.cleanup()
