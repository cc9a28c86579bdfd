"""The registry: an SQLite file that knows every item. All SQL lives here."""

from __future__ import annotations
