"""A database's URL as it is shown to people: in refusals, the log and `flask doctor`."""

from sqlalchemy import URL

SECRET = "password", "secret", "scram"  # in the names of what libpq takes behind `?`


def shown(url: URL) -> str:
    """`url` without any password."""
    secret = [name for name in url.query if any(word in name.lower() for word in SECRET)]
    return url.difference_update_query(secret).render_as_string()
