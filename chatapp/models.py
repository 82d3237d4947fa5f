"""The rows: what is kept on disk. Live things are in room.py; rows never leave journal and accounts."""

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, MetaData, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

# A number of 64 bits. SQLite has no other, and gives ids by itself only where the type is called so.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    # Names for constraints, so that migrations can alter them on every database.
    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={int: NUMBER},
    )


db = SQLAlchemy(model_class=Base)


class Room(Base):
    """A numbered log. `last_seq` and `last_at` never turn back; `revision` counts transactions.

    `removals`: who was removed lately, by which notice; it outlives the notice when the room is cleared.
    `rights` counts the transactions that changed who may do what here. `slow_seconds`: between two texts of
    one person. `keep_days`, `keep_messages`: what retention leaves (None: all). `party`: whose conversation a
    direct room is, as one text.

    AUTOINCREMENT because SQLite gives a deleted row's id to the next one, and a room's id is an address.
    """

    __tablename__ = "rooms"
    __table_args__ = (Index("uq_rooms_party", "party", unique=True), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text, default="")
    epoch: Mapped[str] = mapped_column(Text)
    first_seq: Mapped[int] = mapped_column(BigInteger, default=1)
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    last_at: Mapped[int] = mapped_column(BigInteger, default=0)
    revision: Mapped[int] = mapped_column(BigInteger, default=1)
    closed: Mapped[bool] = mapped_column(default=False)
    removals: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    created_at: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text, default="public")
    posting: Mapped[str] = mapped_column(Text, default="everyone")
    guests: Mapped[bool] = mapped_column(default=True)
    slow_seconds: Mapped[int] = mapped_column(default=0)
    keep_days: Mapped[int | None]
    keep_messages: Mapped[int | None]
    rights: Mapped[int] = mapped_column(BigInteger, default=1)
    party: Mapped[str | None] = mapped_column(Text)


class Message(Base):
    """One entry of a log. Times are microseconds since 1970. Clustered by room and seq, as it is read.

    `called`: by the words behind an `@` in the body, the ids of whom they call. `bot`: None where it is not
    so, and of what was kept before there was this column.
    """

    __tablename__ = "messages"

    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    author_id: Mapped[str] = mapped_column(Text)
    author_name: Mapped[str] = mapped_column(Text)
    guest: Mapped[bool]
    body: Mapped[str] = mapped_column(Text)
    of: Mapped[int | None] = mapped_column(BigInteger)
    client_id: Mapped[str | None] = mapped_column(Text)
    remove: Mapped[bool | None]
    detail: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    edited_at: Mapped[int | None] = mapped_column(BigInteger)
    deleted_at: Mapped[int | None] = mapped_column(BigInteger)
    called: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    files: Mapped[list[dict[str, object]] | None] = mapped_column(JSON(none_as_null=True))
    bot: Mapped[bool | None]

    __table_args__ = (
        Index(
            "uq_messages_client_id",
            "room_id",
            "client_id",
            "author_id",
            unique=True,
            sqlite_where=text("client_id IS NOT NULL"),
            postgresql_where=text("client_id IS NOT NULL"),
        ),
        Index("ix_messages_at", "room_id", "at"),
        Index(
            "ix_messages_of",
            "room_id",
            "of",
            sqlite_where=text("of IS NOT NULL"),
            postgresql_where=text("of IS NOT NULL"),
        ),
        # All that counting what is unread asks of a text, so that no text itself is read for it.
        Index(
            "ix_messages_texts",
            "room_id",
            "seq",
            "author_id",
            "kind",
            "deleted_at",
            sqlite_where=text("kind = 'text' AND deleted_at IS NULL"),
            postgresql_where=text("kind = 'text' AND deleted_at IS NULL"),
        ),
        {"sqlite_with_rowid": False},
    )


class DeletedText(Base):
    """What a deleted text said, and whom it `called`, for as long as (`until`) who deleted it (`by_id`) may
    bring it back.
    """

    __tablename__ = "deleted_texts"

    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    body: Mapped[str] = mapped_column(Text)
    by_id: Mapped[str] = mapped_column(Text)
    until: Mapped[int] = mapped_column(BigInteger, index=True)
    called: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))

    __table_args__ = ({"sqlite_with_rowid": False},)


class Mention(Base):
    """Somebody is called in a text, as it is now, of somebody else. Beside the log, to be counted."""

    __tablename__ = "mentions"
    __table_args__ = (Index("ix_mentions_room_id_seq", "room_id", "seq"), {"sqlite_with_rowid": False})

    person_id: Mapped[str] = mapped_column(Text, primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class File(Base):
    """What somebody (`person_id`) sent to a room as a file, at `at`. `seq`: the message that has it, None as
    long as none has. What it says of itself stands in that message, too. Its content is in the folder of
    uploads under `sha256`, once for all rows that have the same.
    """

    __tablename__ = "files"
    __table_args__ = (
        Index("ix_files_room_id_seq", "room_id", "seq"),
        Index("ix_files_sha256", "sha256", "size"),
        Index("ix_files_at", "at", sqlite_where=text("seq IS NULL"), postgresql_where=text("seq IS NULL")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"))
    seq: Mapped[int | None] = mapped_column(BigInteger)
    person_id: Mapped[str] = mapped_column(Text, index=True)
    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    sha256: Mapped[str] = mapped_column(Text)
    at: Mapped[int] = mapped_column(BigInteger)


class Content(Base):
    """What lies in the folder of uploads, from when a file has it until it was collected."""

    __tablename__ = "contents"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_with_rowid": False},)


class Read(Base):
    """How far a person has read a room."""

    __tablename__ = "reads"

    person_id: Mapped[str] = mapped_column(Text, primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True, index=True)
    seq: Mapped[int] = mapped_column(BigInteger)


class Member(Base):
    """A person's part in a room. `muted`: they do not want to hear of it. `notify`: of what their browsers
    tell them while they do something else; None: they have not said.
    """

    __tablename__ = "members"

    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(Text, primary_key=True, index=True)
    name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    muted: Mapped[bool] = mapped_column(default=False)
    at: Mapped[int] = mapped_column(BigInteger)
    notify: Mapped[str | None] = mapped_column(Text)


class Sanction(Base):
    """A ban or a time-out, in one room or (None) everywhere, until `until` (0: for good) or until it is
    lifted.

    It is of one of `person_id`, `device` (a guest's browser) and `network` (guests' addresses).
    """

    __tablename__ = "sanctions"
    __table_args__ = (Index("ix_sanctions_room_id_lifted_at", "room_id", "lifted_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    room_id: Mapped[int | None] = mapped_column(ForeignKey("rooms.id"))
    person_id: Mapped[str | None] = mapped_column(Text)
    device: Mapped[str | None] = mapped_column(Text)
    network: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    until: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    by_id: Mapped[str] = mapped_column(Text)
    by_name: Mapped[str] = mapped_column(Text)
    at: Mapped[int] = mapped_column(BigInteger)
    lifted_at: Mapped[int | None] = mapped_column(BigInteger)


class Guest(Base):
    """Who came in as a guest, in which browser and from where: a ban of a guest is one of the browser too."""

    __tablename__ = "guests"

    person_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    device: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    at: Mapped[int] = mapped_column(BigInteger, index=True)


class Report(Base):
    """A message that somebody (`by_id`) brought before those who moderate, once.

    `author_id`, `author_name`: whose message it is. `body`: what it said then; until the report is settled,
    which is what has an `outcome`, or until retention takes the message.

    AUTOINCREMENT because a moderator may settle what their page showed an hour ago.
    """

    __tablename__ = "reports"
    __table_args__ = (
        UniqueConstraint("room_id", "seq", "by_id"),
        Index("ix_reports_settled_at_room_id", "settled_at", "room_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    author_id: Mapped[str] = mapped_column(Text)
    author_name: Mapped[str] = mapped_column(Text)
    guest: Mapped[bool]
    body: Mapped[str] = mapped_column(Text)
    by_id: Mapped[str] = mapped_column(Text)
    by_name: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    at: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[str | None] = mapped_column(Text)
    settled_at: Mapped[int | None] = mapped_column(BigInteger)
    bot: Mapped[bool | None]


class AuditEntry(Base):
    """Who did what, where, to whom, when and why. `room_id` outlives its room, so it refers to nothing."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger)
    who_id: Mapped[str] = mapped_column(Text)
    who_name: Mapped[str] = mapped_column(Text)
    what: Mapped[str] = mapped_column(Text)
    room_id: Mapped[int | None] = mapped_column(index=True)
    whom: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
