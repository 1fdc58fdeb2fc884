"""a receipt a sidecar, so that several control planes know of all of them"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEY = "pk_edge"


def upgrade() -> None:
    with op.batch_alter_table("edge", recreate="auto") as table:
        table.add_column(sa.Column("instance", sa.String(length=64), nullable=False, server_default="-"))
        table.drop_constraint(_KEY, type_="primary")
        table.create_primary_key(_KEY, ["name", "instance"])
    with op.batch_alter_table("edge") as table:
        table.alter_column("instance", server_default=None)


def downgrade() -> None:
    op.execute("DELETE FROM edge WHERE instance <> (SELECT min(one.instance) FROM edge one WHERE one.name = edge.name)")
    with op.batch_alter_table("edge", recreate="auto") as table:
        table.drop_constraint(_KEY, type_="primary")
        table.create_primary_key(_KEY, ["name"])
        table.drop_column("instance")
