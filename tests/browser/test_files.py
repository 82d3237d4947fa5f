"""Files on the room's page: picked, dropped and pasted; on their way; shown to the others."""

import io
import re
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Response, expect

from tests.browser.chat_page import ChatPage, HeldRequests
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.clients import Person, eventually
from tests.films import SIZE as FILM_SIZE
from tests.films import film
from tests.people import member
from tests.servers import Server

LIMIT = 500_000
SHIFTS = """
    globalThis.shift = 0;
    new PerformanceObserver((list) => {
        for (const { hadRecentInput, value } of list.getEntries()) if (!hadRecentInput) shift += value;
    }).observe({ type: "layout-shift", buffered: true });
"""
# Files made in the page, as a desktop or a clipboard hands them over.
BRING = """([kind, ...names]) => {
    const data = new DataTransfer();
    for (const name of names) data.items.add(new File([`this is ${name}`], name, { type: "text/plain" }));
    const place = document.querySelector(kind === "paste" ? "textarea" : ".log");
    const options = { bubbles: true, cancelable: true };
    place.dispatchEvent(
        kind === "paste"
            ? new ClipboardEvent("paste", { ...options, clipboardData: data })
            : new DragEvent(kind, { ...options, dataTransfer: data }),
    );
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Guests send files here: they are made faster than people with an account."""
    folder = tmp_path_factory.mktemp("files") / "instance"
    server = Server(folder, guest_files="yes", file_limit=str(LIMIT)).start()
    yield server
    server.kill()


def picture(size: tuple[int, int] = (1600, 1000)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, (20, 90, 120)).save(data, "JPEG")
    return data.getvalue()


def sound() -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes([128]) * 8000)
    return data.getvalue()


def lying(server: Server) -> set[Path]:
    """What lies in the folder of uploads."""
    return {
        path for path in (server.instance / "uploads").rglob("*") if path.is_file() and path.name != "lock"
    }


def pick(chat: ChatPage, **files: bytes) -> None:
    """Picks files; a double underscore in a name stands for a dot."""
    named = [(name.replace("__", "."), data) for name, data in files.items()]
    with chat.page.expect_file_chooser() as chooser:
        chat.page.get_by_role("button", name="Attach files").click()
    payloads = [{"name": name, "mimeType": "text/html", "buffer": data} for name, data in named]
    chooser.value.set_files(payloads)


def attached(chat: ChatPage) -> Locator:
    return chat.page.locator("#attached .attachment")


def states(chat: ChatPage) -> Locator:
    return chat.page.locator("#attached .attached-state")


def test_what_is_picked_comes_to_the_others_as_what_it_is_and_nothing_jumps(
    in_room: OpenPage, tmp_path: Path
) -> None:
    ada, grace = in_room("ada"), in_room("grace", script=SHIFTS)
    pick(ada, harbour__jpg=picture(), bell__wav=sound(), plan__pdf=b"%PDF-1.7 the plan")
    expect(states(ada).first).to_have_text("25.8 kB")
    ada.page.get_by_role("textbox", name="Describe harbour.jpg").fill("The harbour from above")
    ada.page.get_by_role("textbox", name="Describe harbour.jpg").press("Enter")
    expect(ada.field).to_be_focused()
    ada.field.press("Enter")
    expect(attached(ada)).to_have_count(0)

    image = grace.page.get_by_role("img", name="The harbour from above")
    eventually(lambda: image.evaluate("image => image.complete && image.naturalWidth") == 640)
    assert image.evaluate("image => [image.width, image.height]") == [360, 225]
    with grace.page.context.expect_page() as opened:
        image.click()
    assert opened.value.url.endswith("/harbour.jpg")
    opened.value.close()
    player = grace.page.locator("audio")
    player.evaluate("async player => { player.muted = true; await player.play() }")
    assert player.evaluate("player => player.duration") == 1
    eventually(lambda: player.evaluate("player => player.currentTime") > 0)
    with grace.page.expect_download() as download:
        grace.page.get_by_role("link", name="plan.pdf").click()
    download.value.save_as(tmp_path / "plan.pdf")
    assert (tmp_path / "plan.pdf").read_bytes() == b"%PDF-1.7 the plan"
    expect(grace.words).to_have_text([""])  # their names are not said twice
    grace.page.reload()
    expect(grace.state).to_have_text("Live")
    eventually(lambda: image.evaluate("image => image.complete && image.naturalWidth") == 640)
    assert grace.page.evaluate("shift") < 0.02

    live = grace.page.locator(".message .files").inner_html()
    ada.page.reload()
    expect(ada.state).to_have_text("Live")
    assert ada.page.locator(".message .files").inner_html() == live
    ada.page.request.post(
        f"/api/rooms/{ada.room}/messages",
        data={"kind": "delete", "of": 1},
        headers={"Origin": ada.page.url.partition("/chats")[0]},
    )
    expect(grace.page.locator(".message .files")).to_be_hidden()
    expect(image).to_have_count(0)


def test_what_is_dropped_or_pasted_is_attached_and_what_cannot_go_says_why(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    sign = ada.page.get_by_text("Drop files to attach them")
    ada.page.evaluate(BRING, ["dragenter", "one.txt"])
    expect(sign).to_be_visible()
    ada.page.evaluate(BRING, ["dragleave", "one.txt"])
    expect(sign).to_be_hidden()
    ada.page.evaluate(BRING, ["dragenter", "one.txt"])
    ada.page.evaluate(BRING, ["drop", "one.txt"])
    expect(sign).to_be_hidden()
    ada.page.evaluate(BRING, ["paste", "two.txt"])
    expect(states(ada)).to_have_text(["15 bytes", "15 bytes"])

    pick(ada, large__bin=bytes(LIMIT + 1))
    expect(states(ada).last).to_have_text("Too large: at most 500.0 kB")
    aloud = ada.page.locator("#announcement")
    expect(aloud).to_have_text("large.bin: Too large: at most 500.0 kB")
    expect(ada.send).to_be_disabled()
    expect(ada.page.locator("#composer-hint")).to_have_text("A file cannot go: it says why")
    ada.page.get_by_role("button", name="Remove large.bin").click()
    expect(ada.page.get_by_role("button", name="Remove two.txt")).to_be_focused()
    pick(ada, empty__bin=b"")
    expect(states(ada).last).to_have_text("That file is empty")
    expect(aloud).to_have_text("empty.bin: That file is empty")
    ada.page.get_by_role("button", name="Remove empty.bin").click()
    ada.page.evaluate(BRING, ["drop", *[f"{number}.txt" for number in range(9)]])
    expect(ada.page.locator("#announcement")).to_have_text("A message takes 10 files: the rest were left out")
    expect(attached(ada)).to_have_count(10)
    for number in range(8):
        ada.page.get_by_role("button", name=f"{number}.txt").click()
    ada.say("both")
    expect(grace.page.locator(".file-name")).to_have_text(["one.txt", "two.txt"])
    expect(grace.words).to_have_text(["both"])


def test_of_many_files_the_one_that_cannot_go_is_in_sight(in_room: OpenPage) -> None:
    ada = in_room("ada")
    for refused in ({"empty__bin": b""}, {"large__bin": bytes(LIMIT + 1)}):
        others = {f"{number}__txt": b"words" for number in range(4)}
        pick(ada, **others, **refused, **{f"more{number}__txt": b"words" for number in range(4)})
        why = ada.page.locator("#attached .failed-file .attached-state")
        expect(why).to_have_count(1)
        expect(why).to_be_in_viewport(ratio=1)
        expect(attached(ada)).to_have_count(9)
        for number in range(9, 0, -1):
            attached(ada).first.get_by_role("button", name="Remove").click()
            expect(attached(ada)).to_have_count(number - 1)


def test_a_message_waits_for_its_files_and_goes_out_with_them_when_the_line_is_back(
    in_room: OpenPage,
) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    ada.go_offline()
    pick(ada, one__txt=b"1", two__txt=b"2")
    expect(states(ada)).to_have_text(["Not uploaded: goes on when you are online"] * 2)
    ada.say("with both")
    expect(ada.page.locator("#composer-hint")).to_have_text("Goes out when its files are uploaded")
    expect(ada.rows).to_have_count(0)
    ada.page.get_by_role("button", name="Cancel two.txt").click()
    ada.page.context.set_offline(False)
    expect(grace.page.locator(".file-name")).to_have_text(["one.txt"])
    grace.shows("with both")
    expect(attached(ada)).to_have_count(0)
    expect(ada.field).to_have_value("")

    # What is refused comes back with its files, to be sent anew.
    pick(ada, three__txt=b"3")
    expect(states(ada)).to_have_text(["1 byte"])
    ada.page.evaluate("() => { document.querySelector('textarea').value = 'a\\u0001b' }")
    ada.field.press("Enter")
    expect(ada.failed.locator(".file-name")).to_have_text(["three.txt"])
    ada.failed.get_by_role("button", name="Edit").click()
    expect(attached(ada).locator(".attached-name")).to_have_text(["three.txt"])
    ada.say("mended")
    expect(grace.page.locator(".file-name")).to_have_text(["one.txt", "three.txt"])


def test_a_file_shows_how_much_of_it_has_gone_and_cancelled_on_its_way_leaves_nothing_but_the_rest(
    in_room: OpenPage, server: Server
) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    kept = lying(server)
    line = ada.page.context.new_cdp_session(ada.page)
    line.send("Network.enable")
    rate = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
    line.send("Network.emulateNetworkConditions", rate)
    pick(ada, tower__bin=bytes(LIMIT), plan__txt=b"the plan")
    progress = ada.page.get_by_role("progressbar", name="tower.bin on its way")
    eventually(lambda: 0 < progress.evaluate("progress => progress.value") < 1)
    expect(states(ada).first).to_have_text(re.compile(r"^\d\d?% of 500\.0 kB$"))
    ada.say("what is there")
    expect(ada.page.locator("#composer-hint")).to_have_text("Goes out when its files are uploaded")
    assert any("arriving" in path.parts for path in lying(server) - kept), "some of it is there"
    ada.page.get_by_role("button", name="Cancel tower.bin").click()
    grace.shows("what is there")
    expect(grace.page.locator(".file-name")).to_have_text(["plan.txt"])
    expect(attached(ada)).to_have_count(0)
    eventually(lambda: [path.read_bytes() for path in lying(server) - kept] == [b"the plan"])


def test_an_edit_that_is_begun_while_files_are_on_their_way_goes_out_without_them(
    in_room: OpenPage,
) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    ada.say("first")
    ada.shows("first")
    held = HeldRequests(ada.page, "**/files?*")
    pick(ada, plan__txt=b"the plan")
    upload = held.first()
    ada.say("with the plan")
    expect(ada.page.locator("#composer-hint")).to_have_text("Goes out when its files are uploaded")
    ada.about("first").get_by_role("button", name="Edit").click()
    upload.continue_()
    expect(states(ada)).to_have_text(["8 bytes"])  # there now, and nothing goes out by itself
    expect(ada.field).to_have_value("first")
    ada.say("the first")
    grace.shows("the first")
    expect(grace.page.locator(".file-name")).to_have_count(0)
    # What was to go with the file is a draft again.
    expect(ada.field).to_have_value("with the plan")
    ada.field.press("Enter")
    grace.shows("the first", "with the plan")
    expect(grace.page.locator(".file-name")).to_have_text(["plan.txt"])


def test_what_is_brought_back_has_its_files_again(in_room: OpenPage) -> None:
    ada, grace = in_room("ada"), in_room("grace")
    pick(ada, plan__txt=b"the plan")
    expect(states(ada)).to_have_text(["8 bytes"])
    ada.say("here it is")
    for chat in (ada, grace):
        expect(chat.page.get_by_role("link", name="plan.txt")).to_be_visible()
    ada.about("here it is").get_by_role("button", name="Delete").click()
    for chat, who in ((ada, "You"), (grace, "ada")):
        expect(chat.words).to_have_text(f"{who} deleted this message")
        expect(chat.page.get_by_role("link", name="plan.txt")).to_have_count(0)
    ada.page.get_by_role("button", name="Undo").click()
    for chat in (ada, grace):
        expect(chat.words).to_have_text("here it is")
        expect(chat.page.get_by_role("link", name="plan.txt")).to_be_visible()
    with grace.page.expect_download() as download:
        grace.page.get_by_role("link", name="plan.txt").click()
    assert download.value.path().read_bytes() == b"the plan"


def test_what_a_browser_cannot_play_is_a_card_and_what_is_gone_says_so(
    in_room: OpenPage, server: Server, board: int
) -> None:
    grace = Person(server, "grace")

    def send(name: str, data: bytes) -> str:
        answer = grace.http.post(f"/api/rooms/{board}/files", params={"name": name}, content=data)
        file: str = answer.json()["id"]
        grace.http.post(grace.messages(board), json={"files": [file]}).raise_for_status()
        return file

    send("film.mp4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(100))
    before = lying(server)
    send("lost.jpg", picture((300, 299)))
    for path in lying(server) - before:
        path.unlink()
    grace.close()
    ada = in_room("ada")
    expect(ada.page.get_by_role("link", name="film.mp4")).to_be_visible()
    expect(ada.page.get_by_text("This file is not there any more")).to_be_visible()


def test_a_film_plays_in_place_from_wherever_one_wants_without_all_that_is_before_it(
    in_room: OpenPage, one_worker: Server
) -> None:
    data = film(seconds=4, padding=2_400_000)  # of which a browser loads less in advance
    with closing(member(one_worker, "Grace")) as grace:
        board = grace.make_room()
        ada = in_room("ada", board, at=one_worker)
        parts: list[Response] = []
        ada.page.on("response", lambda response: "/files/" in response.url and parts.append(response))
        answer = grace.http.post(f"/api/rooms/{board}/files", params={"name": "film.webm"}, content=data)
        grace.http.post(grace.messages(board), json={"files": [answer.json()["id"]]}).raise_for_status()
    player = ada.page.get_by_label("film.webm", exact=True)
    eventually(lambda: player.evaluate("film => film.readyState && film.duration") == 4)
    player.evaluate("film => { film.currentTime = 3.2 }")
    eventually(lambda: player.evaluate("film => !film.seeking && film.currentTime") == 3.2)
    player.evaluate("async film => { film.muted = true; await film.play() }")
    eventually(lambda: player.evaluate("film => film.currentTime") > 3.2)
    assert player.evaluate("film => [film.videoWidth, film.videoHeight]") == list(FILM_SIZE)
    assert {part.status for part in parts} == {206}
    begins = [int(part.headers["content-range"].removeprefix("bytes ").partition("-")[0]) for part in parts]
    assert begins[0] == 0
    assert max(begins) > len(data) / 2


def test_without_a_script_files_are_sent_and_seen(person: OpenBrowser, board: int) -> None:
    page: Page = person("ada", java_script_enabled=False)
    page.goto(f"/chats/{board}/")
    expect(page.get_by_role("button", name="Attach files")).to_be_hidden()
    files = page.get_by_role("button", name="Files", exact=True)
    files.set_input_files(
        [
            {"name": "harbour.jpg", "mimeType": "image/jpeg", "buffer": picture()},
            {"name": "plan.txt", "mimeType": "text/plain", "buffer": b"the plan"},
        ]
    )
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("img", name="harbour.jpg")).to_be_visible()
    expect(page.get_by_role("link", name="plan.txt")).to_be_visible()
    page.get_by_role("textbox", name="Message").fill("only words")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#messages .words")).to_have_text(["", "only words"])

    files.set_input_files([{"name": "later.txt", "mimeType": "text/plain", "buffer": b"not lost"}])
    page.get_by_role("textbox", name="Message").fill("x" * 4001)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("4000")
    expect(page.get_by_role("checkbox", name="later.txt is attached")).to_be_checked()
    page.get_by_role("textbox", name="Message").fill("shorter")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("link", name="later.txt")).to_be_visible()
    expect(page.locator("#messages .words").last).to_have_text("shorter")
