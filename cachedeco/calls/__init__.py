"""The road of a call: from the arguments to a value that is loaded or computed."""

from __future__ import annotations
