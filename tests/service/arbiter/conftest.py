"""A real store for the arbiter's parts, and a line to it that can be cut at the worst moment."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.store.embedded import EmbeddedStore


@pytest.fixture(scope="session")
def arbiter_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("a") / "s") as store:
        yield store


class CutLine:
    """A proxy to a unix socket that can lose a reply: the request goes through, the connection ends at the answer."""

    def __init__(self, near: Path, far: Path) -> None:
        self.url = f"unix://{near}"
        self.lost = 0
        self._far = str(far)
        self._loses = b""
        self._open = ExitStack()
        self._listener = self._open.enter_context(socket.socket(socket.AF_UNIX))
        self._listener.bind(str(near))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def lose_reply(self, to: bytes) -> None:
        """The reply to the next request that holds these bytes is lost."""
        self._loses = to

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._open.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(near,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(self._far)
            while data := near.recv(1 << 20):
                far.sendall(data)
                reply = far.recv(1 << 20)
                if self._loses and self._loses in data:
                    self._loses = b""
                    self.lost += 1
                    return
                near.sendall(reply)


@pytest.fixture
def line(tmp_path: Path, arbiter_store: EmbeddedStore) -> Iterator[CutLine]:
    line = CutLine(tmp_path / "line.sock", arbiter_store.socket)
    yield line
    line.close()
