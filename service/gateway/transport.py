"""A connection as asyncio's transport, that knows when each read came: bytes in by `recvmsg`, bytes out with patience.

uvloop's own transport reads without the kernel's receive times, and what TCP_INFO tells is counted in ticks that
come late on a busy host (by 14 ms at 250 Hz, measured). So connections that are handed over are read here. Everything
that uvicorn's protocol asks of a transport is here, and nothing else.
"""

import asyncio
import socket
from typing import Any, Final

from clockd.host import RECEIVE_ANCILLARY_BYTES, ReceivedAt, ReceiveTimes, receive_time_ns

READ_BYTES: Final = 65_536
HIGH_WATER_BYTES: Final = 65_536
"""Beyond this much unsent the protocol is asked to pause; below a quarter of it, to go on."""


class TimedTransport(asyncio.Transport):
    """One connected socket under one protocol.

    `received` is when the last of the bytes that the protocol is being fed came, also of those that were read before;
    None where the kernel did not tell.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connected: socket.socket,
        protocol: asyncio.Protocol,
        receive_times: ReceiveTimes,
        received: ReceivedAt | None,
    ) -> None:
        super().__init__({"socket": connected})
        self.received = received
        self._loop = loop
        self._socket = connected
        self._protocol = protocol
        self._receive_times = receive_times
        self._unsent = bytearray()
        self._reading = self._closing = self._lost = self._protocol_paused = False
        self.resume_reading()
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name in {"peername", "sockname"}:
            try:
                return self._socket.getpeername() if name == "peername" else self._socket.getsockname()
            except OSError:
                return default
        return super().get_extra_info(name, default)

    # Reading.

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket.fileno())

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            data, ancillary, _, _ = self._socket.recvmsg(READ_BYTES, RECEIVE_ANCILLARY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if not data:
            self._protocol.eof_received()
            self.close()
            return
        kernel_ns = receive_time_ns(ancillary)
        self.received = None if kernel_ns is None else self._receive_times.raw_moment(kernel_ns)
        self._protocol.data_received(data)

    # Writing.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._lost or self._closing or not data:
            return
        sent = 0
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lose(error)
                return
            if sent == len(data):
                return
            self._loop.add_writer(self._socket.fileno(), self._writable)
        self._unsent += memoryview(data)[sent:]
        if len(self._unsent) > HIGH_WATER_BYTES and not self._protocol_paused:
            self._protocol_paused = True
            self._protocol.pause_writing()

    def _writable(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if self._protocol_paused and len(self._unsent) <= HIGH_WATER_BYTES // 4:
            self._protocol_paused = False
            self._protocol.resume_writing()
        if not self._unsent:
            self._loop.remove_writer(self._socket.fileno())
            if self._closing:
                self._lose(None)

    # The end.

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Hear no more, send what is unsent, and end."""
        if self._closing:
            return
        self.pause_reading()
        self._closing = True
        if not self._unsent:
            self._lose(None)

    def abort(self) -> None:
        """End at once."""
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self.pause_reading()
        if self._unsent:
            self._loop.remove_writer(self._socket.fileno())
            self._unsent.clear()
        self._closing = self._lost = True
        self._loop.call_soon(self._end, error)

    def _end(self, error: Exception | None) -> None:
        self._protocol.connection_lost(error)
        self._socket.close()
