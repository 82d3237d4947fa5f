"""The forms with which one signs in: a name and a password, or a passkey."""

from typing import Any

from flask import request, url_for
from flask_babel import lazy_gettext
from flask_security import Form, LoginForm, WebAuthnRegisterResponseForm, WebAuthnSigninResponseForm
from flask_security.proxies import _datastore
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired

from chatapp.accounts import spend
from chatapp.globals import get_hub
from chatapp.localized import gettext

CHALLENGE_SECONDS = 600  # after which the library takes no answer any more, with something to spare


class SignInForm(LoginForm):
    email = HiddenField()  # the library squashes errors of a field of this name
    remember = None  # a session lasts until it is ended
    username = StringField(validators=[InputRequired(lazy_gettext("Your name is missing"))])

    def validate(self, **kwargs: Any) -> bool:
        self.ifield = self.username
        if isinstance(self.username.data, str) and self.username.data.strip():
            self.user = _datastore.find_user(username=self.username.data)
        # Without it the library leads from the code back to this page by its whole address, which is no path.
        self.next.data = self.next.data or request.args.get("next") or url_for("rooms.index")
        return super().validate(**kwargs)


class _Answer(Form):
    """What a browser says that was asked for a passkey."""

    credential: HiddenField

    def validate(self, **kwargs: Any) -> bool:
        try:
            return bool(super().validate(**kwargs))
        except (
            RecursionError
        ):  # JSON that is nested deeper than Python reads, which the library does not expect
            self.credential.errors = [gettext("That is no passkey’s answer")]
            return False


class NewPasskeyForm(_Answer, WebAuthnRegisterResponseForm):
    """A passkey that somebody adds to their account."""


class PasskeyForm(_Answer, WebAuthnSigninResponseForm):
    """A passkey's answer to a challenge, which is taken once: whoever has seen it does not come in with it.

    Many passkeys do not count how often they were used, so the count in them tells nothing.
    """

    def validate(self, **kwargs: Any) -> bool:
        if not super().validate(**kwargs):
            return False
        if not spend(get_hub(), f"challenge {self.challenge}", CHALLENGE_SECONDS):
            self.credential.errors = [*self.credential.errors, gettext("This was used: try again")]
            return False
        return True
