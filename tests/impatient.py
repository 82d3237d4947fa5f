"""The application with time-outs of its own that no setting shortens: for servers and consoles that have `constants`.

A test that has nothing else to wait for than such a constant's time proves what comes then, not how long it is.
"""

import json
import os
from importlib import import_module

from gevent import monkey

monkey.patch_all()  # as wsgi.py does, before anything of the application is there

for name, value in json.loads(os.environ["TEST_CONSTANTS"]).items():
    module, _, constant = name.rpartition(".")
    assert hasattr(import_module(module), constant), f"there is no {name}"
    setattr(import_module(module), constant, value)

app = import_module("wsgi").app
