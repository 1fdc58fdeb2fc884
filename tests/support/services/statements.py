"""Compile SQL statements once per test run instead of once per application.

SQLAlchemy caches compiled statements per engine, with the dialect object as part of the key. Every test has its own
engine; compiling its statements again took a quarter of the time of such a test.
"""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

_cache: LRUCache[Any, Any] = LRUCache(5000)


class _Shared:
    def __get__(self, engine: Engine | None, owner: type[Engine]) -> LRUCache[Any, Any]:
        return _cache

    def __set__(self, engine: Engine, value: object) -> None:
        """Ignore it: each engine would set its own cache."""


def compile_once() -> None:
    """Make all dialects of one kind equal, and let all engines use the same cache."""
    dialect: Any = DefaultDialect
    dialect.__eq__ = lambda self, other: _kind(self) == _kind(other)
    dialect.__hash__ = lambda self: hash(_kind(self))
    engine: Any = Engine
    engine._compiled_cache = _Shared()


def _kind(dialect: Any) -> tuple[object, ...]:
    return type(dialect), dialect.paramstyle, getattr(dialect, "server_version_info", None)
