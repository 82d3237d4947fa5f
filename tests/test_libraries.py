"""What gunicorn's master imports for all its workers may keep nothing of what gevent replaces in them.

A lock that was made before is of the kind that holds up the whole thread: greenlets of one worker would wait for
each other for ever, if one of them could be switched away while it holds it. Those that are listed cannot.
Looked at are modules, their classes, and the objects in them.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.servers import ROOT

IN_THE_MASTER = """
import _thread, importlib, json, runpy, sys, threading, types

kinds = (type(_thread.allocate_lock()), type(_thread.RLock()), _thread._local)
for name in runpy.run_path("gunicorn.conf.py")["LIBRARIES"]:
    importlib.import_module(name)
"""
WHAT_IS_KEPT = """
from gevent import monkey

monkey.patch_all()
replaced = {id(value) for names in monkey.saved.values() for value in names.values() if callable(value)}
kept = set()


def is_kept(value):
    return id(value) in replaced or isinstance(value, kinds)


def inside_of(value):
    if isinstance(value, types.FunctionType):
        return []
    try:
        return list(object.__getattribute__(value, "__dict__").values())
    except AttributeError:  # it has none
        return list(vars(value).values()) if isinstance(value, type) else []


for name, module in list(sys.modules.items()):
    if name.partition(".")[0] in {*sys.stdlib_module_names, "__main__", "gevent", "greenlet", "gunicorn"}:
        continue
    for word, value in list(vars(module).items()):
        if isinstance(value, types.ModuleType):
            continue
        own = isinstance(value, type) and id(value) not in replaced
        bases = value.__mro__[1:] if own else ()
        if any(is_kept(each) for each in (value, *bases)):
            kept.add(f"{name}.{word}")
        elif any(map(is_kept, inside_of(value))):
            whose = value if own else type(value)
            kept.add(f"{whose.__module__}.{whose.__name__}")
print(json.dumps(sorted(kept)))
"""
WHAT_IS_NEW = """
before = {name.partition(".")[0] for name in sys.modules}
sys.path.insert(0, ".")
import wsgi
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} - before - set(sys.stdlib_module_names))))
"""
# No thread, no hub of gevent's, no open file: none of them would be there, or be one's own, after a fork.
ONCE_FOR_ALL = """
import os

def own():
    from gevent._hub_local import get_hub_if_exists

    return threading.active_count(), get_hub_if_exists(), os.listdir("/proc/self/fd")


before = own()
import chatapp

assert "chatapp.journal" in sys.modules
assert own() == before == (1, None, before[2])
"""
CANNOT_SWITCH = {
    # Under their locks a dictionary or a list is changed, a number is added, a file is read, or a class is made ready.
    "babel.localedata._cache_lock",
    "cryptography.hazmat.bindings.openssl.binding.Binding",
    "jinja2.utils.LRUCache",
    "jinja2.utils.Lock",
    "prometheus_client.metrics.Lock",
    "prometheus_client.registry.CollectorRegistry",
    "prometheus_client.registry.Lock",
    "prometheus_client.values.Lock",
    "pytz.lazy._fill_lock",
    "sqlalchemy.orm.collections.__instrumentation_mutex",
    "sqlalchemy.orm.mapper._CONFIGURE_MUTEX",
    "sqlalchemy.sql.lambdas.AnalyzedCode",
    "sqlalchemy.util.langhelpers.symbol",
    "werkzeug.routing.map.Lock",
    "werkzeug.routing.map.Map",
    "passlib.utils.handlers._backend_lock",
    "wrapt.importer._post_import_hooks_lock",
    "wrapt.synchronization.Lock",
    # Nothing in a worker uses them: command lines, an editor for migrations, asyncio's SQLite.
    "alembic.util.editor.check_call",
    "click.globals._local",
    "click.globals.local",
    "sqlalchemy.dialects.sqlite.aiosqlite.Thread",
}
# Meant to be native: the hub waits for such a thread on purpose, and for no longer than it says.
WAITED_FOR_IN_PLACE = {"chatapp.threads.native_lock", "chatapp.threads.start_native"}


def told(program: str, instance: Path) -> Any:
    environ = {"CHATAPP_INSTANCE_PATH": str(instance)}
    done = subprocess.run(
        [sys.executable, "-W", "error::gevent.monkey.MonkeyPatchWarning", "-c", program],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_the_master_imports_keeps_only_locks_under_which_nothing_switches(tmp_path: Path) -> None:
    kept = set(told(IN_THE_MASTER + WHAT_IS_KEPT, tmp_path))
    assert kept == CANNOT_SWITCH


def test_nor_does_the_application_which_the_tests_have_imported_before_their_servers_start(
    tmp_path: Path,
) -> None:
    """By zygote.py; and it does nothing as it is imported that each process has to do for itself."""
    assert (
        set(told(IN_THE_MASTER + ONCE_FOR_ALL + WHAT_IS_KEPT, tmp_path))
        <= CANNOT_SWITCH | WAITED_FOR_IN_PLACE
    )


def test_a_worker_imports_nothing_large_for_itself_but_gevent(tmp_path: Path) -> None:
    new = set(told(IN_THE_MASTER + WHAT_IS_NEW, tmp_path))
    assert {"chatapp", "gevent"} <= new
    assert {name for name in new if not name.startswith("_")} == {
        "chatapp", "gevent", "greenlet", "wsgi", "zope",
    }  # fmt: skip
