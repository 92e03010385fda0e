"""A real Valkey or Redis on a TCP port that can be killed and brought back on the same data."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from store.embedded import _server_program

START_SECONDS = 20.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Server:
    """One server process with its append-only file in a folder."""

    def __init__(self, folder: Path, program: str | None = None, fsync: str = "always") -> None:
        self._folder = folder
        self._program = program or str(_server_program())
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id; 0 while it is away."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start it and wait until it answers; what the append-only file holds is there again.

        The first start finds a free port, the others come back to it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.port:
            return self._start()
        for _ in range(4):
            self.port = free_port()
            try:
                return self._start()
            except RuntimeError as error:
                if "in use" not in str(error):
                    raise
        raise RuntimeError("no free port stayed free")

    def _start(self) -> None:
        settings = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        with (self._folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        ends = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends:
                self.kill()
                raise RuntimeError((self._folder / "server.log").read_text(errors="replace")[-500:])
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill -9, as if the machine's memory had run out."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    stop = kill

    def _answers(self) -> bool:
        """Say whether this very server answers, and not somebody else who was given the same free port."""
        assert self._process is not None
        said = b""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"INFO\r\nQUIT\r\n")
                while data := connection.recv(65536):
                    said += data
        except OSError:
            return False
        return f"process_id:{self._process.pid}\r".encode() in said and b"\nloading:0" in said
