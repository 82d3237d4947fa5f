"""A database's URL as it is shown to people: in refusals, the log and `flask doctor`."""

import re

from sqlalchemy import URL

SECRET = re.compile("password|secret|scram", re.IGNORECASE)  # libpq takes some behind `?` as well


def shown(url: URL) -> str:
    """`url` without any password."""
    return url.difference_update_query(filter(SECRET.search, url.query)).render_as_string()
