"""Who may do what in a room: its kind, its members, sanctions; and the log of who did what."""

import sqlalchemy as sa
from alembic import op

from chatapp.models import NUMBER

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("kind", sa.Text(), nullable=False, server_default="public"),
        sa.Column("posting", sa.Text(), nullable=False, server_default="everyone"),
        sa.Column("guests", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("slow_seconds", NUMBER, nullable=False, server_default="0"),
        sa.Column("keep_days", NUMBER, nullable=True),
        sa.Column("keep_messages", NUMBER, nullable=True),
        sa.Column("rights", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("party", sa.Text(), nullable=True),
    ):
        op.add_column("rooms", column)
    op.create_index("uq_rooms_party", "rooms", ["party"], unique=True)
    op.create_table(
        "members",
        sa.Column("room_id", NUMBER, nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("muted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_members_room_id"),
        sa.PrimaryKeyConstraint("room_id", "person_id", name="pk_members"),
    )
    op.create_index("ix_members_person_id", "members", ["person_id"])
    op.create_table(
        "sanctions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("room_id", NUMBER, nullable=True),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_sanctions_room_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sanctions"),
    )
    op.create_index("ix_sanctions_room_id_lifted_at", "sanctions", ["room_id", "lifted_at"])
    op.create_table(
        "guests",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_guests"),
    )
    op.create_table(
        "audit",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who_id", sa.Text(), nullable=False),
        sa.Column("who_name", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("room_id", NUMBER, nullable=True),
        sa.Column("whom", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_room_id", "audit", ["room_id"])


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_table("guests")
    op.drop_table("sanctions")
    op.drop_table("members")
    op.drop_index("uq_rooms_party", "rooms")
    for name in (
        "party",
        "rights",
        "keep_messages",
        "keep_days",
        "slow_seconds",
        "guests",
        "posting",
        "kind",
    ):
        op.drop_column("rooms", name)
