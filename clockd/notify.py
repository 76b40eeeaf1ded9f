"""Tells the service manager that started us how it goes: ready, alive, ending (systemd's protocol, sd_notify(3)).

One datagram a message to the socket that NOTIFY_SOCKET names; without that variable nobody is told. The watchdog is
fed only after the page has been published, so a daemon that runs and publishes nothing is started anew.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
STOPPING: Final = "STOPPING=1"


class ServiceManager:
    """Whoever started this process, if it wants to know."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        where = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + where[1:] if where.startswith("@") else where  # an abstract socket is written with @
        self._told = ""

    def tell(self, *lines: str) -> None:
        """Send some lines; what cannot be sent is nobody's loss."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            sending.sendto("\n".join(lines).encode(), self._address)

    def alive(self, status: str) -> None:
        """The page has been published. The first time this says that the daemon is ready."""
        lines = [ALIVE] if self._told else [READY, ALIVE]
        if status != self._told:
            lines.append(f"STATUS={status}")
        self._told = status
        self.tell(*lines)
