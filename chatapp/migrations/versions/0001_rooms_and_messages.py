"""Rooms, their messages, and how far people have read."""

import sqlalchemy as sa
from alembic import op

from chatapp.models import NUMBER

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False, server_default=""),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("last_seq", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("last_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("revision", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("closed", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("removals", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "messages",
        sa.Column("room_id", NUMBER, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("guest", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("of", sa.BigInteger(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("remove", sa.Boolean(), nullable=True),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_messages_room_id"),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_messages"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_messages_client_id",
        "messages",
        ["room_id", "client_id", "author_id"],
        unique=True,
        sqlite_where=sa.text("client_id IS NOT NULL"),
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    op.create_index("ix_messages_at", "messages", ["room_id", "at"])
    op.create_index(
        "ix_messages_of",
        "messages",
        ["room_id", "of"],
        sqlite_where=sa.text("of IS NOT NULL"),
        postgresql_where=sa.text("of IS NOT NULL"),
    )
    op.create_table(
        "reads",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("room_id", NUMBER, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_reads_room_id"),
        sa.PrimaryKeyConstraint("person_id", "room_id", name="pk_reads"),
    )
    op.create_index("ix_reads_room_id", "reads", ["room_id"])


def downgrade() -> None:
    op.drop_table("reads")
    op.drop_table("messages")
    op.drop_table("rooms")
