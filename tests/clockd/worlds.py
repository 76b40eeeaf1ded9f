"""Simulated worlds: true time, a host with a poor oscillator, honest servers and liars, and all that can happen to it.

Everything that decides is the shipped code: `judge` on real packets, `Keeper`, `published`, `Writer`, `Reader`. Only
time, the wire and fate are simulated, all of it from one seed. True time is known exactly, so a world can say whether
an interval that a reader was given contains it.

True time is Unix time: an inserted leap second takes one second off it. The oscillator does all that is stated about
it, and no more: its rate stays within the drift and bends within the wander, at the limit as often as not.
"""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

from clockd.keeper import Keeper
from clockd.leap import next_leap_ns
from clockd.ntp.exchange import Asked, Exchange, Rejected, judge
from clockd.ntp.packet import Packet, encode, pivot_ns, to_ntp
from clockd.page import PAGE_BYTES, Writer, boot_hash
from clockd.publishing import Standing, published
from clockd.reader import Reader
from model.clock import tolerated_liars
from model.track import Oscillator

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
FS = 1_000_000  # femtoseconds in a nanosecond
ERA_TURN = 2_085_978_496 * SECOND  # 2036-02-07 06:28:16 UTC
LEAP_DAY = 1_798_761_600 * SECOND  # 2027-01-01: a leap second before it is conceivable
ADDRESS = ("192.0.2.9", 123)


@dataclass
class Host:
    """Clocks of a host in a simulated world; a `HostClock`."""

    chance: random.Random
    oscillator: Oscillator
    raw: int
    true_fs: int  # UTC − RAW
    rate: int = 0  # of that, in 10⁻¹⁵
    ahead: int = 0  # REALTIME − RAW
    slept: int = 0
    boot_id: str = "boot 0"

    def pass_ns(self, elapsed_ns: int) -> None:
        """Time goes by; the rate bends as fast as it may, or slower, either way."""
        wander, most = self.oscillator.wander_ppt_s, self.oscillator.drift_ppb * 1_000_000
        bend = wander * elapsed_ns // 1_000_000  # 10⁻¹²/s · ns, in 10⁻¹⁵
        change = self.chance.choice([-bend, bend, self.chance.randint(-bend, bend)])
        after = max(-most, min(most, self.rate + change))
        self.true_fs += (self.rate + after) * elapsed_ns // 2 // SECOND
        self.rate, self.raw = after, self.raw + elapsed_ns

    def true_ns(self) -> int:
        """UTC, rounded down."""
        return self.raw + self.true_fs // FS

    def raw_ns(self) -> int:
        return self.raw

    def realtime_ns(self) -> int:
        return self.raw + self.ahead

    def monotonic_ns(self) -> int:
        return self.raw

    def monotonic_coarse_ns(self) -> int:
        return self.raw - self.raw % (4 * MILLISECOND)

    def boottime_ns(self) -> int:
        return self.raw + self.slept

    def from_kernel_ns(self, kernel_realtime_ns: int) -> int:
        return kernel_realtime_ns


@dataclass
class Server:
    """A server: honest, so within its stated distance of UTC, or a liar with a style of its own."""

    chance: random.Random
    liar: bool
    distance_ns: int
    delay_ns: int
    lie_ns: int = 0
    lie_ppb: int = 0
    lie_from_ns: int = 0
    dead: bool = False
    style: str = field(init=False)

    def __post_init__(self) -> None:
        self.style = self.chance.choice(["far", "near", "slewing", "stepping", "narrow", "kind"]) if self.liar else ""
        self.lie_ns = self.chance.choice([-1, 1]) * self.chance.choice([self.distance_ns * 2, 10**6, 10**9, 10**13])

    def says(self, utc_ns: int, distance_ns: int) -> int:
        """What its clock shows."""
        if not self.liar or self.style == "kind":
            return utc_ns + distance_ns * self.chance.choice([0, 9, -9, self.chance.randint(-9, 9)]) // 9
        if self.style == "stepping" and self.chance.random() < 0.3:
            self.lie_ns = -self.lie_ns
        if self.style == "slewing":
            self.lie_from_ns = self.lie_from_ns or utc_ns
            return utc_ns + (utc_ns - self.lie_from_ns) * 400 // 1_000_000
        return utc_ns + self.lie_ns


class World:
    """One world, made of a seed.

    Args:
        path: where the page is; a file system in memory is as good as any.
        wander_times: by how much the oscillator is worse than stated; only 1 keeps the promise.
    """

    def __init__(self, seed: int, path: Path, wander_times: int = 1) -> None:
        self.chance = chance = random.Random(seed)
        self.path = path
        self.oscillator = Oscillator(chance.choice([1000, 50_000, 200_000]), chance.choice([0, 100, 10_000, 200_000]))
        start = chance.choice([1_790_000_000 * SECOND, ERA_TURN, LEAP_DAY]) - chance.randint(0, 400) * SECOND
        self.leap_ns = LEAP_DAY if chance.random() < 0.5 else None
        self.leap_kind = chance.choice([1, 2])
        self.leaped = start >= LEAP_DAY
        raw = chance.randint(SECOND, 10**15)
        really = replace(self.oscillator, wander_ppt_s=self.oscillator.wander_ppt_s * wander_times)
        self.host = Host(chance, really, raw, (start - raw) * FS)
        self.host.rate = chance.randint(-self.oscillator.drift_ppb, self.oscillator.drift_ppb) * 1_000_000
        self.host.ahead = start - raw + chance.choice([0, 1, -1]) * chance.choice([10**5, 10**9, 3600 * SECOND])
        count = chance.choice([1, 2, 3, 3, 3, 4, 5, 7])
        liars = set(chance.sample(range(count), chance.randint(0, tolerated_liars(count))))
        scale = chance.choice([1000, 10**5, 10**7])
        self.servers = [
            Server(chance, i in liars, chance.randint(10, 10 * scale), chance.randint(1, 3 * scale))
            for i in range(count)
        ]
        self.polls = chance.choice([(1, 1), (16, 1024), (64, 64)])
        self.writer = Writer(path)
        self.keeper = self._new_keeper()
        self.due = [self.host.raw] * count
        self.reader = Reader(path, self.host)
        self.checked = self.given = self.violated = 0
        self.events: list[str] = []

    def _new_keeper(self) -> Keeper:
        found = self.writer.found
        names = [f"s{i}" for i in range(len(self.servers))]
        self.keeps = found is not None and found.boot == boot_hash(self.host.boot_id)
        return Keeper(names, self.oscillator, self.polls, found.update if found else 0, self.host.slept)

    def run(self, steps: int) -> None:
        """Ask, publish, read and suffer, that many times."""
        for _ in range(steps):
            self._something_happens()
            number = min(range(len(self.servers)), key=self.due.__getitem__)
            wait = self.due[number] - self.host.raw
            while wait > 0:
                part = min(wait, self.chance.choice([SECOND, 8 * SECOND, 200 * SECOND]))
                self._pass(part)
                self._tick()
                self._read()
                wait -= part
            self._ask(number)
            self._tick()
            for _ in range(6):
                self._pass(self.chance.randint(0, SECOND))
                self._read()
        self.reader.close()
        self.writer.close()

    def _pass(self, elapsed_ns: int) -> None:
        """Let time pass, and the leap come when it is time."""
        before = self.host.true_ns()
        self.host.pass_ns(elapsed_ns)
        if self.leap_ns and not self.leaped:
            moment = self.leap_ns if self.leap_kind == 1 else self.leap_ns - SECOND
            if before < moment + SECOND * (self.leap_kind == 1) <= self.host.true_ns():
                self.host.true_fs += SECOND * FS * (-1 if self.leap_kind == 1 else 1)
                self.leaped = True
                self.events.append("leap")

    def _leap_slept_through(self) -> None:
        if self.leap_ns and not self.leaped and self.host.true_ns() >= self.leap_ns - SECOND:
            self.host.true_fs += SECOND * FS * (-1 if self.leap_kind == 1 else 1)
            self.leaped = True

    def _announced(self) -> int:
        if self.leap_ns is None or self.leaped or next_leap_ns(self.host.true_ns()) != self.leap_ns:
            return 0
        return self.leap_kind

    def _exchange(self, server: Server) -> Exchange | Rejected | None:
        chance, host = self.chance, self.host
        nonce = chance.randbytes(8)
        asked = Asked(ADDRESS, nonce, host.raw)
        if server.dead or chance.random() < 0.05:
            return None
        self._pass(server.delay_ns + int(min(chance.paretovariate(1.2) * server.delay_ns / 4, SECOND / 3)))
        distance_ns = max(4, int(server.distance_ns * chance.uniform(0.5, 1)))
        precision = -28
        stated_ns = distance_ns // 5 if server.style == "narrow" else distance_ns
        received = server.says(host.true_ns(), distance_ns)
        self._pass(chance.randint(0, 50_000))
        sent = max(received, server.says(host.true_ns(), distance_ns))
        reply = Packet(
            leap=self._announced(),
            version=4,
            mode=4,
            stratum=2,
            poll=6,
            precision=precision,
            root_delay_ns=stated_ns,
            root_dispersion_ns=stated_ns - stated_ns // 2,
            reference_id=0,
            reference=1,
            origin=nonce,
            receive=to_ntp(received),
            transmit=to_ntp(sent),
        )
        self._pass(server.delay_ns + int(min(chance.paretovariate(1.1) * server.delay_ns / 4, SECOND / 3)))
        pivot = pivot_ns(host.realtime_ns())
        return judge(
            asked, encode(reply), ADDRESS, received_raw_ns=host.raw, pivot_ns=pivot, drift_ppb=self.oscillator.drift_ppb
        )

    def _ask(self, number: int) -> None:
        slept = self.host.slept
        answer = self._exchange(self.servers[number])
        name = f"s{number}"
        self.keeper.take(name, answer if self.host.slept == slept else None)
        self.due[number] = self.host.raw + self.keeper.sources[name].poll.wait_seconds * SECOND

    def _tick(self) -> None:
        """What the daemon does every second and after every answer."""
        keeper, host = self.keeper, self.host
        if not (keeper.notice_suspend(host.slept, host.raw) or keeper.notice_leap(host.raw)) and keeper.has_news:
            keeper.believe(host.raw)
        keeper.age(host.raw)
        for name in keeper.hurried:
            self.due[int(name[1:])] = host.raw + 2 * SECOND
        keeper.hurried.clear()
        keeper.notes.clear()
        keeper.records.clear()
        if keeper.belief.track is None and keeper.belief.update == 0 and self.keeps:
            return
        standing = Standing("h", boot_hash(host.boot_id), keeper.suspended_ns, 0, 3, False, keeper.leap_from_raw_ns)
        public, page = published(keeper.belief, standing, host, keeper.oscillator)
        self.writer.write(public, page)
        if page.state.has_time and page.void_after_raw_ns >= host.raw and not self._in_leap():
            off = abs(host.true_ns() - host.realtime_ns())
            elapsed = host.monotonic_ns() - public.as_of_ns
            self.violated += off > public.bound_ns + elapsed * public.drift_ppb // SECOND + 2
            self.checked += 1

    def _in_leap(self) -> bool:
        """While Unix time says a second twice there is no truth; nobody may be given a time then."""
        if self.leap_ns is None or self.leap_kind != 1 or self.leaped:
            return False
        return self.host.true_ns() >= self.leap_ns

    def _read(self) -> None:
        host = self.host
        reading = self.reader.read()
        stamp = reading.stamp(host.raw, self.chance.choice([0, 1000]))
        self.checked += 1
        if stamp is not None:
            self.given += 1
            true = host.true_fs + host.raw * FS
            wrong = not (stamp.utc_ns - stamp.bound_ns) * FS <= true <= (stamp.utc_ns + stamp.bound_ns) * FS
            self.violated += wrong or self._in_leap()

    def _something_happens(self) -> None:
        chance, host = self.chance, self.host
        what = chance.random()
        if what < 0.04:
            host.ahead += chance.choice([-3600, 3600, 1, -1]) * SECOND
            self.events.append("step")
        elif what < 0.07:
            slept = chance.randint(2 * MILLISECOND, 600 * SECOND)
            host.slept += slept
            host.true_fs += slept * FS
            self._leap_slept_through()
            self.events.append("suspend")
            self._read()
        elif what < 0.10:
            self.writer.close()
            self._pass(chance.choice([SECOND, 100 * SECOND, 1200 * SECOND]))
            self._read()
            self.writer = Writer(self.path)
            self.keeper = self._new_keeper()
            self.events.append("restart")
        elif what < 0.12:
            self._tear()
            self.events.append("torn")
        elif what < 0.135:
            self._reboot()
            self.events.append("reboot")
        elif what < 0.15:
            server = chance.choice(self.servers)
            server.dead = not server.dead

    def _tear(self) -> None:
        """Somebody scribbles over the page, or a writer dies half way."""
        with self.path.open("r+b") as file:
            if self.chance.random() < 0.5:
                file.seek(14)
                file.write((2 * self.chance.randint(1, 30_000) + 1).to_bytes(2, "little"))
            file.seek(self.chance.randint(80, PAGE_BYTES - 40))
            file.write(self.chance.randbytes(self.chance.randint(1, 40)))
        fresh = Reader(self.path, self.host)
        self.reader.close()
        self.reader = fresh
        self._read()

    def _reboot(self) -> None:
        host = self.host
        self.reader.close()
        down = self.chance.randint(SECOND, 100 * SECOND)
        true_ns = host.true_ns() + down
        host.boot_id = f"boot {self.chance.random()}"
        host.raw, host.slept = self.chance.randint(SECOND, 50 * SECOND), 0
        host.true_fs, host.ahead = (true_ns - host.raw) * FS, true_ns - host.raw + self.chance.randint(-SECOND, SECOND)
        self._leap_slept_through()
        self.reader = Reader(self.path, host)
        self._read()
        self.writer.close()
        self.writer = Writer(self.path)
        self.keeper = self._new_keeper()
        self.due = [host.raw] * len(self.servers)
