"""A line to a gateway that breaks: it carries requests whole, and of the answers on a connection only so many bytes.

What was asked for has been done by then: the line breaks once the answer has come.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

Bytes = Callable[[int], int | None]
"""How many bytes of answers come through, by the number of the connection from 0; None: all."""


class LossyLine:
    """Listens at `url`. Use as a context manager."""

    def __init__(self, port: int, lets_through: Bytes) -> None:
        self._port = port
        self._lets_through = lets_through
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections = 0
        self.broken = 0

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()
        for each in self._open:
            _end(each)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._open += [near, far]
                bytes_left = self._lets_through(self.connections)
                self.connections += 1
                threading.Thread(target=self._carry, args=(near, far, None), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, bytes_left), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, bytes_left: int | None) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                if bytes_left is not None:
                    if len(piece) > bytes_left:
                        target.sendall(piece[:bytes_left])
                        self.broken += 1
                        break
                    bytes_left -= len(piece)
                target.sendall(piece)
        _end(source)
        _end(target)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
