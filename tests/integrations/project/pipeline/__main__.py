"""The program of the package, for `python -m pipeline`."""

from __future__ import annotations

import json
import sys

from cachedeco import cached
from pipeline.engines import note, through

STEP = 5


@cached
def programmed(x):
    """A step that is written in the program itself."""
    note("computed", f"programmed-{x}")
    return x + STEP


def main():
    """Call it in workers and here."""
    values = through(sys.argv[1], programmed, [1, 1, 2])
    print(json.dumps({"values": values, "uri": programmed.item(1).uri, "after": programmed(1)}))


if __name__ == "__main__":
    main()
