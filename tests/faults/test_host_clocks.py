"""What befalls a host's clock during a sale: its daemon is killed, its wall clock is stepped, the host sleeps.

Nobody is ever given a stamp outside its bound; where there is no time, purchases are refused and say so; and everything
comes back by itself. West's host is a simulated one with a real clockd, real gateways and a real store; fate (a file,
`clockd/fate.py`) steps its wall clock and lets it sleep. True time is this machine's, which the reference serves.
"""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from clockd.fate import Fate
from clockd.host import RealClock, open_host_clock
from clockd.reader import Reader, Reading
from service.world.crowd import Pressed
from service.world.world import World, WorldPlan
from tests.clockd.test_page import clockbound_v2
from tests.patience import until
from tests.worlds import REGIONS, SECOND, Outing

HOUR = 3600 * SECOND
VALID_SECONDS = 5
WEST = ("clockd-west", "gateway-west-0", "gateway-west-1")


class FatedWorld(World):
    """The world, with a fate for the host of west."""

    def host_clock(self, region: str) -> str:
        clock = super().host_clock(region)
        return f"{clock},fate={self.folder / 'fate'}" if region == "west" else clock


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    with FatedWorld(WorldPlan(REGIONS, valid_seconds=VALID_SECONDS)) as world:
        yield world


class Watch:
    """West's clock as its gateways see it, and a sale whose buyers press there one after another."""

    def __init__(self, world: World, sale: Outing) -> None:
        self.world, self.sale = world, sale
        self.host = open_host_clock(world.host_clock("west"))
        self.reader = Reader(world.page("west"), self.host)
        self.fate = Fate(world.folder / "fate")
        self.refused: list[Pressed] = []

    def page(self) -> Reading:
        return self.reader.read()

    def press(self) -> Pressed:
        """One more buyer, now. Who is taken has a true stamp; who is refused is told that it is for the clock."""
        [pressed] = self.sale.press([(f"buyer-{time.time_ns()}", "west", 0)], tries=1)
        if pressed.status == 503:
            assert pressed.answer["type"].endswith("clock_unsafe"), pressed.answer
            self.refused.append(pressed)
        else:
            assert pressed.status == 202, pressed
            stamp_ns, bound_ns = int(pressed.answer["stamp_ns"]), int(pressed.answer["bound_ns"])
            assert bound_ns <= self.sale.terms.skew_bound_ns
            assert pressed.sent[0] <= stamp_ns + bound_ns  # no earlier than it was sent
            assert stamp_ns - bound_ns <= pressed.answered_ns  # nor later than it was answered
        return pressed

    def is_taken(self) -> bool:
        return self.press().status == 202

    def evidence(self, pressed: Pressed) -> int:
        """The number of the clock's update behind a stamp, as the log has it."""
        [entry] = [each for each in self.sale.log("west") if each["request"] == pressed.answer["id"]]
        host, _, update = entry["clock"].partition("/")
        assert host == "west-1"
        return int(update)

    def finish(self) -> None:
        """The sale ends; its audit passes, and whoever was taken finds what they were told."""
        self.reader.close()
        self.sale.call("POST", "/cancel", json={"reason": "seen enough"})
        done = self.sale.finish()
        assert self.sale.of_type("cut_off", "halted") == []
        assert done.keeps_its_word() == sum(pressed.status == 202 for pressed in self.sale.pressed)
        done.decided_again()


@pytest.fixture
def watch(world: World, publish: Callable[..., Outing]) -> Watch:
    sale = publish(skew_ms=100, grace_ms=2_000, stock=5_000, lasts=300)
    until(lambda: time.time_ns() > sale.at_ns(0))
    return Watch(world, sale)


def test_a_killed_clockd_is_outlived_for_as_long_as_its_page_says_and_no_longer(world: World, watch: Watch) -> None:
    assert watch.is_taken()
    world.kill("clockd-west")
    void_after_raw_ns, update = watch.page().void_after_raw_ns, watch.page().update
    assert void_after_raw_ns - watch.page().published_raw_ns == VALID_SECONDS * SECOND
    taken = 0
    while not watch.refused:
        before_raw_ns, pressed = watch.host.raw_ns(), watch.press()
        if before_raw_ns > void_after_raw_ns:
            assert pressed.status == 503
        elif watch.host.raw_ns() < void_after_raw_ns:
            assert pressed.status == 202  # until then the page is true, and its bound grows
            taken += 1
    assert taken
    assert all(watch.press().status == 503 for _ in range(5))
    assert watch.page().reason == "void"
    world.start("clockd-west")
    until(watch.is_taken)
    assert watch.page().update > update
    watch.finish()


@pytest.mark.parametrize("step_ns", [HOUR, -HOUR])
def test_a_wall_clock_stepped_by_an_hour_reaches_no_stamp(world: World, watch: Watch, step_ns: int) -> None:
    before = watch.press()
    assert before.status == 202
    until(lambda: clockbound_v2(world.page("west")).bound_nsec < SECOND)
    watch.fate.stepped(RealClock().raw_ns(), step_ns)
    until(lambda: clockbound_v2(world.page("west")).bound_nsec > HOUR - SECOND)  # who reads REALTIME is warned
    assert watch.press().status in {202, 503}
    until(watch.is_taken)
    assert abs(watch.host.realtime_ns() - time.time_ns()) > HOUR - SECOND  # nobody has stepped it back
    assert watch.page().reason == ""
    watch.fate.stepped(RealClock().raw_ns(), -step_ns)
    until(watch.is_taken)
    watch.finish()


def test_a_host_that_slept_has_no_time_until_it_has_asked_again(world: World, watch: Watch) -> None:
    assert watch.is_taken()
    for name in WEST:
        world.send(name, signal.SIGSTOP)
    update, asleep_raw_ns = watch.page().update, RealClock().raw_ns()
    assert watch.page().reason == ""
    [neighbour] = watch.sale.press([("neighbour", "south", 0)])
    until(lambda: RealClock().raw_ns() - asleep_raw_ns > SECOND)
    awake_raw_ns = RealClock().raw_ns()
    watch.fate.slept(awake_raw_ns, awake_raw_ns - asleep_raw_ns)
    watch.reader.close()
    assert watch.page().reason == "suspended"  # whoever reads the page before the daemon is awake
    for name in WEST[1:]:
        world.send(name, signal.SIGCONT)
    assert all(watch.press().status == 503 for _ in range(5))
    world.send("clockd-west", signal.SIGCONT)
    until(watch.is_taken)
    assert watch.evidence(watch.sale.pressed[-1]) > update
    assert neighbour.status == 202
    watch.finish()
