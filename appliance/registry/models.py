"""Tables of the registry. What is in them lies encrypted in the database and nowhere else."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from appliance.database import Base


class ModelVersionRow(Base):
    """One model file under one alias. `registry.version.ModelVersion` says what fields mean."""

    __tablename__ = "model_version"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    alias: Mapped[str] = mapped_column(String(128))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    file_id: Mapped[str] = mapped_column(String(32), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    details: Mapped[str] = mapped_column(Text)
    """JSON object: what the GGUF gate found (architecture, sizes, licence)."""
    created: Mapped[datetime]
    changed: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("alias", "digest"),
        CheckConstraint("state IN ('registered', 'approved', 'active', 'retired')", name="state"),
        # The database itself keeps two versions from serving under one alias.
        Index(
            "ix_model_version_one_active",
            "alias",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )
