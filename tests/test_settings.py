"""Settings: from the environment or from config.py, and what is wrong is said in one line that names it."""

import json
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from chatapp import config
from chatapp.errors import SetupError
from chatapp.journal.databases import engine_options
from chatapp.journal.shown import shown
from tests.clients import Person
from tests.servers import ROOT, Server

DOCS = ROOT / "docs" / "settings.md"

# name: (as the environment writes it, as config.py may write it, what the program makes of it)
SAMPLES: dict[str, tuple[str, Any, Any]] = {
    "database_url": ("sqlite:////srv/chat.db", "sqlite:////srv/chat.db", "sqlite:////srv/chat.db"),
    "bus_url": ("sqlite:////srv/bus.db", "sqlite:////srv/bus.db", "sqlite:////srv/bus.db"),
    "language": ("de", "de", "de"),
    "site_name": (" The Mill ", "The Mill", "The Mill"),
    "guests": ("no", False, False),
    "guest_files": ("yes", True, True),
    "quick_polls": ("no", False, False),
    "quick_handshakes": ("no", False, False),
    "quick_frames": ("no", False, False),
    "quick_sends": ("no", False, False),
    "quick_looks": ("no", False, False),
    "quick_commits": ("no", False, False),
    "quick_log": ("no", False, False),
    "guest_code": ("sesame", "sesame", "sesame"),
    "origins": (
        "https://one.example/, http://two.example:8000",
        ["https://one.example", "http://two.example:8000"],
        ("https://one.example", "http://two.example:8000"),
    ),
    "frame_ancestors": ("https://one.example", ["https://one.example"], ("https://one.example",)),
    "trusted_proxies": ("1", 1, 1),
    "rate_messages": ("7 per 3 seconds", "7 per 3 seconds", "7 per 3 seconds"),
    "rate_connections": ("8 per minute", "8 per minute", "8 per minute"),
    "rate_guests": ("9 per hour", "9 per hour", "9 per hour"),
    "rate_sign_ins": ("6 per hour", "6 per hour", "6 per hour"),
    "rate_files": ("5 per hour", "5 per hour", "5 per hour"),
    "rate_searches": ("5 per hour", "5 per hour", "5 per hour"),
    "sign_up": ("open", "open", "open"),
    "room_makers": ("members", "members", "members"),
    "public_url": ("https://one.example", "https://one.example", "https://one.example"),
    "mail_url": ("smtps://one.example", "smtps://one.example", "smtps://one.example"),
    "log_format": ("json", "json", "json"),
    "metrics": ("a" * 16, "a" * 16, "a" * 16),
    "mail_from": ("chat@one.example", "chat@one.example", "chat@one.example"),
}
# What a setting needs beside it.
WITH = {"CHATAPP_PUBLIC_URL": "https://chat.example", "CHATAPP_MAIL_FROM": "chat@chat.example"}
# What the environment may say instead of a value of each kind, and what it means.
WORDS = {
    "1": True,
    "yes": True,
    "TRUE": True,
    "on": True,
    "0": False,
    "No": False,
    "false": False,
    "off": False,
}

# The protocol's own figures, which clients rely on.
PROMISED = {
    "body_limit": 4000,
    "frame_limit": 64 * 1024,
    "rooms_per_socket": 50,
    "rate_messages": "30 per 10 seconds",
    "rate_connections": "20 per 10 seconds",
    "rate_guests": "10 per minute",
    "backlog": 500,
    "unsent_limit": 64 * 1024,
    "heartbeat": 25,
    "guests": True,
    "guest_code": "",
    "origins": (),
    "frame_ancestors": (),
    "trusted_proxies": 0,
}

SETTINGS = [item for item in fields(config.Config) if item.name != "instance_path"]
every_setting = pytest.mark.parametrize("item", SETTINGS, ids=lambda item: item.name)


def variable(name: str) -> str:
    return f"CHATAPP_{name.upper()}"


def sample(item: Any) -> tuple[str, Any, Any]:
    if isinstance(item.default, int) and not isinstance(item.default, bool):
        return SAMPLES.get(item.name, (f" {item.default + 1} ", item.default + 1, item.default + 1))
    assert item.name in SAMPLES, f"give {item.name} a sample in this file"
    return SAMPLES[item.name]


def other(item: Any) -> Any:
    """A third value, neither the default nor the sample."""
    if isinstance(item.default, bool):
        return item.default
    if isinstance(item.default, int):
        return item.default + 2
    if item.name.startswith("rate"):
        return "99 per day"
    if item.name == "sign_up":
        return "closed"
    if item.name == "room_makers":
        return "administrators"
    if item.name == "language":
        return "ar"
    if item.name == "log_format":
        return "text"
    if item.name in ("origins", "frame_ancestors", "public_url"):
        return "https://three.example"
    others = {"mail_url": "smtp://three.example:25", "mail_from": "chat@three.example", "metrics": "c" * 16}
    return others.get(item.name, "sqlite:////elsewhere")


def beside(item: Any) -> dict[str, str]:
    """What else has to be set."""
    return WITH if item.name == "mail_url" else {}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., config.Config]:
    """Reads the settings of an instance folder with `in_file` in its config.py."""

    def load(environ: dict[str, str] | None = None, in_file: str = "") -> config.Config:
        if in_file:
            (tmp_path / "config.py").write_text(in_file)
        return config.load(str(tmp_path), environ or {})

    return load


def refusal(load: Callable[..., config.Config], *arguments: Any) -> str:
    with pytest.raises(SetupError) as caught:
        load(*arguments)
    said = str(caught.value)
    assert said
    assert "\n" not in said, "one line"
    return said


# -- where settings come from --------------------------------------------------------------------------


def test_nothing_set_gives_what_the_protocol_promises(
    load: Callable[..., config.Config], tmp_path: Path
) -> None:
    found = load()
    assert {name: getattr(found, name) for name in PROMISED} == PROMISED
    assert found.instance_path == str(tmp_path)
    assert found.database_url == f"sqlite:///{tmp_path}/chat.db"
    assert found.bus_url == f"sqlite:///{tmp_path}/bus.db"


@every_setting
def test_a_setting_is_taken_from_the_environment(item: Any, load: Callable[..., config.Config]) -> None:
    text, _, meant = sample(item)
    assert getattr(load({variable(item.name): text, **beside(item)}), item.name) == meant


@every_setting
def test_a_setting_is_taken_from_config_py(item: Any, load: Callable[..., config.Config]) -> None:
    text, value, meant = sample(item)
    for written in (value, text):
        assert getattr(load(beside(item), f"{variable(item.name)} = {written!r}"), item.name) == meant


@every_setting
def test_the_environment_wins_over_config_py(item: Any, load: Callable[..., config.Config]) -> None:
    text, _, meant = sample(item)
    in_file = f"{variable(item.name)} = {other(item)!r}"
    assert getattr(load(beside(item), in_file), item.name) != meant
    assert getattr(load({variable(item.name): text, **beside(item)}, in_file), item.name) == meant


@pytest.mark.parametrize(("word", "meant"), WORDS.items())
def test_yes_and_no_may_be_written_in_the_usual_ways(
    word: str, meant: bool, load: Callable[..., config.Config]
) -> None:
    assert load({"CHATAPP_GUESTS": word}).guests is meant


def test_the_instance_folder_is_taken_from_the_environment(
    load: Callable[..., config.Config], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.py").write_text('CHATAPP_SITE_NAME = "Elsewhere"')
    found = load({"CHATAPP_INSTANCE_PATH": str(elsewhere)}, 'CHATAPP_SITE_NAME = "Here"')
    assert (found.instance_path, found.site_name) == (str(elsewhere), "Elsewhere")
    assert found.database_url == f"sqlite:///{elsewhere}/chat.db"


@pytest.mark.parametrize("name", ["database_url", "bus_url"])
def test_an_address_that_the_environment_has_empty_is_not_given(
    name: str, load: Callable[..., config.Config], tmp_path: Path
) -> None:
    empty = {variable(name): " "}
    assert getattr(load(empty), name).startswith(f"sqlite:///{tmp_path}")
    assert (
        getattr(load(empty, f"{variable(name)} = 'sqlite:////srv/file.db'"), name) == "sqlite:////srv/file.db"
    )


@pytest.mark.parametrize("name", ["database_url", "bus_url"])
def test_a_file_that_is_named_without_a_folder_is_in_the_instance_folder_whoever_asks_from_where(
    name: str, load: Callable[..., config.Config], tmp_path: Path
) -> None:
    assert getattr(load({variable(name): "sqlite:///mine.db"}), name) == f"sqlite:///{tmp_path}/mine.db"
    assert getattr(load({variable(name): "sqlite:////srv/mine.db"}), name) == "sqlite:////srv/mine.db"


def test_config_py_may_use_names_of_its_own_and_compute(load: Callable[..., config.Config]) -> None:
    assert (
        load({}, "import math\nhalf = 2000\nCHATAPP_BODY_LIMIT = math.floor(half * 2.5)").body_limit == 5000
    )


# -- what is wrong -------------------------------------------------------------------------------------

WRONG_TEXT = {
    "guests": ["maybe", "2"],
    "origins": ["example.org", "ftp://example.org", "https://example.org/page", "https://", "*"],
    "frame_ancestors": [
        "*",
        "example.org",
        "https://example.org; script-src *",
        "https://a b",
        "https://example.org\r\nX: y",
    ],
    "trusted_proxies": ["-1", "one", "1.5"],
    "rate_messages": ["", "fast", "30", "30 per fortnight", "-1 per second"],
    "rate_connections": ["often"],
    "rate_guests": ["10 per"],
    "rate_sign_ins": ["often"],
    "rate_files": ["many"],
    "file_limit": ["-1", "25 MB"],
    "files_total": ["-1"],
    "rate_searches": ["often"],
    "sign_up": ["perhaps"],
    "room_makers": ["perhaps"],
    "public_url": [
        "chat.example",
        "ftp://chat.example",
        "https://chat.example/chats",
        "https://",
        "https://a b",
    ],
    "mail_url": [
        "chat.example",
        "http://chat.example",
        "smtp://",
        "smtp://chat.example:many",
        "smtp://chat.example:0",
        "smtp://chat.example:99999",
        "smtp://chat.example/inbox",
        "smtp://chat.example?x=y",
        "smtp://somebody@chat.example",
        "smtp://:sesame@chat.example",
        "smtp://somebody:ses/ame@chat.example",
        "smtp://[::1",
    ],
    "mail_from": [
        "chat",
        "chat@",
        "@chat.example",
        "The Chat <chat@chat.example>",
        "chat@chat.example\r\nX: y",
    ],
    "body_limit": ["", "many", "0", "-5", "4e3", "4000.0", "9" * 5000],
    "heartbeat": ["0", "nan", "inf"],
    "undo_seconds": ["-1", "31622401", "10000000000000"],
    "backlog": ["0", "1,000"],
}
WRONG_VALUE = {
    "guests": ["'maybe'", "5", "[]"],
    "body_limit": ["None", "'many'", "4000.5", "[4000]", "float('inf')", "float('nan')", "0"],
    "origins": ["5", "[5]", "None", "['example.org']"],
    "rate_messages": ["None", "30", "'fast'"],
    "site_name": ["None", "['The Mill']"],
    "guest_code": ["None"],  # else the word is "None"
}


def cases(table: dict[str, list[str]]) -> list[Any]:
    return [
        pytest.param(name, value, id=f"{name}={value[:20]}")
        for name, values in table.items()
        for value in values
    ]


@pytest.mark.parametrize(("name", "value"), cases(WRONG_TEXT))
@pytest.mark.parametrize("place", ["environment", "config.py"])
def test_a_wrong_value_is_refused_in_one_line_that_names_the_setting(
    name: str, value: str, place: str, load: Callable[..., config.Config]
) -> None:
    if place == "environment":
        said = refusal(load, {variable(name): value})
    else:
        said = refusal(load, {}, f"{variable(name)} = {value!r}")
    assert variable(name) in said


@pytest.mark.parametrize(("name", "value"), cases(WRONG_VALUE))
def test_a_value_of_the_wrong_type_in_config_py_is_refused_in_one_line_that_names_the_setting(
    name: str, value: str, load: Callable[..., config.Config]
) -> None:
    assert variable(name) in refusal(load, {}, f"{variable(name)} = {value}")


def test_a_deletion_can_be_undone_for_a_year(load: Callable[..., config.Config]) -> None:
    assert load({"CHATAPP_UNDO_SECONDS": "31622400"}).undo_seconds == 366 * 86_400
    assert "at most 31622400" in refusal(load, {"CHATAPP_UNDO_SECONDS": "31622401"})


MAIL = "smtp://somebody:sesame@chat.example"


@pytest.mark.parametrize("missing", sorted(WITH))
def test_mail_needs_a_sender_and_an_address_for_links(
    missing: str, load: Callable[..., config.Config]
) -> None:
    given = {name: value for name, value in WITH.items() if name != missing}
    said = refusal(load, {"CHATAPP_MAIL_URL": MAIL, **given})
    assert missing in said
    assert "sesame" not in said
    assert load({"CHATAPP_MAIL_URL": MAIL, **WITH}).mail_server is not None


def test_a_database_is_named_without_its_passwords_wherever_they_stand() -> None:
    url = "postgresql+psycopg://chat:SESAME@/chat?host=db1&password=SESAME&sslpassword=SESAME&sslmode=require"
    assert shown(make_url(url)) == "postgresql+psycopg://chat:***@/chat?host=db1&sslmode=require"
    with pytest.raises(SetupError) as caught:
        engine_options(url.replace("psycopg", "pyodbc"), 5)
    assert "SESAME" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["smtp://somebody:sesame@chat.example:x", "smtp://a:sesame/x@chat.example", "x://a:sesame@b.example"],
)
def test_what_is_said_of_a_wrong_mail_server_has_no_password(
    url: str, load: Callable[..., config.Config]
) -> None:
    assert "sesame" not in refusal(load, {"CHATAPP_MAIL_URL": url, **WITH})


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("smtp://chat.example", ("smtp", "chat.example", 587, "", "")),
        ("smtps://chat.example", ("smtps", "chat.example", 465, "", "")),
        ("smtp://chat.example:25/", ("smtp", "chat.example", 25, "", "")),
        ("smtp://ada%40mill:a%2Fb%3A%40c@[::1]:26", ("smtp", "::1", 26, "ada@mill", "a/b:@c")),
    ],
)
def test_a_mail_server_is_an_address_with_what_is_special_in_it_escaped(
    url: str, meant: tuple[object, ...], load: Callable[..., config.Config]
) -> None:
    assert load({"CHATAPP_MAIL_URL": url, **WITH}).mail_server == meant


@pytest.mark.parametrize("name", ["frame_limit", "request_limit"])
def test_the_longest_message_has_to_fit_through_every_door(
    name: str, load: Callable[..., config.Config]
) -> None:
    body, most = "\N{GRINNING FACE}" * 100, 12 * 100 + 1024
    frame = json.dumps({"type": "send", "room": 2**63 - 1, "body": body, "client_id": "x" * 200})
    assert len(frame) < most  # escaped, as JSON is at its longest
    limits = {variable("body_limit"): "100", variable(name): str(most)}
    assert getattr(load(limits), name) == most
    said = refusal(load, {**limits, variable(name): str(most - 1)})
    assert variable(name) in said
    assert variable("body_limit") in said
    assert str(most) in said


@pytest.mark.parametrize("name", ["CHATAPP_GUEST_CODES", "CHATAPP_guests", "CHATAPP_"])
def test_a_misspelt_name_in_config_py_is_refused(name: str, load: Callable[..., config.Config]) -> None:
    said = refusal(load, {}, f"{name} = 'sesame'")
    assert name in said
    assert "config.py" in said


@pytest.mark.parametrize("text", ["CHATAPP_GUESTS = ", "1/0", "import nothing_of_that_name", "\0"])
def test_a_config_py_that_cannot_be_run_is_one_line_that_names_the_file(
    text: str, load: Callable[..., config.Config]
) -> None:
    assert "config.py" in refusal(load, {}, text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bus_url", "carrier pigeon"),
        ("database_url", "not a url"),
        ("database_url", "mysql://localhost/chat"),
        ("database_url", "sqlite://"),  # in memory: an ack would promise what it cannot keep
        ("database_url", "sqlite:///file:chat.db?uri=true"),  # whether that file is gone could not be seen
        ("database_url", "sqlite:////nowhere/at/all.db"),
    ],
)
def test_a_command_with_a_wrong_setting_ends_with_one_line_that_names_it(
    name: str, value: str, tmp_path: Path
) -> None:
    answer = Server(tmp_path, **{name: value}).flask("room", "list")
    assert answer.returncode != 0
    [line] = answer.stderr.splitlines()
    assert variable(name) in line or value.removeprefix("sqlite:///") in line
    assert answer.stdout == ""


# -- in force ------------------------------------------------------------------------------------------


def test_what_is_set_is_in_force_in_a_running_server(new_server: Callable[..., Server]) -> None:
    server = new_server(body_limit="20")
    server.instance.mkdir()
    (server.instance / "config.py").write_text('CHATAPP_SITE_NAME = "The Mill"\nCHATAPP_BODY_LIMIT = 10\n')
    server.start()
    ada = Person(server, "ada")
    assert ada.say(1, "x" * 20)["seq"] == 1
    refused = ada.http.post(
        ada.messages(1), content=json.dumps({"body": "x" * 21}), headers={"Content-Type": "application/json"}
    )
    assert (refused.status_code, refused.json()["code"]) == (413, "too_long")
    assert "The Mill" in ada.http.get("/chats/").text
    ada.close()


def test_a_misspelt_name_in_the_environment_is_warned_of_once_at_start(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=2, guest_codes="sesame").start()
    said = [line for line in server.log if "CHATAPP_GUEST_CODES" in line]
    assert len(said) == 1
    assert "docs/settings.md" in said[0]


# -- the table for people ------------------------------------------------------------------------------


@pytest.mark.parametrize("item", fields(config.Config), ids=lambda item: item.name)
def test_the_docs_have_every_setting_with_its_default(item: Any) -> None:
    lines = [line for line in DOCS.read_text().splitlines() if re.search(rf"{variable(item.name)}\b", line)]
    assert lines, f"docs/settings.md says nothing of {variable(item.name)}"
    if item.default is MISSING or item.default in ("", ()):
        return
    words = {True: ["yes", "on", "true", "1"], False: ["no", "off", "false", "0"]}
    wanted = words[item.default] if isinstance(item.default, bool) else [str(item.default).lower()]
    plain = " ".join(lines).lower()
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
    assert any(re.search(rf"(?<![\w]){re.escape(word)}(?![\w])", plain) for word in wanted), lines


def test_the_docs_name_no_setting_that_there_is_not() -> None:
    named = set(re.findall(r"CHATAPP_[A-Z_]*[A-Z]", DOCS.read_text()))
    assert named - {variable(item.name) for item in fields(config.Config)} == set()
