"""What is good once and was used; and names as they are compared now."""

import sqlalchemy as sa
from alembic import op

from chatapp import names

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spent",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_spent"),
    )
    op.create_index("ix_spent_until", "spent", ["until"])
    connection = op.get_bind()
    people = connection.execute(sa.text("SELECT id, name, key FROM users ORDER BY id")).all()
    taken = {key for _, _, key in people}
    for user, name, before in people:
        key = names.key(name)
        # Of two who have names that look alike already one keeps what was compared until now, and signs in by
        # name only when somebody has given them another one.
        if key not in taken and not before.startswith("erased "):
            connection.execute(
                sa.text("UPDATE users SET key = :key WHERE id = :id"), {"key": key, "id": user}
            )
            taken.add(key)


def downgrade() -> None:
    op.drop_table("spent")
