"""Who is called in a text, and what browsers tell people of a room."""

import sqlalchemy as sa
from alembic import op

from chatapp.models import NUMBER

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("called", sa.JSON(), nullable=True))
    op.add_column("deleted_texts", sa.Column("called", sa.JSON(), nullable=True))
    op.add_column("members", sa.Column("notify", sa.Text(), nullable=True))
    op.create_table(
        "mentions",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("room_id", NUMBER, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_mentions_room_id"),
        sa.PrimaryKeyConstraint("person_id", "room_id", "seq", name="pk_mentions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mentions_room_id_seq", "mentions", ["room_id", "seq"])


def downgrade() -> None:
    op.drop_table("mentions")
    op.drop_column("members", "notify")
    op.drop_column("deleted_texts", "called")
    op.drop_column("messages", "called")
