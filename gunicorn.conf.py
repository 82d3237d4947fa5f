"""What long-lived connections need of gunicorn, each line with its reason. gunicorn reads this by itself.

Nothing of the application may be imported in the master: the workers must patch the standard library first,
and take up its newest code after SIGHUP.
"""

import contextlib
import ctypes
import errno
import gc
import importlib
import logging
import os
import runpy
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

from gunicorn import systemd
from gunicorn.glogging import Logger

HOME = Path(__file__).parent
LOG_FORMAT = "CHATAPP_LOG_FORMAT"

worker_class = "gevent"
bind = "127.0.0.1:8000"  # this machine only, until somebody says otherwise

# Each reader holds a connection. gunicorn's default of 1,000 would leave the next one waiting unanswered.
worker_connections = 20_000
# How many connections the kernel holds until a worker accepts them: a restart brings everybody back at once.
backlog = 4096
# Idle keep-alive connections, and the time for a request's head to arrive. Longer than the 60 s of proxies,
# so that it is never we who close a connection just as the proxy uses it.
keepalive = 65
# The master kills what is still there after this. The hub lets everybody go in two, see `drain` below.
graceful_timeout = 4
# A worker whose hub does not run for this long is replaced.
timeout = 30
# Only ProxyFix (CHATAPP_TRUSTED_PROXIES) decides whom to believe about addresses and schemes.
forwarded_allow_ips = ""
secure_scheme_headers = {}
# gunicorn's control socket is shared by servers that run side by side under one home directory.
control_socket_disable = True
# One line per start, stop and error, no line per request.
accesslog = None


def _run_alone(name):
    """What a file of the application defines that imports nothing of it: this process may not either."""
    package = HOME / "chatapp" if (HOME / "chatapp").is_dir() else HOME.parent / "chatapp"  # see command.py
    return runpy.run_path(str(package / name))


class _Log(Logger):
    """gunicorn's, whose lines are as the application's, which sees to them once more in the workers."""

    def setup(self, cfg):
        super().setup(cfg)
        _run_alone("log_lines.py")["dress"](os.environ.get(LOG_FORMAT, "").strip())


logger_class = _Log

# Imported once, by the master: a worker then starts in half the time, and they share the memory. None of them
# may keep what gevent replaces in the workers, nor wait while it holds a lock that it made here:
# tests/test_libraries.py.
LIBRARIES = (
    "PIL.AvifImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.ImageOps",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.WebPImagePlugin",
    "argon2",
    "babel.messages.mofile",
    "babel.messages.pofile",
    "babel.support",
    "babel.units",
    "confusable_homoglyphs.confusables",
    "cryptography.fernet",
    "flask",
    "flask_compress",
    "flask_migrate",
    "flask_security",
    "flask_sock",
    "flask_sqlalchemy",
    "flask_wtf",
    "jinja2.ext",
    "limits",
    "linkify_it",
    "markdown_it",
    "msgspec",
    "nh3",
    "prometheus_client",
    "puremagic",
    "pygments.lexers",
    "qrcode.image.svg",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
    "webauthn",
    "websockets.server",
    "zxcvbn",
)

M_ARENA_MAX = -8  # malloc.h
APP_LOAD_ERROR = 4  # a worker's exit status, as wsgi.py has it
FOLLOWS = "CHAT_WORKER_FOLLOWS"  # what wsgi.py goes by as well: no setting, so not CHATAPP_…
DRAIN_SECONDS = 2.0
LOOK_SECONDS = 0.05
HANG_UP_LOOKS = 10  # a tenth of a second each
AGAIN_SECONDS = 1.0
# Objects that are made before the collector looks for rings among the young ones. By Python's own 700 it is
# at work for a tenth of the time in which many come at once, and finds nothing: what they bring stays.
COLLECTED_AFTER = 10_000


def on_starting(server):
    """Before anything is bound: what cannot work is said in one line."""
    if server.cfg.worker_class_str != "gevent":
        _give_up(
            f"this runs under gunicorn's gevent worker only: start without -k {server.cfg.worker_class_str}"
        )
    if server.cfg.workers < 1:
        _give_up("there has to be a worker: start with -w 1 or more")
    if server.cfg.is_ssl:
        _give_up("TLS belongs in a proxy in front (docs/running.md): start without --certfile")
    stray = server.cfg.parser().parse_args(sys.argv[1:]).args[1:]
    if stray:
        _give_up(f"{stray[0]!r} says nothing to the server: name the address with -b 127.0.0.1:8080")
    logging.getLogger("gunicorn.error").addFilter(_Refusals(server))
    # From an older master, or from systemd.
    inherited = "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ
    for address in server.cfg.address:
        if isinstance(address, tuple) and not server.cfg.reuse_port and not inherited:
            _check_free(*address)
    for name in LIBRARIES:
        importlib.import_module(name)
    if not hasattr(server, "chatapp_prepared"):
        on_reload(server)
    gc.freeze()  # or each worker's first collection would write to all the pages that they share
    if server.cfg.workers > 1:
        # One worker says by itself what is wrong with the installation; several would all say it.
        _try_out(server.app.app_uri.partition(":")[0])


def pre_exec(server):
    """After SIGUSR2, in what becomes the new master: the program's own file says which Python it has by now.

    A symbolic link on the way to it may lead to another version than the one that runs (docs/running.md).
    """
    if os.access(os.path.join(server.START_CTX["cwd"], sys.argv[0]), os.X_OK):
        server.START_CTX.update({0: sys.argv[0], "args": sys.argv})


def when_ready(server):
    """In the master, before its workers: where it is to follow an older one, the last of them will know it by
    the pipe, from which each of the others has taken a byte.
    """
    if server.master_pid:
        server.chatapp_others, into = os.pipe()
        os.write(into, b"." * (server.num_workers - 1))
        os.close(into)


def on_reload(server):
    """In the master, before the workers of a new version: what takes long to make of its files is made."""
    server.chatapp_prepared = {}
    try:
        server.chatapp_prepared = _run_alone("prepared.py")["prepare"](HOME / "templates")
    except Exception as error:  # the file may be half written; each worker then makes what it needs by itself
        server.log.warning("templates are not prepared: %s: %s", type(error).__name__, error)


def pre_fork(server, worker):
    """In the master: a place for the worker's figures, on what all of them share, and what was prepared."""
    worker.chatapp_prepared = server.chatapp_prepared
    worker.chatapp_others = getattr(server, "chatapp_others", None)  # none of a master of a version before
    worker.chatapp_scoreboard = _scoreboard(server)
    worker.chatapp_place = _scoreboard(server).free(_places(server))
    if worker.chatapp_place is None:
        server.log.warning("/metrics leaves this worker out: there are too many")


def child_exit(server, worker):
    """In the master, when a worker is gone: what it has counted stays."""
    _scoreboard(server).settle(_places(server))


def post_fork(server, worker):
    """In the worker, before anything else."""
    gc.disable()  # until it is ready: nearly all that a start makes is there to stay
    # glibc would give each native thread a heap of its own, and little of what is freed there is used again.
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    if _follows(server, worker):
        os.environ[FOLLOWS] = "1"


def post_worker_init(worker):
    """In the worker, when the application is loaded: let the hub know when the worker has to go."""
    import gevent

    from chatapp import config, figures, prepared
    from chatapp.accepted import Accepted
    from chatapp.watch import Watch

    prepared.take(worker.chatapp_prepared)
    hub = worker.wsgi.extensions["chatapp"]
    hub.scoreboard, hub.place, hub.worker = worker.chatapp_scoreboard, worker.chatapp_place, worker.age
    accepted = Accepted(worker, hub)

    def drain_when_told():
        # gunicorn's worker notices SIGTERM, SIGHUP and --max-requests within a second; we look oftener.
        while worker.alive:
            gevent.sleep(LOOK_SECONDS)
        hub.drain(DRAIN_SECONDS)
        # Who was told 1012 hangs up: to close on what a peer is just sending would reset the connection, and
        # the reset may overtake the goodbye.
        for _ in range(HANG_UP_LOOKS):
            gevent.sleep(0.1)  # also for answers that are under way
            if not hub.heartbeat.connections:
                break
        accepted.hang_up()
        figures.tell(hub)
        gevent.spawn_later(worker.cfg.graceful_timeout, leave)

    def leave():
        # gunicorn waits by the time of day: set back meanwhile, that clock would have it wait for an hour.
        worker.log.error("Some connections would not end: leaving without them")
        os._exit(0)

    # Ctrl-C in a terminal reaches the workers as well; it is the master that tells them to go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hub.start()
    gevent.spawn(figures.run, hub)
    worker.chatapp_drainer = gevent.spawn(drain_when_told)
    if worker.age == 1:  # the first of them says it for all
        for name in config.unknown():
            worker.log.warning("There is no setting %s (docs/settings.md): it has no effect", name)
        if hub.config.log_format != os.environ.get(LOG_FORMAT, "text").strip():
            worker.log.warning("%s is in config.py: the master, which reads none, writes text", LOG_FORMAT)
        for listener in worker.sockets:
            if listener.family != socket.AF_UNIX:
                _say_where(worker.log, listener.getsockname(), hub.config)
        _say_who_is_first(worker)
    gc.collect()
    gc.freeze()  # what the application consists of need not be looked at again
    gc.set_threshold(COLLECTED_AFTER)
    gc.enable()
    gevent.spawn(Watch().start)  # once the hub goes round: what there was of the start is none of its blocks
    worker.log.info("Ready")
    # gunicorn has that name there until the older master is gone.
    if worker.chatapp_others and "GUNICORN_PID" in os.environ and not os.read(worker.chatapp_others, 1):
        _take_over(worker)


def worker_int(worker):
    """SIGQUIT, after Ctrl-C to the master: gunicorn ends the worker as soon as this returns."""
    worker.chatapp_drainer.join(timeout=2 * DRAIN_SECONDS)


def worker_exit(server, worker):
    """One that cannot start in the place of another (the disk is full just now) is replaced in its turn.

    Going by its exit status, gunicorn would stop the whole server.
    """
    in_worker = worker.pid == os.getpid()  # gunicorn calls this in the master as well
    if in_worker and not worker.booted and _follows(server, worker):
        time.sleep(AGAIN_SECONDS)
        os._exit(1)


def _follows(server, worker):
    """Whether it is one in the place of another, at a server that has been let in."""
    return worker.age > server.cfg.workers


def _take_over(worker):
    """All workers of this master serve: the older one, which started it, may go; systemd goes by this one."""
    systemd.sd_notify(f"MAINPID={worker.ppid}", worker.log)
    worker.log.info("The older server may go")
    with contextlib.suppress(ProcessLookupError):  # it is gone
        os.kill(int(os.environ["GUNICORN_PID"]), signal.SIGTERM)


def _scoreboard(server):
    """Made once a master: after SIGHUP this file is another one, and the workers are still there."""
    if not hasattr(server, "chatapp_scoreboard"):
        server.chatapp_scoreboard = _run_alone("scoreboard.py")["Scoreboard"]()
    return server.chatapp_scoreboard


def _places(server):
    """Those of the workers that there are; those of a version before have none."""
    return [getattr(worker, "chatapp_place", None) for worker in server.WORKERS.values()]


def _try_out(module):
    """Load the application in a process of its own, and end with its status where it does not load."""
    child = os.fork()
    if not child:
        status = 1
        try:
            sys.path.insert(0, os.getcwd())
            importlib.import_module(module)
            status = 0
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        sys.exit(status)


def _check_free(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            _give_up(f"there is no port {port}: choose one from 1 to 65535")
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                said = f"port {port} is taken: stop what runs there, or choose another with -b {host}:8080"
            elif error.errno == errno.EACCES:
                said = f"port {port} is for the system: choose one above 1023 with -b {host}:8000"
            else:
                said = f"cannot listen on {host}:{port} ({error.strerror}): choose another address with -b"
            _give_up(said)


class _Refusals(logging.Filter):
    """Where the first workers refuse to start, their line is the last: gunicorn's four more would bury it."""

    def __init__(self, server):
        super().__init__()
        self._server, self._refused = server, False

    def filter(self, record):
        if self._server.worker_age > self._server.num_workers:
            return True  # not at the start: how a server ended that ran is worth its lines
        if record.msg == "Worker exiting (pid: %s)":  # in the worker, on its way out
            ending = sys.exc_info()[1]
            return not (isinstance(ending, SystemExit) and ending.code == APP_LOAD_ERROR)
        if record.msg == "Worker (pid:%s) exited with code %s." and record.args[1] == APP_LOAD_ERROR:
            self._refused = True
        return not self._refused


def _give_up(said):
    print(f"chatapp: {said}", file=sys.stderr)
    sys.exit(1)


def _url(address):
    host, port = address[:2]
    if host in ("127.0.0.1", "::1", "0.0.0.0", "::"):
        host = "localhost"  # a passkey belongs to a name: at a number there are none
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _say_who_is_first(worker):
    from chatapp.errors import ChatError
    from chatapp.security import first_start

    try:
        path = first_start.path(worker.wsgi)
    except ChatError:
        return  # the database is away since it was brought up: the journal has said so
    addresses = [each.getsockname() for each in worker.sockets if each.family != socket.AF_UNIX]
    if path:
        where = _url(addresses[0]).rstrip("/") if addresses else ""
        worker.log.info("No administrator yet: open %s%s to make the account", where, path)


def _say_where(log, address, config):
    log.info("Open %s in a browser", _url(address))
    this_machine = address[0].startswith("127.") or address[0] == "::1"
    if not this_machine and config.doors_open:
        log.warning(
            "Bound to %s: whoever reaches this address may read and write. Set CHATAPP_GUEST_CODE to a word "
            "that guests are asked for.",
            address[0],
        )
