"""In a container: the steps of the Containerfile, one by one, and what comes of them where nothing can be written to."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import yaml

from tests.box import where_possible
from tests.caddy import DOCUMENTED
from tests.clients import UNIT, Person, eventually
from tests.container import COMPOSE, CONTAINERFILE, Container
from tests.raw_socket import nobody_gets
from tests.servers import ROOT

pytestmark = where_possible


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    container = Container(tmp_path)
    yield container
    container.close()


@pytest.mark.long
def test_a_container_is_healthy_while_it_serves_keeps_all_in_its_volume_and_is_backed_up_by_another_one(
    container: Container,
) -> None:
    assert not container.healthy()
    container.start()
    eventually(lambda: answers(container), "it is up", 9 * UNIT)
    assert container.healthy()
    Person(container, "ada").say(1, "kept")  # type: ignore[arg-type]
    copy = f"{container.image.volume}/copy"  # where the docs have a folder of the host
    assert "Backed up" in container.chatapp("data", "backup", copy)
    assert "1 messages" in container.chatapp("data", "verify", copy)
    assert container.stop() == 0
    assert "Restored" in container.chatapp("data", "restore", copy, "--yes")
    assert {"./instance/chat.db", "./instance/secret_key"} <= container.kept()


def answers(container: Container) -> bool:
    with suppress(httpx.TransportError):
        return nobody_gets(f"{container.url}/healthz").status_code == 200
    return False


def test_in_the_compose_file_caddy_has_the_caddyfile_with_a_name_and_the_server_beside_it() -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    caddy = compose["services"]["caddy"]
    assert caddy["volumes"] == ["./Caddyfile:/etc/caddy/Caddyfile:ro", "caddy:/data"]
    assert {name for name in caddy["environment"] if f"{{${name}:" in DOCUMENTED} == {
        "CHAT_NAME",
        "CHAT_SERVER",
    }
    assert caddy["environment"]["CHAT_SERVER"] == "chat:8000"
    assert set(compose["services"]) == set(compose["volumes"]) == {"caddy", "chat"}


def test_an_engine_is_handed_what_is_copied_and_nothing_that_is_private() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE.read_text(), re.MULTILINE)
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(" ".join(copied).split())
