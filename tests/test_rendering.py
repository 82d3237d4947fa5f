"""Templates are compiled for each language with what they always say in it (pages/rendering.py)."""

import re
from pathlib import Path

import pytest
from flask import Flask

from chatapp import create_app, languages
from chatapp.pages import rendering
from tests.servers import ROOT

CONSTANT = re.compile(r"""\{\{-? (?:_|icon)\((?:'[^']*'|"[^"]*")(?:, \d+)?\) -?\}\}""")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("CHATAPP_INSTANCE_PATH", str(tmp_path))
    return create_app()


@pytest.mark.parametrize("language", languages.languages())
def test_each_sentence_and_drawing_is_in_the_compiled_template_as_it_would_be_said(
    language: str, app: Flask
) -> None:
    sources = [path.read_text() for path in Path(ROOT, "templates").rglob("*.html")]
    constants = {found for source in sources for found in CONSTANT.findall(source)}
    assert len(constants) > 200
    with app.test_request_context(headers={"Accept-Language": language}):
        compiled = rendering._environment(app, language)
        for constant in constants:
            plainly = app.jinja_env.from_string(constant).render()
            assert compiled.from_string(constant).render() == plainly
            assert "context.call" not in str(compiled.compile(constant, raw=True))
            assert "context.call" in str(app.jinja_env.compile(constant, raw=True))


def test_what_has_values_in_it_is_said_when_the_page_is_made(app: Flask) -> None:
    said = "{{ _('%(most)s+', most=most) }} {{ icon(name) }} {{ _(word) }}"
    with app.test_request_context(headers={"Accept-Language": "de"}):
        for environment in (rendering._environment(app, "de"), app.jinja_env):
            page = environment.from_string(said).render(most="<9>", name="search", word="Search")
            assert page.startswith("&lt;9&gt;+ <svg")
            assert page.endswith("</svg> Suchen")
