"""What all tables share: the base class, names of constraints, types of columns."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import BigInteger, Dialect, Integer, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

from control_plane.db.database import UtcDateTime
from control_plane.end_reasons import EndReason

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
_END_REASONS = frozenset(reason.value for reason in EndReason)
UUID = String(36)
# SQLite numbers rows automatically only in a column of the exact type INTEGER; its integers have 64 bits.
COUNTED = BigInteger().with_variant(Integer, "sqlite")
# A sealed secret. SQLite does not enforce the length of a text, so its columns have kept their old type.
SEALED = Text().with_variant(String(64), "sqlite")


def new_id() -> str:
    return str(uuid4())


class EndReasonWord(TypeDecorator[EndReason]):
    """An `EndReason`, stored as its word. A word of a newer version is read as `EndReason.UNKNOWN`."""

    impl = String(16)
    cache_ok = True

    def process_bind_param(self, value: EndReason | None, _dialect: Dialect) -> str | None:
        return value and str(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> EndReason | None:
        if value is None:
            return None
        return EndReason(value) if value in _END_REASONS else EndReason.UNKNOWN


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: dict[Any, Any] = {  # noqa: RUF012 - SQLAlchemy's own hook
        datetime: UtcDateTime,
        EndReason: EndReasonWord,
    }
