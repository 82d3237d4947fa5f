"""Reports of messages; and guests in the order in which they came."""

import sqlalchemy as sa
from alembic import op

from chatapp.models import NUMBER

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("room_id", NUMBER, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("guest", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_reports_room_id"),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.UniqueConstraint("room_id", "seq", "by_id", name="uq_reports_room_id_seq_by_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reports_settled_at_room_id", "reports", ["settled_at", "room_id"])
    op.create_index("ix_guests_at", "guests", ["at"])


def downgrade() -> None:
    op.drop_index("ix_guests_at", "guests")
    op.drop_table("reports")
