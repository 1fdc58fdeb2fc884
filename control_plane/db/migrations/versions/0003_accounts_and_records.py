"""accounts with a second factor, API keys, the audit log, webhooks; everybody signed in signs in again"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UUID = sa.String(length=36)


def upgrade() -> None:
    op.create_index(op.f("ix_viewing_session_started_at"), "viewing_session", ["started_at"])
    has_ended = sa.text("ended_at IS NOT NULL")
    op.create_index(
        "ix_viewing_session_ended_at",
        "viewing_session",
        ["ended_at"],
        sqlite_where=has_ended,
        postgresql_where=has_ended,
    )
    _count_changes_in(sa.BigInteger())
    _extend_users()
    _remake_admin_sessions(extended=True)
    _create_keys_and_links()
    _create_audit()
    _create_webhooks()


def downgrade() -> None:
    for table in ("webhook_delivery", "webhook", "audit_entry", "api_key", "setup_link", "recovery_code"):
        op.drop_table(table)
    _remake_admin_sessions(extended=False)
    for column in ("last_sign_in_at", "totp_step", "totp_secret", "is_active"):
        op.drop_column("admin_user", column)
    op.drop_index("ix_viewing_session_ended_at", "viewing_session")
    _count_changes_in(sa.Integer())
    op.drop_index(op.f("ix_viewing_session_started_at"), "viewing_session")


def _count_changes_in(number: sa.types.TypeEngine[int]) -> None:
    """Make room for the feed's places, which are never used twice. SQLite's integers are large enough."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("revocation_change", "n", type_=number)
        op.execute(f"ALTER SEQUENCE revocation_change_n_seq AS {number.compile(op.get_bind().dialect)}")


def _extend_users() -> None:
    # No batch: it would create the table again, and dropping the old one takes what hangs from it along.
    op.add_column("admin_user", sa.Column("is_active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("admin_user", sa.Column("totp_secret", sa.String(length=64), nullable=True))
    op.add_column("admin_user", sa.Column("totp_step", sa.BigInteger(), nullable=True))
    op.add_column("admin_user", sa.Column("last_sign_in_at", _TIME, nullable=True))
    op.create_table(
        "recovery_code",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", _UUID, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["admin_user.id"], name=op.f("fk_recovery_code_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_code")),
    )
    op.create_index(op.f("ix_recovery_code_user_id"), "recovery_code", ["user_id"])


def _remake_admin_sessions(*, extended: bool) -> None:
    """Drop the sessions of admins with their table: they last for eight hours at most anyway."""
    op.drop_table("admin_session")
    more = [
        sa.Column("id", _UUID, nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=400), nullable=False),
        sa.UniqueConstraint("id", name=op.f("uq_admin_session_id")),
    ]
    op.create_table(
        "admin_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", _UUID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        *(more if extended else []),
        sa.ForeignKeyConstraint(["user_id"], ["admin_user.id"], name=op.f("fk_admin_session_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_admin_session")),
    )
    op.create_index(op.f("ix_admin_session_expires_at"), "admin_session", ["expires_at"])
    op.create_index(op.f("ix_admin_session_user_id"), "admin_session", ["user_id"])


def _create_keys_and_links() -> None:
    op.create_table(
        "setup_link",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_setup_link")),
    )
    op.create_table(
        "api_key",
        sa.Column("id", _UUID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("shown", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME, nullable=True),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )


def _create_audit() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", _COUNTED, autoincrement=True, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=True),
        sa.Column("event_id", _UUID, nullable=True),
        sa.Column("ticket_id", _UUID, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_at"), "audit_entry", ["at"])
    op.create_index(op.f("ix_audit_entry_action_at"), "audit_entry", ["action", "at"])
    op.create_index(op.f("ix_audit_entry_actor_at"), "audit_entry", ["actor", "at"])
    op.create_index(op.f("ix_audit_entry_ticket_id"), "audit_entry", ["ticket_id"])


def _create_webhooks() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", _UUID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("topics", sa.String(length=400), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", _COUNTED, autoincrement=True, nullable=False),
        sa.Column("webhook_id", _UUID, nullable=False),
        sa.Column("topic", sa.String(length=48), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", _TIME, nullable=True),
        sa.Column("delivered_at", _TIME, nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    op.create_index(op.f("ix_webhook_delivery_next_attempt_at"), "webhook_delivery", ["next_attempt_at"])
    op.create_index(op.f("ix_webhook_delivery_webhook_id"), "webhook_delivery", ["webhook_id"])
