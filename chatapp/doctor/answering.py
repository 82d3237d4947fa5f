"""What to do where a server of somebody else's (database, bus) does not answer as it should."""


def remedy(cause: str, setting: str) -> str:
    """`cause`: what its driver says. `setting`: what names it."""
    if "certificate" not in cause.lower():
        return f"start it, or correct {setting}"
    return (
        f"name it in {setting} as its certificate does, and the file by which that is known: PostgreSQL "
        "?sslmode=verify-full&sslrootcert=FILE, Redis ?ssl_ca_certs=FILE (docs/running.md)"
    )
