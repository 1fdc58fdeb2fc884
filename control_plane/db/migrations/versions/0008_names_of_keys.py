"""no two API keys in use have one name; of those that do, all but the oldest get a number"""

from itertools import count

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_LONGEST = 100
_IN_USE = sa.text("revoked_at IS NULL")
_KEY = sa.table("api_key", sa.column("id"), sa.column("name"), sa.column("created_at"), sa.column("revoked_at"))


def upgrade() -> None:
    _tell_namesakes_apart()
    op.create_index(
        "uq_api_key_name_in_use", "api_key", ["name"], unique=True, sqlite_where=_IN_USE, postgresql_where=_IN_USE
    )


def downgrade() -> None:
    """The numbers stay: nobody could tell which of them was given here."""
    op.drop_index("uq_api_key_name_in_use", "api_key")


def _tell_namesakes_apart() -> None:
    """Keep every key good: revoking one of two would stop a program that somebody relies on."""
    in_use = sa.select(_KEY.c.id, _KEY.c.name).where(_IN_USE).order_by(_KEY.c.created_at, _KEY.c.id)
    keys = op.get_bind().execute(in_use).all()
    taken, seen = {name for _, name in keys}, set()
    for key_id, name in keys:
        if name in seen:
            free = next(each for number in count(2) if (each := _numbered(name, number)) not in taken)
            op.get_bind().execute(sa.update(_KEY).where(_KEY.c.id == key_id).values(name=free))
            taken.add(free)
        seen.add(name)


def _numbered(name: str, number: int) -> str:
    suffix = f" ({number})"
    return name[: _LONGEST - len(suffix)] + suffix
