"""One family of types a module.

Each module has a function ``find(kind)`` that returns what takes values of that exact class apart, or None.
What takes a value apart returns a `Node` or raises `UnkeyableError`. A library's module is imported when a
value of that library is met for the first time.
"""

from __future__ import annotations
