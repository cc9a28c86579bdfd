"""Another script, with a class of the same name as one of the pipeline's."""

from __future__ import annotations

import json

from pipeline import steps


class Shape:
    """Not the pipeline's."""


def main():
    """Load what the pipeline has stored."""
    found = steps.grown(1, steps.Shape(steps.Size(4)))
    print(json.dumps({"theirs": type(found) is steps.Shape, "ours": type(found) is Shape}))


if __name__ == "__main__":
    main()
