"""The form with which one signs in: a name and a password."""

from typing import Any

from flask_security import LoginForm
from flask_security.proxies import _datastore
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired


class SignInForm(LoginForm):
    email = HiddenField()  # the library squashes errors of a field of this name
    remember = None  # a session lasts until it is ended
    username = StringField(validators=[InputRequired("Your name is missing")])

    def validate(self, **kwargs: Any) -> bool:
        self.ifield = self.username
        if isinstance(self.username.data, str) and self.username.data.strip():
            self.user = _datastore.find_user(username=self.username.data)
        return super().validate(**kwargs)
