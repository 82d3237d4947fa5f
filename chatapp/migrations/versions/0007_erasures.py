"""Who was taken out of the database, as the hash of their id; one time for all that one deed imposed, by
which it is known whose browser and network a ban is of; and the names of hooks as names are compared.
"""

import sqlalchemy as sa
from alembic import op

from chatapp import names

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TOGETHER = 5_000_000  # microseconds, within which the sanctions of one deed were imposed


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_erasures"),
    )
    op.create_index("ix_erasures_changed", "erasures", ["changed"])
    _give_one_time()
    op.add_column("hooks", sa.Column("name_key", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_hooks_name_key", "hooks", ["name_key"])
    database = op.get_bind()
    for hook, name in database.execute(sa.text("SELECT id, name FROM hooks")).all():
        compared = {"id": hook, "key": names.key(name)}
        database.execute(sa.text("UPDATE hooks SET name_key = :key WHERE id = :id"), compared)


def _give_one_time() -> None:
    """In the order of their numbers: the person, then their browser, then the network."""
    database = op.get_bind()
    query = "SELECT id, at, person_id, kind, room_id, name, until, reason, by_id FROM sanctions ORDER BY id"
    times: dict[tuple[object, ...], int] = {}
    for number, at, person, *deed in database.execute(sa.text(query)).all():
        if person is not None:
            times[tuple(deed)] = at
        elif 0 < at - times.get(tuple(deed), at) < TOGETHER:
            one = {"id": number, "at": times[tuple(deed)]}
            database.execute(sa.text("UPDATE sanctions SET at = :at WHERE id = :id"), one)


def downgrade() -> None:
    op.drop_index("ix_hooks_name_key", "hooks")
    op.drop_column("hooks", "name_key")
    op.drop_table("erasures")
