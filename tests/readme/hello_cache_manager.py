"""Download a table once, keep it with what is known of it, read it from the cache: run it twice.

Usage: hello_cache_manager.py URL FOLDER
"""

from __future__ import annotations

import itertools
import sys
import urllib.request

import cachedeco as cm
from cachedeco import Status


def main(url, folder):
    cache = cm.Cache(path=folder)
    item = cache.best_or_new(
        uri=url,
        params={"dataset": "flowers"},
        attrs={"kind": "table", "source": "loopback"},
        filename="flowers.csv.gz",
        new_status=Status.WRITE.value,
    )
    if item.status != Status.READY:
        print("downloading")
        # The address is what the user has asked for.
        with urllib.request.urlopen(url, timeout=30) as answer, open(item.path, "wb") as file:  # noqa: S310
            file.write(answer.read())
            item.update(attrs={"resp_headers": dict(answer.headers)})
        item.ready()

    print("item:", item.version_id, item.status, item.size)
    best = cache.best(uri=url, params={"dataset": "flowers"})
    print("best is the same:", best == item)
    print("found by attributes:", item.id in cache.by_attrs({"kind": "table", "source": "loopback"}))
    opened = item.open(default_mode="r")
    print("format:", opened.type)
    for line in itertools.islice(opened.result, 2):
        print(line.rstrip())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
