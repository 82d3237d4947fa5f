"""A migration keeps nobody waiting who writes messages, however many there are, and older versions go on beside it.

PostgreSQL has kept messages since the revision 0017: what is older made empty tables there.
"""

import ast

import pytest

from chatapp.schema import MIGRATIONS

EMPTY = "0017"
LATER = [path for path in MIGRATIONS.glob("versions/[0-9]*.py") if path.name[:4] > EMPTY]
COLUMN = "op.add_column('messages', sa.Column('mood', sa.Text(), nullable=True))"


def unfit(source: str) -> list[str]:
    """What a migration that names `messages` must not do: each call that rewrites, reads or long locks a table.

    A new column without values is an entry in the catalogue, and `make_index` makes an index beside those who write;
    neither is in the way of a version that knows nothing of it.
    """
    (upgrade,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    if not any(
        isinstance(node, ast.Constant) and "messages" in str(node.value) for node in ast.walk(upgrade)
    ):
        return []
    calls = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call)]
    deeds = [call for call in calls if ast.unparse(call.func).startswith("op.")]
    return [ast.unparse(deed) for deed in deeds if not _is_fit(deed)]


def _is_fit(deed: ast.Call) -> bool:
    match ast.unparse(deed.func):
        case "op.add_column":
            column = deed.args[1]
            assert isinstance(column, ast.Call)
            return _says(column, "nullable") and "server_default" not in [key.arg for key in column.keywords]
    return False


def _says(call: ast.Call, name: str) -> bool:
    return any(key.arg == name and ast.unparse(key.value) == "True" for key in call.keywords)


def test_no_migration_keeps_those_waiting_who_write_messages() -> None:
    assert {path.name: found for path in LATER if (found := unfit(path.read_text()))} == {}


@pytest.mark.parametrize(
    "fit",
    [
        COLUMN,
        "make_index('ix', 'messages', ['at'])",
        "op.execute('UPDATE rooms SET topic = NULL')",
    ],
)
def test_a_column_without_values_and_an_index_made_beside_others_are_fit(fit: str) -> None:
    assert unfit(f"def upgrade():\n    {fit}") == []


@pytest.mark.parametrize(
    "deed",
    [
        COLUMN.replace("True", "False"),
        COLUMN.replace("nullable=True", "nullable=True, server_default='fine'"),
        "op.create_index('ix', 'messages', ['at'])",
        "op.create_index('ix', 'messages', ['at'], postgresql_concurrently=True)",  # not in a transaction
        "op.alter_column('messages', 'at', type_=sa.Text())",
        "op.execute('UPDATE messages SET body = upper(body)')",
        "[op.drop_column(table, 'at') for table in ('messages', 'reports')]",
    ],
)
def test_what_rewrites_reads_or_long_locks_messages_is_not(deed: str) -> None:
    assert len(unfit(f"def upgrade():\n    {deed}")) == 1
