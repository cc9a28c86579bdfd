"""A pipeline of a user."""

from __future__ import annotations
