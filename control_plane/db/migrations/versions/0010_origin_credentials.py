"""what an event's own origin is shown: a header and a query, sealed"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NAMES = ("origin_header", "origin_query")


def upgrade() -> None:
    for name in _NAMES:
        op.add_column("event", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    for name in _NAMES:
        op.drop_column("event", name)
