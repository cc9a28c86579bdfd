"""The command line: one command a file in `commands`, what they share beside it."""

from __future__ import annotations
