"""The relay: a small process beside the command that copies its output on, and keeps head and tail of it.

It is a process of its own, in a session of its own, because it must outlive us: when we are killed the command
must not lose its output, and a process that the command left behind may go on writing long after the run is
over. It ends when nobody can write any more.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import termios
import threading
import time

from cli.exec.output import Capture
from cli.exec.streams import Plan, Through, copy_window_size

CHUNK = 64 * 1024
_ENDED, _RESIZED, _DONE = b"e", b"w", b"d"
NO_PROGRESS_SECONDS = 2.0


class Relay:
    """The parent's side of the relay."""

    def __init__(self, pid: int, capture: Capture, orders: int, answers: int) -> None:
        self.pid = pid
        self.capture = capture
        self._orders = orders
        self._answers = answers

    def drain(self) -> None:
        """Wait until everything the command wrote before it ended has been passed on.

        Whoever reads our output may be slow: then the command would have been held up too, so this waits as long
        as there is progress. After a standstill the relay finishes alone.
        """
        passed = self.capture.passed
        since = time.monotonic()
        if not self._order(_ENDED):
            return
        while not self._answered(0.1):
            if self.capture.passed != passed:
                passed = self.capture.passed
                since = time.monotonic()
            elif time.monotonic() - since > NO_PROGRESS_SECONDS:
                return

    def resized(self) -> None:
        """Pass on that the terminal has another size."""
        if self._order(_RESIZED):
            self._answered(0.1)

    def _order(self, order: bytes) -> bool:
        try:
            os.write(self._orders, order)
        except OSError:
            return False
        return True

    def _answered(self, timeout: float) -> bool:
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        if not poller.poll(timeout * 1000):
            return False
        os.read(self._answers, 1)
        return True


def start_relay(plan: Plan) -> Relay:
    """Fork the relay; raises OSError when that is not possible, and leaves nothing open then."""
    capture = Capture()
    orders_out, orders = os.pipe()
    try:
        answers, answers_in = os.pipe()
    except OSError:
        os.close(orders_out)
        os.close(orders)
        raise
    try:
        pid = os.fork()
    except OSError:
        for descriptor in (orders_out, orders, answers, answers_in):
            os.close(descriptor)
        raise
    if pid == 0:
        try:
            _Copier(plan.through, capture, orders_out, answers_in).run()
        finally:
            os._exit(0)
    os.close(orders_out)
    os.close(answers_in)
    plan.close_sources()
    return Relay(pid, capture, orders, answers)


class _Stream:
    """One stream on its way through the relay."""

    def __init__(self, through: Through) -> None:
        self.source = through.source
        self.target = through.target
        self.is_terminal = through.is_terminal
        self.taken = 0
        self.passed = 0
        self.ended = False


class _Copier:
    """The relay's own side.

    One thread per stream, so that a slow reader of one does not hold up the other. A stream for which no thread can
    be had is copied between orders: better slowly than not at all.
    """

    def __init__(self, streams: list[Through], capture: Capture, orders: int, answers: int) -> None:
        self._streams = [_Stream(stream) for stream in streams]
        self._capture = capture
        self._orders = orders
        self._answers = answers
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._threadless: list[_Stream] = []

    def run(self) -> None:
        """Copy until nobody can write any more. Signals stay blocked, as they were in the parent."""
        os.setsid()
        os.chdir("/")
        self._keep_only_ours()
        for stream in self._streams:
            thread = threading.Thread(target=self._copy, args=(stream,))
            try:
                thread.start()
            except (RuntimeError, MemoryError):
                self._threadless.append(stream)
            else:
                self._threads.append(thread)
        listening = True
        while listening or any(not stream.ended for stream in self._threadless):
            listening = self._serve(listening)
        for thread in self._threads:
            thread.join()

    def _serve(self, listening: bool) -> bool:
        """Wait for an order, or for output that has no thread; False when nobody will give orders any more."""
        poller = select.poll()
        if listening:
            poller.register(self._orders, select.POLLIN)
        streams = {stream.source: stream for stream in self._threadless if not stream.ended}
        for source in streams:
            poller.register(source, select.POLLIN)
        for descriptor, _ in poller.poll():
            if descriptor == self._orders:
                listening = self._obey()
            elif not streams[descriptor].ended:
                self._pass_on(streams[descriptor])
        return listening

    def _obey(self) -> bool:
        order = os.read(self._orders, 1)
        if order == _RESIZED:
            self._resize()
        elif order == _ENDED:
            self._catch_up()
        try:
            return bool(order) and os.write(self._answers, _DONE) > 0
        except OSError:
            return False

    def _keep_only_ours(self) -> None:
        """Close what we inherited by chance: a lock or a socket must not stay open for our sake."""
        ours = {self._orders, self._answers}
        for stream in self._streams:
            ours |= {stream.source, stream.target}
        low = 0
        for descriptor in sorted(ours):
            os.closerange(low, descriptor)
            low = descriptor + 1
        os.closerange(low, os.sysconf("SC_OPEN_MAX"))

    def _copy(self, stream: _Stream) -> None:
        poller = select.poll()
        poller.register(stream.source, select.POLLIN)
        poller.register(stream.target, 0)  # errors are told without asking: the reader of our output is gone
        while not stream.ended:
            if any(descriptor == stream.target for descriptor, _ in poller.poll()):
                self._end(stream)
            else:
                self._pass_on(stream)

    def _pass_on(self, stream: _Stream) -> None:
        """Copy what is there; when nobody reads our output any more the command notices, as it would without us."""
        data = self._take(stream)
        try:
            _write_all(stream.target, data)
        except OSError:
            data = b""
        if not data:
            self._end(stream)
            return
        with self._changed:
            stream.passed += len(data)
            self._capture.add_passed(len(data))
            self._changed.notify()

    def _end(self, stream: _Stream) -> None:
        with self._changed:
            os.close(stream.source)
            stream.ended = True
            self._changed.notify()

    def _take(self, stream: _Stream) -> bytes:
        with self._changed:
            try:
                data = os.read(stream.source, CHUNK)
            except OSError:  # a pseudo-terminal ends this way
                return b""
            self._capture.add(data)
            stream.taken += len(data)
            return data

    def _catch_up(self) -> None:
        """Return when everything that was written up to now has been passed on."""
        if any(stream.is_terminal and not stream.ended for stream in self._streams):
            with self._changed:  # what was written to a terminal takes a moment to come out at the other end
                self._changed.wait(0.02)
        for stream in self._threadless:
            goal = 0 if stream.ended else stream.taken + _waiting(stream)
            while not stream.ended and stream.passed < goal:
                self._pass_on(stream)
        goals = []
        with self._changed:
            for stream in self._streams:
                if not stream.ended and stream not in self._threadless:
                    goals.append((stream, stream.taken + _waiting(stream)))
            self._changed.wait_for(lambda: all(s.ended or s.passed >= goal for s, goal in goals))

    def _resize(self) -> None:
        with self._changed:
            for stream in self._streams:
                if stream.is_terminal and not stream.ended:
                    copy_window_size(stream.target, stream.source)


def _waiting(stream: _Stream) -> int:
    """Return how many bytes can be read at once."""
    return int.from_bytes(fcntl.ioctl(stream.source, termios.FIONREAD, bytes(4)), sys.byteorder)


def _write_all(target: int, data: bytes) -> None:
    """Write everything, also where someone made the stream non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:
            poller = select.poll()
            poller.register(target, select.POLLOUT)
            poller.poll()
