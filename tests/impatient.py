"""The application with time-outs of its own that no setting shortens: for servers and consoles that have `constants`.

A test that has nothing else to wait for than such a constant's time proves what comes then, not how long it is.
"""

from gevent import monkey

monkey.patch_all()  # as wsgi.py does, before anything of the application is there

import json  # noqa: E402
import os  # noqa: E402
from importlib import import_module  # noqa: E402

for name, value in json.loads(os.environ["TEST_CONSTANTS"]).items():
    module, _, constant = name.rpartition(".")
    assert hasattr(import_module(module), constant), f"there is no {name}"
    setattr(import_module(module), constant, value)

from wsgi import app as app  # noqa: E402
