"""The docs and the tests know every door: what is added must be described and tried."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from chatapp.errors import ChatError
from chatapp.transports.requests_v1 import FRAMES
from tests import test_matrix
from tests.screenshots.camera import DIRECTIONS, SCHEMES, WIDTHS
from tests.screenshots.scenes import SCENES
from tests.servers import ROOT, Server
from tests.torture.run import NO_FAST_PATHS

DOCS = {
    path.name: path.read_text()
    for path in [*Path(ROOT, "docs").glob("*.md"), Path(ROOT, "README.md"), Path(ROOT, "SECURITY.md")]
}
TESTS = "\n".join(path.read_text() for path in Path(ROOT, "tests").rglob("*.py") if path != Path(__file__))


@pytest.fixture(scope="module")
def routes(one_worker: Server) -> list[str]:
    """Every path that the application answers, with 1 for a room."""
    listed = one_worker.flask("routes").stdout
    paths = re.findall(r"\s(/\S*) *$", listed, re.MULTILINE)
    return sorted(
        {
            re.sub(r"<\w+:(\w+)>", r"<\1>", path.replace("<room_id:room_id>", "1"))
            for path in paths
            if not path.startswith("/static")
        }
    )


def test_every_route_is_in_the_protocol(routes: list[str]) -> None:
    text = DOCS["protocol.md"].replace("<id>", "1")
    assert len(routes) > 15
    assert [
        path for path in routes if path != "/" and f"{path}`" not in text and f"{path}?" not in text
    ] == []


def test_every_route_is_tried_by_a_test(routes: list[str]) -> None:
    tried = re.sub(r"\{[^{}\n]*\}", "1", TESTS)
    assert [path for path in routes if re.sub(r"<\w+>", "1", path) not in tried] == []


@pytest.mark.parametrize("kind", sorted(FRAMES))
def test_every_frame_type_is_in_the_protocol_and_tried_by_a_test(kind: str) -> None:
    assert f'"type":"{kind}"' in DOCS["protocol.md"]
    assert re.search(rf'"type": ?"{kind}"', TESTS)


@pytest.mark.parametrize("error", ChatError.__subclasses__(), ids=lambda error: error.code)
def test_every_error_is_in_the_protocol_with_its_status_and_tried_by_a_test(error: type[ChatError]) -> None:
    assert re.search(rf"`{error.code}` {error.status}", DOCS["protocol.md"])
    assert f'"{error.code}"' in TESTS


def test_links_between_the_docs_lead_somewhere() -> None:
    for name, text in DOCS.items():
        base = ROOT if name in ("README.md", "SECURITY.md") else Path(ROOT, "docs")
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            assert (base / target).exists(), f"{name} links to {target}"


def test_the_readme_leads_to_every_page_of_the_docs() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"](docs/{page.name})" not in readme] == []


def test_what_the_first_day_presses_is_said_on_the_pages() -> None:
    sources = [*Path(ROOT, "templates").rglob("*.html"), *Path(ROOT, "chatapp", "pages").rglob("*.py")]
    said = set(re.findall(r"""(?:_\('|Term\(")([^'"]+)['"]\)""", "\n".join(map(Path.read_text, sources))))
    named = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", DOCS["first-day.md"])
    assert len(named) > 10
    assert [words for words in named if words not in said] == []


def test_every_page_has_its_pictures_and_the_readme_shows_three() -> None:
    folder = Path(ROOT, "docs", "screenshots")
    pictures = {
        f"{scene.name}-{width}-{scheme}-{direction}.png"
        for scene in SCENES
        for width in WIDTHS
        for scheme in SCHEMES
        for direction in DIRECTIONS
    }
    assert {path.name for path in folder.glob("*.png")} == pictures
    assert sorted(re.findall(r'src="([^"]+)"', (folder / "README.md").read_text())) == sorted(pictures)
    assert sum(path.stat().st_size for path in folder.glob("*.png")) < 17_800 * len(pictures)
    shown = re.findall(r"docs/screenshots/([\w-]+\.png)", DOCS["README.md"])
    assert len(shown) == 3
    assert set(shown) <= pictures


def test_what_security_md_names_as_a_test_is_one() -> None:
    named = re.findall(r"`((?:tests/)?(?:\w+/)?test_\w+\.py)`", DOCS["SECURITY.md"] + DOCS["security.md"])
    assert len(named) > 10
    found = {path.name for path in Path(ROOT, "tests").rglob("test_*.py")}
    assert [name for name in named if name.rpartition("/")[2] not in found] == []


def not_there(text: str) -> list[str]:
    """The tests that `text` names and that there are not."""
    files = {path.stem for path in Path(ROOT, "tests").rglob("test_*.py")}
    tests = set(re.findall(r"^def (test_\w+)\(", TESTS, re.MULTILINE))
    named = re.findall(r"`(test_\w+)(\.py)?`", text)
    return [name for name, ending in named if name not in (files if ending else tests)]


def test_what_features_md_names_as_a_proof_is_a_test() -> None:
    assert DOCS["features.md"].count("`test_") > 50
    assert not_there(DOCS["features.md"]) == []
    rows = re.findall(r"^\| ([^|]+) \| y \|.*\| (.*?) ?\|$", DOCS["features.md"], re.MULTILINE)
    assert len(rows) > 50
    assert [what for what, proof in rows if "`" not in proof and proof != "the same"] == []


def test_every_fast_path_names_its_switch_a_test_that_it_is_taken_and_one_of_the_way_back() -> None:
    section = DOCS["design.md"].partition("\n## Fast paths\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)[1:]
    assert len(rows) > 10
    assert not_there(section) == []
    for path, switch, taken, back in rows:
        assert "`" in switch or switch.startswith(("the same", "none: ")), path
        assert "`test_" in taken, path
        nothing_else = back == "none" and switch == "none: there is no other way"
        assert "`test_" in back or back == "in the same test" or nothing_else, path
    assert set(re.findall(r"`CHATAPP_(\w+)`", section)) == {name.upper() for name in NO_FAST_PATHS}


def test_the_counts_of_the_hostile_suite_and_of_the_matrix_are_true() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/hostile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    counted = Counter(re.findall(r"^tests/hostile/(\w+\.py)::", listed, re.MULTILINE))
    assert dict(re.findall(r"^\| `(\w+\.py)` \| (\d+) \|", DOCS["security.md"], re.MULTILINE)) == {
        file: str(count) for file, count in counted.items()
    }
    matrix = test_matrix.tables().values()
    cells = sum(len(row) for table in matrix for row in table.rows.values())
    doors = len({row for table in matrix for row in table.rows})
    assert f"| {cells:,} cells | {doors} doors" in DOCS["security.md"]
