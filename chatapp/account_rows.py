"""The rows of who somebody is: people with an account, their ways in, sessions, tokens, and invitations."""

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.models import Base


class Server(Base):
    """One row. `people` counts the transactions that changed who anybody is. `begun`: there was an
    administrator once.
    """

    __tablename__ = "server"

    id: Mapped[int] = mapped_column(primary_key=True)
    people: Mapped[int] = mapped_column(BigInteger, default=0)
    begun: Mapped[bool] = mapped_column(default=False)


class User(Base):
    """A person with an account. Times are microseconds since 1970.

    `person_id`: the author id, `u<number>` or, of somebody who was a guest first, the guest's. `key`: the
    name as names are compared (names.py). `changed` and `renamed`: the numbers (`Server.people`) of the last
    change and of the last new name. The columns from `password` to `mf_recovery_codes` are the login
    library's. `email`: an address that is confirmed; `email_key`: as addresses are compared.
    `language`: in which they read, null: as their browsers ask.

    AUTOINCREMENT because SQLite gives a deleted row's id to the next one, and an author's id is for ever.
    """

    __tablename__ = "users"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[str | None] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text, unique=True)
    role: Mapped[str] = mapped_column(Text, default="member")
    status: Mapped[str] = mapped_column(Text, default="")
    disabled: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[int] = mapped_column(BigInteger)
    changed: Mapped[int] = mapped_column(BigInteger, default=0, index=True)
    renamed: Mapped[int] = mapped_column(BigInteger, default=0)
    password: Mapped[str | None] = mapped_column(Text)
    fs_uniquifier: Mapped[str] = mapped_column(Text, unique=True)
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(Text, unique=True)
    tf_primary_method: Mapped[str | None] = mapped_column(Text)
    tf_totp_secret: Mapped[str | None] = mapped_column(Text)
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    email: Mapped[str | None] = mapped_column(Text)
    email_key: Mapped[str | None] = mapped_column(Text, unique=True, index=True)
    language: Mapped[str | None] = mapped_column(Text)


class Passkey(Base):
    """A WebAuthn credential; the columns up to `extensions` are those of the WebAuthn standard."""

    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[str]] = mapped_column(JSON)
    backup_state: Mapped[bool]
    device_type: Mapped[str] = mapped_column(Text)
    extensions: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    usage: Mapped[str] = mapped_column(Text)
    made_at: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[int] = mapped_column(BigInteger)


class Session(Base):
    """A browser in which somebody is signed in. `key`: the hash of the random value in its cookie.

    `changed`: the number (`Server.people`) under which it was ended.
    """

    __tablename__ = "sessions"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    device: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    made_at: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[int] = mapped_column(BigInteger, index=True)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    changed: Mapped[int] = mapped_column(BigInteger, default=0, index=True)


class Invitation(Base):
    """A link with which people make accounts. `key`: the hash of its code; `uses`: how many are left."""

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    by_id: Mapped[str] = mapped_column(Text)
    by_name: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    made_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    uses: Mapped[int]
    room_id: Mapped[int | None]


class Erasure(Base):
    """Somebody who was taken out of the database. `key`: the hash of their id, which some browser's cookie
    may have for a year yet; `changed`: the number (`Server.people`) under which that was done.
    """

    __tablename__ = "erasures"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    changed: Mapped[int] = mapped_column(BigInteger, index=True)


class Erasing(Base):
    """Somebody who is nobody here any more, as long as the logs still name them.

    `alias`, `keep_messages`: see Erase. `room_id`, `seq`: the last message that was dealt with, in the
    order of rooms; 0: none yet. `at`: when that was, or when a process last said that it comes to them, in
    microseconds since 1970.
    """

    __tablename__ = "erasing"

    person_id: Mapped[str] = mapped_column(Text, primary_key=True)
    alias: Mapped[str] = mapped_column(Text)
    keep_messages: Mapped[bool]
    room_id: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[int] = mapped_column(BigInteger)


class ResetLink(Base):
    """A link with which somebody sets a new password, once. `key`: the hash of its code."""

    __tablename__ = "reset_links"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    expires_at: Mapped[int] = mapped_column(BigInteger)


class AddressLink(Base):
    """A link with which somebody confirms, once, that `email` is theirs. `key`: the hash of its code."""

    __tablename__ = "address_links"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    email: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[int] = mapped_column(BigInteger)


class Spent(Base):
    """What is good once and was used. `key`: its hash; `until`: when it would have ended by itself."""

    __tablename__ = "spent"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    until: Mapped[int] = mapped_column(BigInteger, index=True)


class Token(Base):
    """With which a program acts for a person. `key`: the hash of the token; `name`: what it is for.

    `scopes` and `rooms` (None: all): what it allows. `expires_at`: None for never. `changed`: the number
    (`Server.people`) under which it was revoked.
    """

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    rooms: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    made_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)
    changed: Mapped[int] = mapped_column(BigInteger, default=0, index=True)


class Hook(Base):
    """An address at which programs post into a room. `key`: the hash of the secret in it; `name_key`: the
    name as names are compared (names.py). Its author id is `h<id>`, for ever: AUTOINCREMENT.
    """

    __tablename__ = "hooks"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), index=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, index=True)
    by_id: Mapped[str] = mapped_column(Text)
    by_name: Mapped[str] = mapped_column(Text)
    made_at: Mapped[int] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)
