"""Overrides of schedules that people make at run time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the table."""
    op.create_table(
        "overrides",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_overrides_until", "overrides", ["until"], unique=False)


def downgrade() -> None:
    """Drop it, with what is in it."""
    op.drop_table("overrides")
