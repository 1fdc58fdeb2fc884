"""Runs migrations on the engine of the application, so that both see the same database the same way."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from control_plane.db.database import create_engine, hold_schema
from control_plane.tables import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run() -> None:
    engine = create_engine(context.config.attributes["database_url"])
    writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    try:
        async with writing.begin() as connection:
            await connection.run_sync(hold_schema)
            await connection.run_sync(run)
    finally:
        await engine.dispose()


# A restore migrates within its own transaction.
if (connected := context.config.attributes.get("connection")) is not None:
    run(connected)
else:
    asyncio.run(connect_and_run())
