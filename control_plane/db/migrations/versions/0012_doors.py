"""doors of events; those of before are not held, so that nothing changes for what is set up and announced already"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KNOWN = "doors IN ('open', 'closed')"


def upgrade() -> None:
    """Add columns as they are in both databases: SQLite could not create the table again beside its tickets."""
    op.add_column("revocation_change", sa.Column("until", sa.DateTime(timezone=True)))
    op.add_column("event", sa.Column("hold_until_start", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(f"ALTER TABLE event ADD COLUMN doors VARCHAR(8) CONSTRAINT ck_event_doors CHECK ({_KNOWN})")


def downgrade() -> None:
    """Open all doors: nobody would do it any more. Edges hear of it by a snapshot, hence the new epoch."""
    op.execute("UPDATE revocation_change SET revoked = false WHERE until IS NOT NULL")
    op.get_bind().execute(sa.text("UPDATE feed_epoch SET epoch = :epoch"), {"epoch": secrets.token_hex(4)})
    op.drop_column("revocation_change", "until")
    op.drop_column("event", "doors")
    op.drop_column("event", "hold_until_start")
