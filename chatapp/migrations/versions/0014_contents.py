"""What lies in the folder of uploads counts until it has gone from there, whether a file has it or not."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contents",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_contents"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO contents SELECT sha256, max(size) FROM files GROUP BY sha256")


def downgrade() -> None:
    op.drop_table("contents")
