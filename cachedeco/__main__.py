"""``python -m cachedeco``: the command line."""

from __future__ import annotations

import sys

from cachedeco.cli.main import main

sys.exit(main())
