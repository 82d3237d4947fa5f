"""Files: what people sent, and which messages have it."""

import sqlalchemy as sa
from alembic import op

from chatapp.models import NUMBER

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("room_id", NUMBER, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", NUMBER, nullable=True),
        sa.Column("height", NUMBER, nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_files_room_id"),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
    )
    op.create_index("ix_files_room_id_seq", "files", ["room_id", "seq"])
    op.create_index("ix_files_sha256", "files", ["sha256", "size"])
    op.create_index("ix_files_person_id", "files", ["person_id"])
    unsent = sa.text("seq IS NULL")
    op.create_index("ix_files_at", "files", ["at"], sqlite_where=unsent, postgresql_where=unsent)
    op.add_column("messages", sa.Column("files", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("messages", "files")
    op.drop_table("files")
