"""Templates are compiled once, and filled for each language with what they always say in it (pages/rendering.py)."""

import re
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import DictLoader, Environment

from chatapp import create_app, languages, prepared
from chatapp.pages import rendering
from tests.servers import ROOT

TEMPLATES = Path(ROOT, "templates")
CONSTANT = re.compile(r"""\{\{-? (?:_|icon)\((?:'[^']*'|"[^"]*")(?:, \d+)?\) -?\}\}""")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("CHATAPP_INSTANCE_PATH", str(tmp_path))
    return create_app()


def having(environment: Environment, pages: dict[str, str]) -> Environment:
    """The same, with pages of the test's own before those that there are."""
    return environment.overlay(loader=DictLoader({**there_are(), **pages}))


def there_are() -> dict[str, str]:
    return {
        path.relative_to(TEMPLATES).as_posix(): path.read_text()
        for path in TEMPLATES.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("language", languages.languages())
def test_each_sentence_and_drawing_is_in_the_compiled_template_as_it_would_be_said(
    language: str, app: Flask
) -> None:
    constants = {found for source in there_are().values() for found in CONSTANT.findall(source)}
    assert len(constants) > 200
    pages = {f"{number}.html": constant for number, constant in enumerate(constants)}
    with app.test_request_context(headers={"Accept-Language": language}):
        compiled = having(rendering._environment(app, language), pages)
        plain = having(app.jinja_env, pages)
        for page, constant in pages.items():
            template = compiled.get_template(page)
            assert template.render() == plain.get_template(page).render()
            assert "call" not in template.root_render_func.__code__.co_names
            assert "call" in plain.get_template(page).root_render_func.__code__.co_names, constant


def test_what_has_values_in_it_is_said_when_the_page_is_made(app: Flask) -> None:
    said = "{{ _('%(most)s+', most=most) }} {{ icon(name) }} {{ _(word) }}"
    with app.test_request_context(headers={"Accept-Language": "de"}):
        for environment in (rendering._environment(app, "de"), app.jinja_env):
            page = having(environment, {"said.html": said}).get_template("said.html")
            html = page.render(most="<9>", name="search", word="Search")
            assert html.startswith("&lt;9&gt;+ <svg")
            assert html.endswith("</svg> Suchen")


def test_each_template_is_compiled_ahead_as_the_application_would_which_knows_its_filters(app: Flask) -> None:
    ahead = prepared._environment()
    as_usual = app.jinja_env.overlay(extensions=[prepared._Constants])
    for name, source in there_are().items():
        assert ahead.compile(source, name, raw=True) == as_usual.compile(source, name, raw=True)
