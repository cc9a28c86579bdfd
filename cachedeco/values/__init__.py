"""Values: between Python objects and bytes, one serializer a file."""

from __future__ import annotations
