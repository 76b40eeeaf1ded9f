"""Show 4: stamps against true time, which is this machine's own clock here.

A stamp errs by what the host's clock errs, and by what it costs to stamp: bytes wait in the kernel while three
thousand connections come at once, or while the gateway is stopped. The second part must stay below half a
millisecond, also on a connection that was handed over, and what is stated must hold whatever happens. The clock's
own error and bound at each stamp are known exactly: the entry names the update of the page that it was made by.
"""

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from clockd.host import open_host_clock
from clockd.reader import Reader, Reading, Stamp
from service.world.world import World
from tests.worlds import MILLISECOND, Outing

BURST = 3_000
STOPPED_SECONDS = 0.4
ALLOWED_NS = MILLISECOND // 2
SAMPLE_SECONDS = 0.005


@dataclass
class Sent:
    """One purchase: the true times around its sending, and the answer."""

    before_ns: int
    after_ns: int
    answer: dict[str, str]

    def beyond_ns(self, moment_ns: int) -> int:
        """How far a moment lies outside of the sending."""
        return max(self.before_ns - moment_ns, moment_ns - self.after_ns, 0)


class Pages:
    """Every reading of a region's page while it is watched, and how far its clock was off then."""

    def __init__(self) -> None:
        self.readings: dict[int, Reading] = {}
        self.true_minus_raw_ns: list[tuple[int, int]] = []
        """Pairs of the region's RAW and this machine's UTC − that, read as close together as can be."""

    @contextmanager
    def watch(self, world: World, region: str) -> Iterator[None]:
        ended = threading.Event()

        def follow() -> None:
            host = open_host_clock(world.host_clock(region))
            reader = Reader(world.page(region), host)
            while not ended.wait(SAMPLE_SECONDS):
                reading = reader.read()
                self.readings[reading.update] = reading
                before_ns, utc_ns, after_ns = host.raw_ns(), time.time_ns(), host.raw_ns()
                if after_ns - before_ns < 20_000:
                    self.true_minus_raw_ns.append((before_ns, utc_ns - (before_ns + after_ns) // 2))
            reader.close()

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def clock_error_ns(self, reading: Reading, raw_ns: int) -> int:
        """How far the clock itself was off at a moment, by the nearest comparison with true time."""
        _, true_ns = min(self.true_minus_raw_ns, key=lambda pair: abs(pair[0] - raw_ns))
        return told(reading, raw_ns).utc_ns - (true_ns + raw_ns)


class Buyers:
    """Raw connections, so that the time around each sending is tight."""

    def __init__(self, sale: Outing, region: str, opened: ExitStack) -> None:
        self._sale, self._region, self._opened = sale, region, opened
        self._address = ("127.0.0.1", sale.world.ports[region])
        self._count = 0

    def connect(self) -> socket.socket:
        connection = self._opened.enter_context(socket.create_connection(self._address, timeout=30))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def handed_over(self) -> socket.socket:
        """A connection whose first request was not a purchase."""
        connection = self.connect()
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n")
        assert _answer(connection)[0] == 200
        return connection

    def send(self, connection: socket.socket) -> Callable[[], Sent]:
        """Press; returns how to get the answer later."""
        self._count += 1
        body = f'{{"buyer":"{self._region}-{self._count}"}}'
        request = (
            f"POST /v1/sales/{self._sale.sale}/purchases HTTP/1.1\r\nhost: test\r\n"
            f"authorization: Bearer {self._sale.world.token}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        ).encode()
        before_ns = time.time_ns()
        connection.sendall(request)
        after_ns = time.time_ns()

        def hear() -> Sent:
            status, answer = _answer(connection)
            assert status == 202, answer
            return Sent(before_ns, after_ns, answer)

        return hear


def _answer(connection: socket.socket) -> tuple[int, dict[str, str]]:
    data = _more(connection)
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += _more(connection)
    return int(head.split()[1]), json.loads(body)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    assert data, "the gateway hung up"
    return data


@pytest.mark.parametrize("region", ["north", "south"])
def test_stamps_are_true_through_a_burst_and_a_stopped_gateway(
    region: str, world: World, publish: Callable[..., Outing]
) -> None:
    """North has this machine's clock; south's is 40 ms fast and drifts by 20 ppm."""
    gateways = [name for name in world.process_names if name.startswith(f"gateway-{region}")]
    sale = publish(opens_in=2, lobby=1, lasts=30, stock=10_000, skew_ms=100, grace_ms=2_000)
    pages, burst, handed_over = Pages(), [], []
    with ExitStack() as opened, pages.watch(world, region):
        buyers = Buyers(sale, region, opened)
        wait_for_entries(sale)
        early = [buyers.handed_over() for _ in range(120)]
        for number in range(BURST):
            burst.append(buyers.send(buyers.connect()))
            if number % 50 == 0:
                handed_over.append(buyers.send(early.pop()))
        burst = [hear() for hear in burst]
        for gateway in gateways:
            world.send(gateway, signal.SIGSTOP)
        stopped = [buyers.send(buyers.connect()) for _ in range(200)]
        handed_over += [buyers.send(connection) for connection in early]
        time.sleep(STOPPED_SECONDS)  # the stop itself, not a wait for anything
        for gateway in gateways:
            world.send(gateway, signal.SIGCONT)
        burst += [hear() for hear in stopped]
        handed_over = [hear() for hear in handed_over]
    judge(sale, region, pages, "burst and stop", burst)
    judge(sale, region, pages, "handed over", handed_over)


def told(reading: Reading, raw_ns: int) -> Stamp:
    """What a page said of a moment, without what stamping costs."""
    stamp = reading.stamp(raw_ns)
    assert stamp is not None
    return stamp


def wait_for_entries(sale: Outing) -> None:
    """Until entries are certainly taken: pacing by the sale's own schedule."""
    time.sleep(max(0, sale.terms.entries_from_ns + sale.terms.skew_bound_ns - time.time_ns()) / 1e9)


def judge(sale: Outing, region: str, pages: Pages, what: str, sent: list[Sent]) -> None:
    """Every stamp within its stated bound; beyond the clock's own bound, and its own error, by little."""
    entries = {entry["request"]: entry for entry in sale.log(region)}
    worst_ns = worst_beyond_ns = worst_stamping_ns = stated_ns = 0
    for each in sent:
        stamped_ns, bound_ns = int(each.answer["stamp_ns"]), int(each.answer["bound_ns"])
        reading = pages.readings[int(entries[each.answer["id"]]["clock"].rpartition("/")[2])]
        raw_ns = stamped_ns - reading.utc_minus_raw_ns
        raw_ns -= told(reading, raw_ns).utc_ns - stamped_ns
        own_ns = min(told(reading, raw_ns).bound_ns, bound_ns)  # the page may have been tightened under that number
        error_ns = each.beyond_ns(stamped_ns)
        assert error_ns <= bound_ns, (what, each, reading)
        worst_ns = max(worst_ns, error_ns)
        worst_beyond_ns = max(worst_beyond_ns, error_ns - own_ns)
        worst_stamping_ns = max(worst_stamping_ns, each.beyond_ns(stamped_ns - pages.clock_error_ns(reading, raw_ns)))
        stated_ns = max(stated_ns, bound_ns - own_ns)
    print(
        f"\n{region}, {what}: {len(sent)} stamps, worst true error {worst_ns / 1e6:.3f} ms, beyond the clock's bound "
        f"{worst_beyond_ns / 1e6:.3f} ms, beyond the clock's own error {worst_stamping_ns / 1e6:.3f} ms, "
        f"stated for stamping up to {stated_ns / 1e6:.3f} ms"
    )
    assert worst_beyond_ns <= ALLOWED_NS
    assert worst_stamping_ns <= ALLOWED_NS
