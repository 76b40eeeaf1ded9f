"""What holders say, by the model and by the real scripts: the same answers and the same log, whatever comes when.

One region's log of a reservation takes purchases and replies side by side; calls come again whose answer was lost;
marks rise; the list is full, and later everything stops, by an arbiter that may say so twice, late, or after another
has said something else. At the end the model reads the whole log (`ReservationFold`), which holds every rule of it.
"""

from collections import Counter
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from model import guards
from model.replies import parse_line, reply_line_halves
from model.reservation import ReservationFold
from model.vocabulary import Entry, Reply, ReplyKind
from service.store import keys
from service.store.attempts import around, purchase_id, words
from service.store.chunks import lines_in
from service.store.scripts import source
from tests.reservation_stories import line_of, terms
from tests.stories import OPENS_NS, SEED

SALE = "cd" * 16
STATES = {
    *("purchase logged", "purchase known", "reply logged", "reply known", "reply known although below", "reply below"),
    *("reply unknown", "the other thing said first", "stopped twice", "mark raised"),
}
STOPS = ["sold_out:9", "closed", "cancelled", "cut_off", "halted"]

times = st.integers(OPENS_NS, OPENS_NS + 20)
buyers = st.sampled_from(["ada", "bob", "eve", "dan", "kim", "zoe", "joe", "ann"])
kinds = st.sampled_from(["confirm", "release"])


class Region(RuleBasedStateMachine):
    """One region's log of one reservation."""

    client: ClassVar[Any]
    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.log: list[Entry | Reply] = []
        self.entry_of: dict[str, Entry] = {}
        self.reply_of: dict[str, Reply] = {}
        self.mark_ns = 0
        self.stop = ""
        self.calls: list[tuple[str, ReplyKind, int]] = []

    @rule(buyer=buyers, stamp_ns=times)
    def enter(self, buyer: str, stamp_ns: int) -> None:
        request = f"north.{len(self.log)}"
        expected = self._expect_purchase(request, buyer, stamp_ns)
        arguments = words(stamp_ns, [around(stamp_ns, 1, "h/1", 0).line(request, buyer)], [buyer])
        names = [keys.log(SALE), keys.buyers(SALE), keys.mark(SALE), keys.stop(SALE)]
        told = self.client.eval(source("admit"), len(names), *names, *arguments)
        assert (told if isinstance(told, int) else told[0]) == expected

    def _expect_purchase(self, request: str, buyer: str, stamp_ns: int) -> int | list[bytes]:
        known = self.entry_of.get(buyer)
        if known is not None:
            self.reached["purchase known"] += 1
            self.reached["purchase known although stopped"] += bool(self.stop)
            return [b"known", line_of(known)]
        if self.stop:
            self.reached["purchase stopped"] += 1
            return [b"stopped", self.stop.encode()]
        if not guards.may_follow(stamp_ns, self.mark_ns):
            self.reached["purchase below"] += 1
            return [b"below", b"%d" % self.mark_ns]
        self.reached["purchase logged"] += 1
        seq = len(self.log) + 1
        entry = Entry(seq, purchase_id(request, seq), buyer, stamp_ns, 1, "h/1", 0)
        self.log.append(entry)
        self.entry_of[buyer] = entry
        return entry.seq

    @precondition(lambda self: self.entry_of)
    @rule(data=st.data(), says=kinds, stamp_ns=times)
    def reply(self, data: st.DataObject, says: ReplyKind, stamp_ns: int) -> None:
        purchases = sorted(entry.request for entry in self.entry_of.values())
        silent = [purchase for purchase in purchases if purchase not in self.reply_of]
        purchase = data.draw(st.sampled_from(silent or purchases))
        self.calls.append((purchase, says, stamp_ns))
        self._say(purchase, says, stamp_ns)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def reply_again(self, data: st.DataObject) -> None:
        """A call whose answer was lost comes again, also much later."""
        self._say(*data.draw(st.sampled_from(self.calls)))

    @precondition(lambda self: self.entry_of)
    @rule(data=st.data())
    def look_up(self, data: st.DataObject) -> None:
        """Without a stamp nothing is logged."""
        purchase = data.draw(st.sampled_from(sorted(entry.request for entry in self.entry_of.values())))
        known = self.reply_of.get(purchase)
        self.reached["reply unknown"] += known is None
        assert self._run(purchase, "", "", "") == ([b"unknown"] if known is None else [b"known", line_of(known)])

    @precondition(lambda self: self.mark_ns and len(self.entry_of) > len(self.reply_of))
    @rule(says=kinds)
    def say_too_late(self, says: ReplyKind) -> None:
        silent = next(entry for entry in self.entry_of.values() if entry.request not in self.reply_of)
        self._say(silent.request, says, self.mark_ns - 1)

    def _say(self, purchase: str, says: ReplyKind, stamp_ns: int) -> None:
        expected = self._expect_reply(purchase, says, stamp_ns)
        assert self._run(purchase, str(stamp_ns), *reply_line_halves(says, purchase, stamp_ns, 1, "h/1", 0)) == expected

    def _expect_reply(self, purchase: str, says: ReplyKind, stamp_ns: int) -> int | list[bytes]:
        may_follow = guards.may_follow(stamp_ns, self.mark_ns)
        is_full = self.stop.startswith(keys.LIST_FULL)
        known = self.reply_of.get(purchase)
        if known is not None:
            self.reached["reply known"] += 1
            self.reached["reply known although stopped"] += bool(self.stop) and not is_full
            self.reached["reply known although below"] += not may_follow
            self.reached["the other thing said first"] += known.says != says
            return [b"known", line_of(known)]
        if self.stop and not is_full:
            self.reached["reply stopped"] += 1
            return [b"stopped", self.stop.encode()]
        if not may_follow:
            self.reached["reply below"] += 1
            return [b"below", b"%d" % self.mark_ns]
        self.reached["reply logged"] += 1
        self.reached["reply logged although the list is full"] += is_full
        reply = Reply(len(self.log) + 1, says, purchase, stamp_ns, 1, "h/1", 0)
        self.log.append(reply)
        self.reply_of[purchase] = reply
        return reply.seq

    def _run(self, *words: str) -> Any:
        names = [keys.log(SALE), keys.replies(SALE), keys.mark(SALE), keys.stop(SALE)]
        return self.client.eval(source("reply"), len(names), *names, *words)

    @rule(mark_ns=times.map(lambda stamp_ns: stamp_ns - 6))
    def raise_mark(self, mark_ns: int) -> None:
        if guards.mark_may_rise(self.mark_ns, mark_ns):
            self.reached["mark raised"] += 1
            self.mark_ns = mark_ns
        self.client.eval(source("raise_mark"), 1, keys.mark(SALE), str(mark_ns))

    @precondition(lambda self: len(self.log) > 1)
    @rule()
    def list_is_full(self) -> None:
        self._stop("list_full:7")

    @precondition(lambda self: len(self.log) > 3)
    @rule(why=st.sampled_from(STOPS))
    def everything_stops(self, why: str) -> None:
        self._stop(why)

    def _stop(self, why: str) -> None:
        """The first reason stays, but for a full list's."""
        is_full, was_full = why.startswith(keys.LIST_FULL), self.stop.startswith(keys.LIST_FULL)
        stands = why if not self.stop or (was_full and not is_full) else self.stop
        self.reached["stopped twice"] += self.stop == why
        self.reached["full gave way"] += was_full and not is_full
        self.reached["full came too late"] += bool(self.stop) and is_full and not was_full
        self.reached["first reason stayed"] += bool(self.stop) and stands != why
        self.stop = stands
        assert self.client.eval(source("stop"), 1, keys.stop(SALE), why) == stands.encode()

    @invariant()
    def the_store_has_what_the_model_has(self) -> None:
        stored: Any = self.client.xrange(keys.log(SALE))
        _, lines = lines_in([(number, *fields.items()) for number, fields in stored])
        assert [parse_line(line) for line in lines] == self.log
        assert self.client.hgetall(keys.replies(SALE)) == {
            reply.purchase.encode(): b"%d" % reply.seq for reply in self.reply_of.values()
        }
        assert self.client.get(keys.stop(SALE)) == (self.stop.encode() or None)

    def teardown(self) -> None:
        """The model takes the whole log."""
        fold = ReservationFold(terms(regions=("north",)), SEED)
        fold.deliver_all("north", [line_of(record) for record in self.log])
        assert fold.delivered("north").seq == len(self.log)


def test_model_and_scripts_say_the_same(client: "redis.Redis[bytes]") -> None:
    Region.client = client
    Region.reached.clear()
    run_state_machine_as_test(Region, settings=settings(max_examples=30, stateful_step_count=30))
    missing = STATES - {state for state, times_reached in Region.reached.items() if times_reached}
    print("states reached:", ", ".join(f"{state} {number}" for state, number in sorted(Region.reached.items())))
    if missing:
        pytest.fail(f"never reached: {', '.join(sorted(missing))}")


def test_a_full_list_stops_purchases_and_gives_way_to_what_stops_replies_too(client: "redis.Redis[bytes]") -> None:
    for why in ("list_full:7", "list_full:8"):
        assert client.eval(source("stop"), 1, keys.stop(SALE), why) == b"list_full:7"
    admit = [keys.log(SALE), keys.buyers(SALE), keys.mark(SALE), keys.stop(SALE)]
    arguments = words(OPENS_NS, [around(OPENS_NS, 1, "h/1", 0).line("north.1", "ada")], ["ada"])
    assert client.eval(source("admit"), len(admit), *admit, *arguments) == [[b"stopped", b"list_full:7"]]
    assert say(client, "north.0") == 1
    for why, stands in (("sold_out:9", b"sold_out:9"), ("list_full:7", b"sold_out:9"), ("halted", b"sold_out:9")):
        assert client.eval(source("stop"), 1, keys.stop(SALE), why) == stands
    assert say(client, "north.2") == [b"stopped", b"sold_out:9"]
    assert say(client, "north.0")[0] == b"known"


def test_a_reply_that_the_store_lost_is_not_made_again(client: "redis.Redis[bytes]") -> None:
    assert say(client, "north.1") == 1
    client.xdel(keys.log(SALE), "1-0")
    assert say(client, "north.1") == [b"lost", b"1"]


def say(client: "redis.Redis[bytes]", purchase: str) -> Any:
    """Confirm a purchase."""
    names = [keys.log(SALE), keys.replies(SALE), keys.mark(SALE), keys.stop(SALE)]
    words = [purchase, str(OPENS_NS), *reply_line_halves("confirm", purchase, OPENS_NS, 1, "h/1", 0)]
    return client.eval(source("reply"), len(names), *names, *words)
