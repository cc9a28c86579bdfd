"""Keeping a cache in order: what may go and why, making it go, checking what stays. Each verb has a file."""

from __future__ import annotations
