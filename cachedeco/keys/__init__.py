"""Keys: from a call to the 128 bits that name its result."""

from __future__ import annotations
