"""What a form has done is said to people, once, by a page that shows it; whatever else is fetched before."""

from contextlib import closing

from tests.people import member
from tests.servers import Server

SAID = "Your status is saved."


def test_only_a_page_that_shows_what_is_done_takes_it_away(server: Server) -> None:
    with closing(member(server, "mary")) as mary:
        headers = {"Accept": "text/html"}
        answer = mary.http.post("/account/status", data={"status": "Knitting"}, headers=headers)
        assert answer.headers["Location"] == "/account/"
        for page in ("/search", "/guests", "/about", "/nowhere", "/chats/1/"):
            assert SAID not in mary.http.get(page, headers=headers).text
        length = mary.http.head("/account/", headers=headers).headers["Content-Length"]
        assert (
            SAID in mary.http.get("/account/", headers={**headers, "X-Requested-With": "XMLHttpRequest"}).text
        )
        mary.http.get("/account/", headers={**headers, "Sec-Purpose": "prefetch"})
        shown = mary.http.get("/account/", headers=headers)
        assert f"<title>{SAID} · " in shown.text
        assert shown.text.count(SAID) == 2
        assert shown.headers["Content-Length"] == length
        assert SAID not in mary.http.get("/account/", headers=headers).text
