"""Settings of the environment that there are not."""

from collections.abc import Mapping

from chatapp import config
from chatapp.doctor.finding import Findings, warning


def examine(environ: Mapping[str, str]) -> Findings:
    for name in config.unknown(environ):
        near = config.near(name)
        yield warning(
            "unknown-setting",
            f"there is no setting {name}",
            "it has no effect: what it was to set is as it is by default",
            f"set {near} instead" if near else "remove it; docs/settings.md has all that there are",
        )
