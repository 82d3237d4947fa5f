"""What the server says of its own faults."""

import logging

import pytest
from flask import Flask

from chatapp.pages import errors


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/hooks/<int:hook>/<secret>", "/hooks/7/sesame"),
        ("/reset/<code>", "/reset/sesame"),
        ("/invitations/<code>", "/invitations/sesame"),
        ("/first/<code>", "/first/sesame"),
    ],
)
def test_a_fault_is_logged_without_the_secret_that_stands_in_the_address(
    rule: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask(__name__)
    errors.init_app(app)

    def broken(**values: object) -> str:
        raise RuntimeError("broken")

    app.add_url_rule(rule, "broken", broken, methods=["POST"])
    with caplog.at_level(logging.ERROR):
        assert app.test_client().post(path).status_code == 500
    assert f"POST {rule} failed" in caplog.text
    assert "RuntimeError: broken" in caplog.text
    assert "sesame" not in caplog.text
