"""What deleted texts said, for as long as they may be brought back."""

import sqlalchemy as sa
from alembic import op

from chatapp.models import NUMBER

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_texts",
        sa.Column("room_id", NUMBER, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_deleted_texts_room_id"),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_deleted_texts"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_deleted_texts_until", "deleted_texts", ["until"])


def downgrade() -> None:
    op.drop_table("deleted_texts")
