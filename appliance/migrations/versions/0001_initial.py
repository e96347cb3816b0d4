"""The first shape of the tables."""

import sqlalchemy as sa
from alembic import op

from appliance.database import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "model_version",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("alias", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.Column("changed", UtcTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('registered', 'approved', 'active', 'retired')",
            name=op.f("ck_model_version_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint("alias", "digest", name=op.f("uq_model_version_alias_digest")),
        sa.UniqueConstraint("file_id", name=op.f("uq_model_version_file_id")),
    )
    op.create_index(
        "ix_model_version_one_active",
        "model_version",
        ["alias"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
