"""The one door for gunicorn, `flask shell` and `flask room …`. Patches before anything else is imported."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import sys  # noqa: E402

from chatapp import SetupError, create_app, create_doctor  # noqa: E402

# gunicorn's own code for "the application cannot be loaded": its master then stops instead of trying again.
APP_LOAD_ERROR = 4
# gunicorn.conf.py sets it in a worker that takes the place of another one.
FOLLOWS = "CHAT_WORKER_FOLLOWS"

try:
    app = create_doctor() if sys.argv[1:2] == ["doctor"] else create_app(FOLLOWS in os.environ)
except SetupError as error:
    print(f"chatapp: {error}", file=sys.stderr)
    sys.exit(APP_LOAD_ERROR)
