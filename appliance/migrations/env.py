"""Alembic's entry: runs the steps on the connection it is handed, inside its transaction."""

from alembic import context
from sqlalchemy import Connection

connection = context.config.attributes["connection"]
if not isinstance(connection, Connection):
    raise TypeError("migrations run through Database.migrate, not from a shell")
context.configure(
    connection=connection,
    # SQLite can undo DDL; the driver's habit of committing around it is switched off in
    # appliance.sqlcipher.
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
