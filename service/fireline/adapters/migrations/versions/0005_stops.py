"""The stop switch: one row for each time it was pulled."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the table."""
    op.create_table(
        "stops",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pulled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )


def downgrade() -> None:
    """Forget them: nothing is stopped then."""
    op.drop_table("stops")
