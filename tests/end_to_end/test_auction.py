"""Auctions end to end: real processes that die under them, bundles that an independent reading decides again.

Everybody who was told anything finds just that in the bundle; every bid has one outcome; nobody hears of a winner
before the auction has closed.
"""

import os
import random
import secrets
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from model import wire
from model.beacon import draw_key
from model.vocabulary import BeaconValue, CutOff
from service.world.crowd import Press, Pressed
from service.world.world import ARBITER, World
from tests.auction_stories import read_again
from tests.beacons import DrandServer, OwnBeacon
from tests.patience import until
from tests.stories import Story
from tests.worlds import LONGEST_SECONDS, Finished, Outing

Publish = Callable[..., Outing]
REGIONS = ("north", "south", "west")
EUR: dict[str, Any] = {"kind": "auction", "currency": "EUR", "reserve_price": 100}


def bidding(sale: Outing, bids: list[Press], **how: Any) -> Future[list[Pressed]]:
    """Bids, while the test's own thread does something to the world."""
    with_one = ThreadPoolExecutor(1)
    future = with_one.submit(sale.press_as, bids, **how)
    with_one.shutdown(wait=False)
    return future


def crowd(sale: Outing, buyers: int, seconds: float, chance: random.Random) -> list[Press]:
    """Each buyer bids once to three times, anywhere, at one of few prices; some bids are made twice."""
    bids = [
        Press(f"buyer-{number}", chance.choice(REGIONS), sale.at_ns(chance.uniform(0.1, seconds)), price)
        for number in range(buyers)
        for price in chance.sample(range(100, 160), chance.randint(1, 3))
    ]
    return bids + [Press(bid.buyer, bid.region, bid.at_ns + 300_000_000, bid.price) for bid in bids[::10]]


def judged(sale: Outing) -> Finished:
    """The bundle passes the audit, and is what the rules say, read by brute force."""
    done = sale.finish()
    terms, seed = (
        sale.terms,
        bytes.fromhex(wire.parse_canonical((done.folder / "seed.json").read_bytes().strip())["seed"]),
    )
    lines = {name: (done.folder / f"regions/{name}.jsonl").read_bytes().splitlines() for name in terms.regions}
    decisions = [
        wire.parse_decision_line(index, line)
        for index, line in enumerate((done.folder / "decisions.jsonl").read_bytes().splitlines())
    ]
    beacon = next((each for each in decisions if isinstance(each, BeaconValue)), None)
    key = seed if beacon is None else draw_key(seed, beacon)
    cut_offs = {each.region: each.seq for each in decisions if isinstance(each, CutOff)}
    logs = {name: [wire.parse_log_line(line) for line in some] for name, some in lines.items()}
    again = read_again(Story(terms, logs, cut_offs), key)
    won = [(each["request"], each["price"]) for each in done.decisions if each["type"] == "won"]
    assert won == again.won
    assert done.outcomes == {name: {"request": name, **told} for name, told in again.outcomes.items()}
    return done


def first_news_ns(sale: Outing, region: str) -> int:
    """When a region tells of the first event, by the clock of this machine."""
    url = f"http://127.0.0.1:{sale.world.ports[region]}/v1/sales/{sale.sale}/events"
    headers = {"authorization": f"Bearer {sale.world.token}"}
    with httpx.stream("GET", url, headers=headers, timeout=60) as told:
        next(line for line in told.iter_lines() if line.startswith("data: "))
        return time.time_ns()


def test_an_auction_whose_processes_die(world: World, publish: Publish) -> None:
    chance = random.Random(9)
    sale = publish(opens_in=2, lasts=5, stock=40, pricing="uniform", cut_off_ms=20_000, grace_ms=300, **EUR)
    bids = crowd(sale, 500, 4, chance)
    pressing = bidding(sale, bids, tries=12)
    news = ThreadPoolExecutor(1).submit(first_news_ns, sale, "north")
    until(lambda: sale.logged("north") > 50)
    world.kill(ARBITER)
    world.kill("gateway-south-1")
    world.start("gateway-south-1")
    world.start(ARBITER)
    until(lambda: sale.logged("west") > 150)
    os.kill(world.embedded["west"].pid, signal.SIGKILL)
    until(lambda: time.time_ns() > sale.at_ns(5))
    world.kill(ARBITER)
    world.start(ARBITER)
    pressing.result()
    done = judged(sale)

    assert {pressed.status for pressed in sale.pressed} <= {200, 202}
    assert done.keeps_its_word() == len(bids)
    assert len(done.entries) == len({(bid.buyer, bid.price, bid.region) for bid in bids})
    assert len(done.winners) == 40
    assert done.reasons() == {"outbid", "duplicate"}
    assert news.result() > sale.terms.closes_ns
    assert sale.state()["clearing_price"] == done.decisions[-2]["price"]
    request = done.winners[0]
    shown = sale.call("GET", f"/purchases/{request}", request.partition(".")[0]).json()
    assert (shown["state"], shown["pays"]) == ("won", done.outcomes[request]["price"])


def test_a_region_that_falls_silent_before_the_end(world: World, publish: Publish) -> None:
    """What the arbiter had read counts; a bid behind a dead line is lost, however high, and says so.

    It is made at once: a region that has not heard the arbiter for half of the cut-off takes nothing more.
    """
    sale = publish(opens_in=2, lasts=8, skew_ms=20, grace_ms=100, cut_off_ms=6_000, stock=2, **EUR)
    first = [Press("counted", "west", sale.at_ns(0.1), 500), Press("north", "north", sale.at_ns(0.1), 300)]
    sale.press_as(first)
    until(lambda: any(seen["regions"]["west"]["seq"] for seen in sale.of_type("seen")))
    world.kill("lines-west")
    beyond = bidding(sale, [Press("beyond", "west", sale.at_ns(0.2), 900)], wait_seconds=40)
    [south] = sale.press_as([Press("south", "south", sale.at_ns(2), 400)], wait_seconds=40)
    assert (south.answer["state"], south.answer["pays"]) == ("won", 400)
    world.start("lines-west")
    [told] = beyond.result()
    assert (told.answer["state"], told.answer["reason"]) == ("lost", "cut_off")
    done = judged(sale)
    assert done.keeps_its_word() == 4
    assert {done.entries[request][1]["buyer"] for request in done.winners} == {"counted", "south"}
    assert done.reasons() == {"cut_off", "outbid"}


def test_an_auction_that_waits_for_a_beacon(world: World, publish: Publish, drand: DrandServer) -> None:
    """Equal bids in one window: which lots win is known only once the round is."""
    beacon = OwnBeacon(int(time.time()) - 1, secret=secrets.randbits(200) + 1)
    drand.serve(beacon)
    sale = publish(opens_in=2, lasts=3, stock=2, beacon=beacon, known_after=2, **EUR)
    sale.press_as([Press(f"buyer-{n}", REGIONS[n % 3], sale.at_ns(0.1), 500) for n in range(9)])
    until(lambda: sale.of_type("complete"))
    assert sale.state()["winners"] == 0
    until(sale.is_over, LONGEST_SECONDS)
    assert time.time_ns() > (sale.terms.beacon.published_ns if sale.terms.beacon else 0)
    done = judged(sale)
    kinds = [each["type"] for each in done.decisions if each["type"] != "seen"]
    assert kinds == ["complete", "beacon", "won", "won", "closed"]
    assert done.keeps_its_word() == 9


def test_an_auction_that_is_cancelled_sells_nothing(world: World, publish: Publish) -> None:
    sale = publish(opens_in=2, lasts=60, stock=2, **EUR)
    [pressed] = sale.press_as([Press("ann", "south", sale.at_ns(0.1), 500)])
    assert pressed.status == 202
    until(lambda: sale.of_type("seen"))
    assert sale.call("POST", "/cancel", json={"reason": "the seats are gone"}).status_code == 200
    done = sale.finish()
    assert [outcome["reason"] for outcome in done.outcomes.values()] == ["cancelled"]
    assert done.winners == []
    shown = sale.state()
    assert (shown["state"], shown["winners"], "clearing_price" in shown) == ("cancelled", 0, False)
