"""Which messages a program wrote: of those that are kept from now on."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("messages", "reports"):  # no row is rewritten, however many there are
        op.add_column(table, sa.Column("bot", sa.Boolean(), nullable=True))


def downgrade() -> None:
    for table in ("messages", "reports"):
        op.drop_column(table, "bot")
