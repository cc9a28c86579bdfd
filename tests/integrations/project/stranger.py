"""A program that loads what the pipeline has stored, without knowing the pipeline."""

from __future__ import annotations

import json

from pipeline.engines import outcome

from cachedeco import Cache


class Shape:
    """Not the pipeline's."""


if __name__ == "__main__":
    (item,) = (item for item in Cache().search() if item.function.endswith(".grown"))
    print(json.dumps(outcome(item.load)))
