"""What people sent as files: whether the folder has what the database names."""

import os
from contextlib import closing

from sqlalchemy import Engine, text

from chatapp.config import Config
from chatapp.doctor.finding import Findings, error
from chatapp.uploads import Uploads


def examine(engine: Engine, config: Config) -> Findings:
    """Of a database with this program's tables."""
    folder = config.path("uploads")
    uploads = Uploads(folder)
    with closing(engine.connect()) as connection:
        digests = connection.scalars(text("SELECT DISTINCT sha256 FROM files")).all()
    lost = sum(not os.path.exists(uploads.content(digest)) for digest in digests)
    if lost:
        yield error(
            "files-missing",
            f"of {len(digests)} files that people sent {lost} are not in {folder}",
            "who opens them is told that they are not there",
            "several machines need one folder that all of them mount (docs/running.md, Several machines); "
            "else copy them there from a backup, in which they have the same names below uploads/",
        )
