"""The sample that shows whether a key is that of this database."""

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.tables.base import Base


class SealCheck(Base):
    """One row: a sample sealed with the key of this database's secrets, to check whether a key is the right one."""

    __tablename__ = "seal_check"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sample: Mapped[str] = mapped_column(Text)
