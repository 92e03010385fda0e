"""The embedded store: shared by the programs of one folder, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from store.embedded import EmbeddedStore, EmbeddedStoreError

HOLD = """
import sys, time
from pathlib import Path
from store.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]))
store.start()
print(store.url, flush=True)
sys.stdin.read()
store.stop()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Start another program that uses the folder until its input is closed."""
    program = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert program.stdout is not None
    assert any(line.startswith("unix://") for line in iter(program.stdout.readline, ""))
    return program


def end(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.close()
    program.wait(20)
    program.stdout.close()


def server_pid(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (None, b"kept"):
        store = EmbeddedStore(tmp_path / "data")
        store.start()
        with redis.Redis.from_url(store.url) as client:
            assert client.get("key") == expected
            client.set("key", "kept")
        store.stop()


def test_it_stops_with_the_program(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    store.start()
    pid = server_pid(store.url)
    store.stop()
    assert not is_alive(pid)


def test_two_programs_share_one_server_and_the_last_one_out_stops_it(tmp_path: Path) -> None:
    first = hold(tmp_path)
    second = EmbeddedStore(tmp_path)
    second.start()
    pid = server_pid(second.url)
    end(first)
    assert server_pid(second.url) == pid, "it goes on while somebody uses it"
    second.stop()
    assert not is_alive(pid)


def test_a_server_left_by_a_killed_program_is_replaced_and_its_data_kept(tmp_path: Path) -> None:
    killed = hold(tmp_path)
    url = EmbeddedStore(tmp_path).url
    with redis.Redis.from_url(url) as client:
        client.set("key", "kept")
    stale = server_pid(url)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert killed.stdin is not None
    assert killed.stdout is not None
    killed.stdin.close()
    killed.stdout.close()
    assert is_alive(stale), "a killed program leaves its server running"
    store = EmbeddedStore(tmp_path)
    store.start()
    with redis.Redis.from_url(store.url) as client:
        assert client.get("key") == b"kept"
    assert server_pid(store.url) != stale
    assert not is_alive(stale)
    store.stop()


def test_a_folder_with_a_long_path_and_spaces_works(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ("long folder " * 12).strip())
    store.start()
    assert server_pid(store.url)
    store.stop()


def test_events_in_a_folder_that_is_open_to_others_are_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    store = EmbeddedStore(tmp_path)
    store.start()
    with redis.Redis.from_url(store.url) as client:
        client.set("secret", "x")
    files = [file for file in (tmp_path / "appendonlydir").rglob("*") if file.is_file()]
    modes = {file.name: oct(file.stat().st_mode & 0o077) for file in (*files, tmp_path / "valkey.sock")}
    store.stop()
    assert len(modes) > 2
    assert set(modes.values()) == {"0o0"}, modes


def test_a_folder_for_the_socket_that_is_a_link_is_refused(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ("long folder " * 12).strip())
    beside = Path(store.url.removeprefix("unix://")).parent
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    beside.symlink_to(mine)
    try:
        with pytest.raises(EmbeddedStoreError, match="remove it"):
            store.start()
    finally:
        store.stop()
        beside.unlink()


def test_a_folder_that_cannot_be_written_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddedStoreError, match=r"redis\.data_dir"):
        EmbeddedStore(tmp_path / "file" / "data").start()


def test_a_crash_of_the_server_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    store.start()
    with redis.Redis.from_url(store.url) as client:
        client.set("key", "kept")
    pid = server_pid(store.url)
    os.kill(pid, signal.SIGKILL)
    while is_alive(pid):
        time.sleep(0.01)
    store.stop()
    again = EmbeddedStore(tmp_path)
    again.start()
    with redis.Redis.from_url(again.url) as client:
        assert client.get("key") == b"kept"
    again.stop()


def test_it_has_started_when_everything_is_loaded_again(tmp_path: Path) -> None:
    many = 400_000  # it answers now and then while it loads so much
    order = b"*3\r\n$3\r\nSET\r\n$6\r\n%06d\r\n$1\r\nx\r\n"
    (tmp_path / "appendonly.aof").write_bytes(b"".join(order % number for number in range(many)))
    store = EmbeddedStore(tmp_path)
    store.start()
    try:
        assert redis.Redis.from_url(store.url).dbsize() == many
    finally:
        store.stop()
