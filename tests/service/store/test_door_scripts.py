"""The scripts of units that are sold at the door, each by its contract: a repeat does no harm. On both servers.

Whole sales under hostile schedules: `test_hostile.py`.
"""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from model.moves import line_of
from model.units import read_units
from model.vocabulary import Entry, Granted, Refused, Stocked, Taken
from service.store import keys
from service.store.attempts import around, purchase_id, words
from service.store.chunks import lines_in
from service.store.scripts import source

Run = Callable[..., Any]
SALE = "ab" * 16
NOW_NS = 1_800_000_000_000_000_000
LOG, STOP, STOCK, GRANTS = keys.log(SALE), keys.stop(SALE), keys.stock(SALE), keys.grants(SALE)
SELL = [LOG, keys.buyers(SALE), keys.mark(SALE), STOP, STOCK]


@pytest.fixture
def run(client: redis.Redis) -> Run:
    """Runs a script by its name."""

    def call(name: str, names: list[str], *words: Any) -> Any:
        return client.eval(source(name), len(names), *names, *words)

    return call


@pytest.fixture
def sell(run: Run) -> Run:
    """Sells to buyers, all stamped now (`when` otherwise; None looks up)."""

    def call(*buyers: str, when: int | None = NOW_NS) -> Any:
        lines = [] if when is None else [around(when, 5, "h/1", 0).line(f"r.{buyer}", buyer) for buyer in buyers]
        return run("sell", SELL, *words(when or 0, lines, buyers))

    return call


@pytest.fixture
def take(run: Run) -> Run:
    """Takes a grant of virginia's in beijing."""

    def call(number: int, units: str, donor: str = "virginia", to: str = "beijing", last: str = "") -> Any:
        words = ["beijing", donor, number, to, units, "beijing virginia", last]
        return run("take", [LOG, STOP, STOCK, GRANTS], *words)

    return call


def stocked(run: Run, units: str = "0-9") -> None:
    """A share that may be sold."""
    assert run("set_up", [LOG, STOCK], units, "") == [b"stocked"]
    assert run("set_up", [LOG, STOCK], units, "1") == [b"there"]


def lines(client: redis.Redis) -> list[bytes]:
    """The log's lines."""
    found: Any = client.xrange(LOG)
    first, read = lines_in([(number, *fields.items()) for number, fields in found])
    assert first == (1 if read else 0)
    return read


def entry(seq: int, buyer: str, unit: int) -> bytes:
    """The line of a unit that was sold."""
    return line_of(Entry(seq, purchase_id(f"r.{buyer}", seq), buyer, NOW_NS, 5, "h/1", 0, unit))


def test_a_share_is_set_up_once_and_never_anew(client: redis.Redis, run: Run, sell: Run) -> None:
    names = [LOG, STOCK]
    assert run("set_up", names, "0-9", "1") == [b"lost"], "who has read the first line finds it"
    assert sell("ada") == [[b"not_ready"]]
    assert run("set_up", names, "0-9", "") == [b"stocked"]
    assert lines(client) == [line_of(Stocked(1, ((0, 9),)))]
    assert run("set_up", names, "0-9", "") == [b"there"]
    assert sell("ada") == [[b"not_ready"]], "nothing is sold before the arbiter has the first line"
    assert run("set_up", names, "0-9", "1") == [b"there"]
    assert sell("ada") == [[b"sold", 2, 0]]
    client.delete(STOCK)
    for ready in ("", "1"):
        assert run("set_up", names, "0-9", ready) == [b"lost"]
    assert sell("ada", "bob") == [[b"known", entry(2, "ada", 0)], [b"stock_lost"]]
    assert run("give", [LOG, STOP, STOCK], 1, "beijing", 1) == [b"lost"]
    assert len(lines(client)) == 2
    client.delete(LOG)
    client.hset(STOCK, mapping={"free": "1-9", "given": "0", "asked": "1", "ready": "1"})
    assert run("set_up", names, "0-9", "1") == [b"lost"]
    assert sell("bob") == [[b"stock_lost"]]
    assert run("give", [LOG, STOP, STOCK], 1, "beijing", 1) == [b"lost"]
    assert client.exists(LOG) == 0


def test_a_region_may_begin_with_nothing(client: redis.Redis, run: Run, sell: Run, take: Run) -> None:
    stocked(run, "")
    assert lines(client) == [line_of(Stocked(1, ()))]
    assert sell("ada") == [[b"empty"]]
    assert take(1, "4-5") == [b"taken"]
    assert sell("ada") == [[b"sold", 3, 4]]


def test_units_are_sold_from_the_front_each_once(client: redis.Redis, run: Run, sell: Run) -> None:
    stocked(run, "3-4,9-9,20-21")
    assert sell("ada", "bob", "ada", "eve") == [
        [b"sold", 2, 3],
        [b"sold", 3, 4],
        [b"known", entry(2, "ada", 3)],
        [b"sold", 4, 9],
    ]
    assert client.hgetall(STOCK) == {b"free": b"20-21", b"given": b"0", b"asked": b"3", b"ready": b"1"}
    assert sell("dan", "fay", "gil") == [[b"sold", 5, 20], [b"sold", 6, 21], [b"empty"]]
    assert sell("gil", "dan") == [[b"empty"], [b"known", entry(5, "dan", 20)]]
    assert client.hgetall(STOCK) == {b"free": b"", b"given": b"0", b"asked": b"7", b"ready": b"1"}
    assert lines(client)[1:] == [
        entry(seq, *sold)
        for seq, sold in enumerate((("ada", 3), ("bob", 4), ("eve", 9), ("dan", 20), ("fay", 21)), start=2)
    ]
    assert client.hgetall(keys.buyers(SALE))[b"fay"] == b"6"


def test_what_is_sold_at_once_lies_in_chunks(client: redis.Redis, run: Run, sell: Run) -> None:
    stocked(run, "0-199")
    buyers = [f"b{number}" for number in range(150)]
    assert sell(*buyers) == [[b"sold", number + 2, number] for number in range(150)]
    found: Any = client.xrange(LOG)
    assert [number for number, _ in found] == [b"1-0", b"65-0", b"129-0", b"151-0"]
    assert sell(*buyers, when=None) == [[b"known", entry(n + 2, buyer, n)] for n, buyer in enumerate(buyers)]


def test_a_known_entry_comes_before_every_refusal(client: redis.Redis, run: Run, sell: Run) -> None:
    stocked(run)
    sell("ada")
    assert sell("bob", when=None) == [[b"unknown"]]
    run("raise_mark", [keys.mark(SALE)], str(NOW_NS))
    assert sell("ada", "bob", when=NOW_NS - 1) == [[b"known", entry(2, "ada", 0)], [b"below", b"%d" % NOW_NS]]
    client.set(STOP, "sold_out")
    assert sell("ada", "bob") == [[b"known", entry(2, "ada", 0)], [b"stopped", b"sold_out"]]
    assert client.hget(STOCK, "asked") == b"1", "who is refused asks for nothing"


def test_a_grant_is_given_once_from_the_back(client: redis.Redis, run: Run) -> None:
    names = [LOG, STOP, STOCK]
    assert run("give", names, 1, "beijing", 3) == [b"lost"], "nothing was set up"
    stocked(run, "0-3,7-9")
    assert run("give", names, 1, "beijing", 4) == [b"granted", b"3-3,7-9"]
    assert run("give", names, 1, "beijing", 4) == [b"again"]
    assert run("give", names, 3, "beijing", 1) == [b"lost"], "the caller knows of a grant that is not here"
    assert run("give", names, 2, "beijing", 0) == [b"empty"]
    assert run("give", names, 2, "beijing", 9) == [b"granted", b"0-2"]
    assert run("give", names, 3, "beijing", 1) == [b"empty"]
    client.set(STOP, "closed")
    assert run("give", names, 2, "beijing", 1) == [b"again"]
    assert run("give", names, 3, "beijing", 1) == [b"stopped", b"closed"]
    assert lines(client)[1:] == [
        line_of(Granted(2, 1, "beijing", read_units("3-3,7-9"))),
        line_of(Granted(3, 2, "beijing", ((0, 2),))),
    ]
    assert client.hget(STOCK, "free") == b""


def test_a_grant_is_taken_once_and_the_rest_refused_once(client: redis.Redis, run: Run, take: Run) -> None:
    assert take(1, "10-12") == [b"lost"]
    stocked(run)
    for answer in (b"taken", b"again"):
        assert take(1, "10-12") == [answer]
    for _ in range(2):
        assert take(1, "10-13") == [b"refused", b"altered"]
        assert take(2, "13-13", to="tokyo") == [b"refused", b"foreign"]
        assert take(2, "13-13", donor="tokyo") == [b"refused", b"foreign"]
        assert take(2, "13-13", donor="beijing") == [b"refused", b"foreign"]
        assert take(2, "13-13", last="1") == [b"refused", b"fenced"]
    assert take(1, "10-12", last="1") == [b"again"]
    assert take(1, "20-21", donor="") == [b"taken"]
    for units, number in (("", 3), ("3", 3), ("3-4,", 3), ("3-4", 0), ("03-4", 3), ("4-3", 3), ("3-123456789", 3)):
        with pytest.raises(redis.ResponseError, match="ranges of units"):
            take(number, units)
    logged = lines(client)
    assert logged[1:] == [
        line_of(Taken(2, "virginia", 1, ((10, 12),))),
        line_of(Refused(3, "virginia", 1, ((10, 13),), "altered")),
        line_of(Refused(4, "virginia", 2, ((13, 13),), "foreign")),
        line_of(Refused(5, "tokyo", 2, ((13, 13),), "foreign")),
        line_of(Refused(6, "beijing", 2, ((13, 13),), "foreign")),
        line_of(Refused(7, "virginia", 2, ((13, 13),), "fenced")),
        line_of(Taken(8, "", 1, ((20, 21),))),
    ]
    assert client.hget(STOCK, "free") == b"0-9,10-12,20-21"
    client.set(STOP, "closed")
    assert take(1, "10-12") == [b"again"]
    assert take(1, "10-13") == [b"refused", b"altered"]
    assert take(1, "10-14") == [b"stopped", b"closed"]
    assert take(3, "30-31") == [b"stopped", b"closed"]
    assert lines(client) == logged, "nothing is logged where the log was stopped"
