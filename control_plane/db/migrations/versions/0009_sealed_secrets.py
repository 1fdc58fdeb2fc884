"""room for sealed secrets, and a row that tells whether a key is the right one; each start seals what is not yet"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BEFORE = 64  # characters
_COLUMNS = (("admin_user", "totp_secret", True), ("webhook", "secret", False))


def upgrade() -> None:
    op.create_table(
        "seal_check",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seal_check")),
    )
    _retype(sa.String(length=_BEFORE), sa.Text())


def downgrade() -> None:
    """Refuse nothing: what is sealed stays so, and an older program cannot use it."""
    op.drop_table("seal_check")
    if not any(_is_longer(table, column) for table, column, _ in _COLUMNS):
        _retype(sa.Text(), sa.String(length=_BEFORE))


def _retype(old: sa.types.TypeEngine[str], new: sa.types.TypeEngine[str]) -> None:
    """SQLite does not care how long a text is, and would have to create the tables again."""
    if op.get_bind().dialect.name != "sqlite":
        for table, column, nullable in _COLUMNS:
            op.alter_column(table, column, existing_type=old, type_=new, existing_nullable=nullable)


def _is_longer(table: str, column: str) -> bool:
    text: sa.ColumnClause[str] = sa.column(column)
    longest = sa.select(sa.func.max(sa.func.length(text))).select_from(sa.table(table))
    return (op.get_bind().scalar(longest) or 0) > _BEFORE
