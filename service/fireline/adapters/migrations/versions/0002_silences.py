"""Silences."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of silences that were made at run time."""
    op.create_table(
        "silences",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_silences_ends_at", "silences", ["ends_at"], unique=False)


def downgrade() -> None:
    """Forget them."""
    op.drop_index("ix_silences_ends_at", table_name="silences")
    op.drop_table("silences")
