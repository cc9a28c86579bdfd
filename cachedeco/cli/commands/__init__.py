"""The commands: each module has ``add_arguments(parser)`` and ``run(arguments, screen) -> exit code``."""

from __future__ import annotations
