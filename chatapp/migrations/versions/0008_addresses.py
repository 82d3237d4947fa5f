"""E-mail addresses of people, and the links with which they are confirmed."""

import sqlalchemy as sa
from alembic import op

from chatapp.models import NUMBER

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("email", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("email_key", sa.Text(), nullable=True))
    op.create_index("ix_users_email_key", "users", ["email_key"], unique=True)
    op.create_table(
        "address_links",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_address_links_user_id"),
        sa.PrimaryKeyConstraint("key", name="pk_address_links"),
    )
    op.create_index("ix_address_links_user_id", "address_links", ["user_id"])


def downgrade() -> None:
    op.drop_table("address_links")
    op.drop_index("ix_users_email_key", "users")
    op.drop_column("users", "email_key")
    op.drop_column("users", "email")
