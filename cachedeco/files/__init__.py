"""Files: where the bytes of items lie, written beside and then moved into place."""

from __future__ import annotations
