"""What a page shows with a message: day, group, answer, reactions, who deleted it."""

from typing import Any

from chatapp.pages.rows import Row, rows

ADA, GRACE = {"id": "p1", "name": "ada"}, {"id": "p2", "name": "grace"}


def message(seq: int, author: dict[str, str] = ADA, at: str = "12:00", **fields: Any) -> dict[str, Any]:
    day, minute = at.split(" ") if " " in at else ("2026-11-24", at)
    return {
        "seq": seq,
        "kind": "text",
        "author": author,
        "body": "hello",
        "at": f"{day}T{minute}:00.000Z",
        **fields,
    }


def shown(*messages: dict[str, Any]) -> list[Row]:
    return list(rows(messages, GRACE["id"]))


def test_a_group_goes_on_for_five_minutes_of_one_author_and_name() -> None:
    ada_now = {"id": "p1", "name": "ada l."}
    found = shown(
        message(1),
        message(2, at="12:05"),
        message(3, at="12:11"),
        message(4, GRACE, at="12:11"),
        message(5, at="12:11"),
        message(6, ada_now, at="12:11"),
    )
    assert [row.starts for row in found] == [True, False, True, True, True, True]


def test_what_somebody_does_has_their_name_before_it() -> None:
    bodies = ["hello", "_waves_", "as I said", "_uses snake_case, as one does_", "_a_ and _b_", "__so__", "_"]
    found = shown(*(message(seq, body=body) for seq, body in enumerate(bodies, 1)))
    assert [row.starts for row in found] == [True, True, False, True, False, False, False]


def test_a_group_ends_with_the_day_a_notice_and_a_deleted_text() -> None:
    found = shown(
        message(1, at="2026-11-23 23:59"),
        message(2, at="00:00"),
        message(3, kind="notice", at="00:01"),
        message(4, at="00:01"),
        message(5, at="00:01", deleted_at="2026-11-24T00:02:00.000Z"),
        message(6, at="00:01"),
    )
    assert [row.starts for row in found if row.message["kind"] == "text"] == [True, True, True, False, True]
    assert [row.starts_day for row in found] == [True, True, False, False, False, False]


def test_an_answer_has_what_it_answers_where_that_is_on_the_page() -> None:
    found = shown(message(7), message(8, of=7), message(9, of=3))
    assert [row.quoted and row.quoted["seq"] for row in found] == [None, 7, None]


def test_of_each_mark_those_stand_who_have_not_taken_it_back() -> None:
    def reacts(seq: int, author: dict[str, str], mark: str, remove: bool = False) -> dict[str, Any]:
        return message(seq, author, kind="reaction", of=1, body=mark, remove=remove)

    [row] = shown(
        message(1),
        reacts(2, ADA, "👍"),
        reacts(3, GRACE, "🎉"),
        reacts(4, GRACE, "👍"),
        reacts(5, ADA, "👍", remove=True),
        reacts(6, ADA, "👀"),
        reacts(7, ADA, "👀", remove=True),
    )
    assert row.reactions == [("🎉", ["grace"], True), ("👍", ["grace"], True)]


def test_who_deleted_a_text_last_is_named() -> None:
    deletions = (
        message(seq, who, kind=kind, of=1)
        for seq, who, kind in ((2, ADA, "delete"), (3, ADA, "restore"), (4, GRACE, "delete"))
    )
    [row] = shown(message(1, deleted_at="2026-11-24T12:00:00.000Z"), *deletions)
    assert row.deleted_by == "grace"
    assert row.deleted_by_viewer  # who is grace
