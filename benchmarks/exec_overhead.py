"""What `autoremedy exec` adds to the wall time of a command: with the API there, away, and hanging.

usage: python benchmarks/exec_overhead.py [ROUNDS]

Runs the command directly and wrapped in turn, so that both see the same machine, and prints medians.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "true": ["true"],
    "1 MB of output": ["seq", "150000"],
    "200 ms of work": ["sleep", "0.2"],
}
THROUGHPUT_BYTES = 1_000_000_000


class Taker(BaseHTTPRequestHandler):
    """Accepts every event at once."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take one event."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"status": "submitted"}'
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def seconds(argv: list[str], environ: dict[str, str]) -> float:
    """Return the wall time of one run."""
    began = time.perf_counter()
    subprocess.run(argv, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def compare(name: str, url: str, rounds: int) -> None:
    """Print the medians of the commands, direct and wrapped."""
    with tempfile.TemporaryDirectory() as spool:
        environ = {**os.environ, "AUTOREMEDY_URL": url, "AUTOREMEDY_SPOOL": f"{spool}/s", "PYTHONPATH": str(ROOT)}
        wrapper = [sys.executable, "-m", "cli", "exec", "--"]
        for title, command in COMMANDS.items():
            direct, wrapped = [], []
            for _ in range(rounds):
                direct.append(seconds(command, environ))
                wrapped.append(seconds([*wrapper, *command], environ))
            plain, ours = statistics.median(direct) * 1000, statistics.median(wrapped) * 1000
            worst = max(wrapped) * 1000
            print(
                f"{name:<16} {title:<16} direct {plain:7.1f} ms   wrapped {ours:7.1f} ms (worst {worst:6.1f})"
                f"   added {ours - plain:6.1f} ms"
            )


def throughput(url: str) -> None:
    """Print how fast output passes through."""
    environ = {**os.environ, "AUTOREMEDY_URL": url, "PYTHONPATH": str(ROOT)}
    command = ["head", "-c", str(THROUGHPUT_BYTES), "/dev/zero"]
    for title, argv in (("direct", command), ("wrapped", [sys.executable, "-m", "cli", "exec", "--", *command])):
        began = time.perf_counter()
        with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE) as process:
            assert process.stdout
            while process.stdout.read(1 << 20):
                pass
        took = time.perf_counter() - began
        print(f"throughput       {title:<16} {THROUGHPUT_BYTES / took / 1e6:7.0f} MB/s")


def main() -> None:
    """Measure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    compare("API there", url, rounds)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: refused
        compare("API away", f"http://127.0.0.1:{closed.getsockname()[1]}", rounds)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)  # accepts and never answers
        compare("API hanging", f"http://127.0.0.1:{silent.getsockname()[1]}", 2)
    throughput(url)
    server.shutdown()


if __name__ == "__main__":
    main()
