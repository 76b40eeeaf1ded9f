"""Real bundles of an auction and of a reservation, edited in one place; every edit is found, by the rule that should.

Three forgers make each edit, as in `test_audit_door_tampering.py`. The *keyless* one writes the manifest anew and keeps
the signatures that were there. The *colluding* one holds every key and signs everything anew. The *thorough* one puts
besides into every look the heads, and the numbers, that the edited logs have now: what is found then is found by what
follows from the logs, or by the clocks. Where nothing contradicts an edit the table says None, and why.

`AUDIT_EDITS=2000 pytest tests/proofs/test_audit_kinds_tampering.py` makes so many.
"""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from model import wire
from model.wire import canonical
from proofs.audit import audit
from tests.proofs.bid_sales import an_auction
from tests.proofs.held_sales import a_reservation
from tests.proofs.sales import Sale
from tests.proofs.test_audit_tampering import (
    DECISIONS,
    OUTCOMES,
    Edit,
    add,
    as_it_is,
    changed,
    content_of,
    forged,
    lines_of,
    of_type,
    renumbered,
    without_keys,
)
from tests.search import many

AUCTION = an_auction(30, 5, seed=6)
FIRST_PRICE = an_auction(30, 5, seed=6, pricing="first_price")
RESERVATION = a_reservation(24, seed=7, confirms=0.4)
LOGS = ("regions/north.jsonl", "regions/south.jsonl", "regions/west.jsonl")
EDITS = int(os.environ.get("AUDIT_EDITS", many(1)))

AS_SEEN = "its log is as the arbiter saw it"
MODEL = "every decision is what the model decides"
RECORD = (
    f"{MODEL}|what follows is recorded|nothing decides|no record follows|closed early only|is not empty|well formed"
)
OUTCOME = "every outcome is what follows"

Change = Callable[[dict], None]


class Forger:
    """Makes one edit of each kind, at a place that chance chooses."""

    def __init__(self, chance: random.Random, content: dict[str, bytes]) -> None:
        self.chance, self.content = chance, content

    def records(self, kind: str, of: Callable[[dict], bool] = lambda _: True) -> list[tuple[str, int, dict]]:
        """Lines of a type in all logs, with where."""
        found = [
            (log, at, json.loads(lines_of(self.content[log])[at]))
            for log in LOGS
            for at in of_type(self.content[log], kind)
        ]
        return [each for each in found if of(each[2])]

    def log(self, kind: str, change: Change, of: Callable[[dict], bool] = lambda _: True) -> Edit:
        log, at, _ = self.chance.choice(self.records(kind, of))
        return log, changed(self.content[log], at, change)

    def without(self, kind: str, of: Callable[[dict], bool] = lambda _: True) -> Edit:
        """A line left out, and those behind it numbered anew."""
        log, at, _ = self.chance.choice(self.records(kind, of))
        lines = lines_of(self.content[log])
        del lines[at]
        return log, numbered(lines)

    def again(self, kind: str) -> Edit:
        log, at, _ = self.chance.choice(self.records(kind))
        lines = lines_of(self.content[log])
        return log, numbered([*lines, lines[at]])

    def before_its_entry(self) -> Edit:
        log, at, reply = self.chance.choice(self.records("confirm"))
        lines = lines_of(self.content[log])
        line = lines.pop(at)
        entry = next(at for at, each in enumerate(lines) if f'"request":"{reply["purchase"]}"'.encode() in each)
        lines.insert(entry, line)
        return log, numbered(lines)

    def decision(self, kind: str, change: Change, of: Callable[[dict], bool] = lambda _: True) -> Edit:
        content = self.content[DECISIONS]
        places = [at for at in of_type(content, kind) if of(json.loads(lines_of(content)[at]))]
        return DECISIONS, changed(content, self.chance.choice(places), change)

    def without_decision(self, kind: str) -> Edit:
        lines = lines_of(self.content[DECISIONS])
        del lines[self.chance.choice(of_type(self.content[DECISIONS], kind))]
        return DECISIONS, renumbered(b"".join(lines))

    def swapped(self, kind: str, *fields: str) -> Edit:
        """What two records of a type say of some fields, the one for the other."""
        content = self.content[DECISIONS]
        one, other = self.chance.sample(of_type(content, kind), 2)
        first, second = (json.loads(lines_of(content)[at]) for at in (one, other))
        content = changed(content, one, lambda record: record.update({name: second[name] for name in fields}))
        return DECISIONS, changed(content, other, lambda record: record.update({name: first[name] for name in fields}))

    def outcome(self, change: Change, of: Callable[[dict], bool]) -> Edit:
        content = self.content[OUTCOMES]
        places = [at for at, line in enumerate(lines_of(content)) if of(json.loads(line))]
        return OUTCOMES, changed(content, self.chance.choice(places), change)

    def term(self, **other: object) -> Edit:
        return "terms.json", changed(self.content["terms.json"], 0, lambda record: record.update(other))

    def look_that_gave_out(self) -> Edit:
        lines = lines_of(self.content[DECISIONS])
        places = [at for at, line in enumerate(lines[1:]) if b'"type":"seen"' in lines[at] and b'"type":"held"' in line]
        at = self.chance.choice(places)
        return DECISIONS, changed(self.content[DECISIONS], at, lambda record: add("latest_ns", 1)(record["at"]))

    def decided(self, kind: str) -> set[str]:
        """The requests of all records of a type."""
        content = self.content[DECISIONS]
        return {json.loads(lines_of(content)[at])["request"] for at in of_type(content, kind)}

    def settles(self, kind: str) -> Callable[[dict], bool]:
        """Whether a reply is the one that a record follows from."""
        requests = self.decided(kind)
        return lambda reply: reply["purchase"] in requests

    def price_at_the_edge(self, *, won: bool) -> Callable[[dict], bool]:
        """The lowest bid that won; the highest best bid of those who did not."""
        winners, best = self.decided("won"), dict[str, dict]()
        for _, _, bid in self.records("request"):
            if bid["price"] > best.get(bid["buyer"], {"price": 0})["price"]:
                best[bid["buyer"]] = bid
        prices = [bid["price"] for bid in best.values() if (bid["request"] in winners) == won]
        edge = min(prices) if won else max(prices)
        return lambda bid: bid["price"] == edge and (bid["request"] in winners) == won and bid in best.values()


def becomes(**fields: object) -> Change:
    return lambda record: record.update(fields)


def numbered(lines: list[bytes]) -> bytes:
    content = b"".join(lines)
    for at in range(len(lines)):
        content = changed(content, at, lambda record, at=at: record.update(seq=at + 1))
    return content


Kinds = dict[str, tuple[Callable[[Forger], Edit], str | None, str | None]]
BOTH: Kinds = {
    "a stamp by 1 ns": (lambda f: f.log("request", add("stamp_ns", 1)), AS_SEEN, None),  # it decides nothing, mostly
    "the end left out": (
        lambda f: f.without_decision("closed"),
        "ends with the sale closed|" + RECORD,
        RECORD + "|ends",
    ),
    "a cut-off that never was": (
        lambda f: f.decision("seen", lambda r: r["regions"].pop("west")),
        "names every region",
        "names every region",
    ),
}
BIDS: Kinds = BOTH | {
    "a price by 1": (
        lambda f: f.log("request", add("price", f.chance.choice([-1, 1])), lambda r: r["price"] > 400),
        AS_SEEN,
        None,
    ),
    "the lowest winning bid": (
        lambda f: f.log("request", becomes(price=401), f.price_at_the_edge(won=True)),
        AS_SEEN,
        MODEL,
    ),
    "the highest losing bid": (
        lambda f: f.log("request", add("price", 1), f.price_at_the_edge(won=False)),
        AS_SEEN,
        MODEL,
    ),
    "a bid below the reserve": (
        lambda f: f.log("request", becomes(price=399)),
        "below the reserve",
        "below the reserve",
    ),
    "a bid without a price": (
        lambda f: f.log("request", lambda r: r.pop("price")),
        "every bid has a price",
        "has a price",
    ),
    "a price as text": (lambda f: f.log("request", becomes(price="700")), "canonical request", "canonical request"),
    "a price beyond all": (lambda f: f.log("request", becomes(price=10**15)), "canonical request", "canonical request"),
    "a bid dropped": (lambda f: f.without("request", lambda r: r["request"] in f.decided("won")), AS_SEEN, MODEL),
    "a bid twice": (lambda f: f.again("request"), "logged twice", "logged twice"),
    "a bid from the future": (
        lambda f: f.log("request", add("stamp_ns", 10**10)),
        AS_SEEN + "|certainly late",
        "certainly late",
    ),
    "a unit in a bid": (lambda f: f.log("request", becomes(unit=1)), "a unit at the door", "a unit at the door"),
    "what is paid by 1": (lambda f: f.decision("won", add("price", f.chance.choice([-1, 1]))), MODEL, MODEL),
    "nothing is paid": (lambda f: f.decision("won", lambda r: r.pop("price")), MODEL, MODEL),
    "two winners swapped": (lambda f: f.swapped("won", "request", "region"), MODEL, MODEL),
    "a winner less": (lambda f: f.without_decision("won"), RECORD, RECORD),
    "another unit": (lambda f: f.decision("won", add("unit", 1)), MODEL, MODEL),
    "an outcome's price": (
        lambda f: f.outcome(add("price", 1), lambda r: r["state"] == "won"),
        OUTCOME,
        OUTCOME,
    ),
    "outbid told as closed": (
        lambda f: f.outcome(becomes(reason="closed"), lambda r: r.get("reason") == "outbid"),
        OUTCOME,
        OUTCOME,
    ),
    "the currency": (lambda f: f.term(currency="USD"), None, None),  # another sale, and nothing in it is else
    "the pricing": (lambda f: f.term(pricing="first_price"), MODEL, MODEL),
    "the reserve": (lambda f: f.term(reserve_price=700), "below the reserve", "below the reserve"),
    "the kind": (lambda f: f.term(kind="flash"), "rules of terms", "rules of terms"),
}
TURNS: Kinds = BOTH | {
    "a confirm's stamp by 1 ns": (lambda f: f.log("confirm", add("stamp_ns", 1)), AS_SEEN, None),  # unless at the edge
    "a confirm from before": (
        lambda f: f.log("confirm", add("stamp_ns", -(10**9))),
        AS_SEEN + "|below its mark",
        "below its mark|heartbeat|surer",
    ),
    "a confirm that is too late": (
        lambda f: f.log("confirm", add("stamp_ns", 300_000_000), f.settles("confirmed")),
        AS_SEEN,
        RECORD,
    ),
    "a confirm dropped": (lambda f: f.without("confirm", f.settles("confirmed")), AS_SEEN + "|without gaps", RECORD),
    "a confirm made a release": (
        lambda f: f.log("confirm", becomes(type="release"), f.settles("confirmed")),
        AS_SEEN + "|confirmed once",
        RECORD + "|confirmed once",
    ),
    "a release made a confirm": (
        lambda f: f.log("release", becomes(type="confirm"), f.settles("released")),
        AS_SEEN + "|confirmed once",
        RECORD + "|confirmed once",
    ),
    "a release dropped": (lambda f: f.without("release", f.settles("released")), AS_SEEN + "|without gaps", RECORD),
    "a reply twice": (lambda f: f.again("confirm"), "confirmed once and given back once", "confirmed once"),
    "a reply before its entry": (Forger.before_its_entry, "logged there before", "logged there before"),
    "a reply of nobody": (
        lambda f: f.log("confirm", becomes(purchase="north.x")),
        "logged there before",
        "logged there",
    ),
    "a reply's number": (lambda f: f.log("confirm", add("seq", 1)), "without gaps", "without gaps"),
    "a reply's bound": (
        lambda f: f.log("confirm", becomes(bound_ns="1000")),
        AS_SEEN,
        "no stamp is surer than its clock",
    ),
    "a reply's bound above ε": (lambda f: f.log("release", becomes(bound_ns="99000000")), "at most ε", "at most ε"),
    "a reply's clock": (
        lambda f: f.log("confirm", lambda r: r.update(clock=r["clock"].replace("/", "/9"))),
        AS_SEEN,
        "update that a stamp names is in the clock journal",
    ),
    "a reply's heartbeat": (
        lambda f: f.log("confirm", lambda r: r.update(heard_ns=str(int(r["stamp_ns"]) + 10**8))),
        AS_SEEN,
        "no stamp comes before a heartbeat",
    ),
    "a reply from the future": (
        lambda f: f.log("release", add("stamp_ns", 150_000_000), f.settles("released")),
        AS_SEEN,
        "after the look",
    ),
    "a reply of another type": (lambda f: f.log("confirm", becomes(type="mood")), "canonical reply", "canonical reply"),
    "a reply's foreign field": (lambda f: f.log("confirm", becomes(vip=True)), "canonical reply", "canonical reply"),
    "a price in an entry": (lambda f: f.log("request", becomes(price=3)), "only an auction's", "only an auction's"),
    "an entry dropped": (
        lambda f: f.without("request", lambda r: r["request"] in f.decided("held")),
        AS_SEEN + "|logged there before",
        RECORD + "|logged there before|" + AS_SEEN,
    ),
    "until by 1 ns": (
        lambda f: f.decision("held", lambda r: r.update(until_ns=str(int(r["until_ns"]) + 1))),
        MODEL,
        MODEL,
    ),
    "the look that gave a unit out, by 1 ns": (Forger.look_that_gave_out, MODEL, MODEL),
    "two held swapped": (lambda f: f.swapped("held", "request", "region"), RECORD, RECORD),
    "two units swapped": (lambda f: f.swapped("held", "unit"), MODEL, MODEL),
    "a place by 1": (lambda f: f.decision("listed", add("rank", 1)), MODEL, MODEL),
    "two listed swapped": (lambda f: f.swapped("listed", "request", "region"), MODEL, MODEL),
    "an expiry dropped": (lambda f: f.without_decision("expired"), RECORD, RECORD),
    "a confirmation dropped": (lambda f: f.without_decision("confirmed"), RECORD, RECORD),
    "a release undone": (lambda f: f.without_decision("released"), RECORD, RECORD),
    "a held dropped": (lambda f: f.without_decision("held"), RECORD, RECORD),
    "a listed dropped": (lambda f: f.without_decision("listed"), RECORD, RECORD),
    "a full list denied": (lambda f: f.without_decision("list_full"), RECORD, RECORD),
    "expired told as released": (lambda f: f.decision("expired", becomes(type="released")), MODEL, MODEL),
    "an outcome's reason": (
        lambda f: f.outcome(becomes(reason="released"), lambda r: r.get("reason") == "expired"),
        OUTCOME,
        OUTCOME,
    ),
    "a loser told that it won": (
        lambda f: f.outcome(
            lambda r: (r.update(state="won", rank=0, unit=0), r.pop("reason")), lambda r: r["state"] == "lost"
        ),
        OUTCOME,
        OUTCOME,
    ),
    "the hold": (lambda f: f.term(hold_ns="300000001"), MODEL, MODEL),
    "the list's length": (lambda f: f.term(waiting_list=6), MODEL, MODEL),
}
SALES: dict[str, tuple[Sale, Kinds]] = {"auction": (AUCTION, BIDS), "reservation": (RESERVATION, TURNS)}


@pytest.fixture(scope="module", params=SALES)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sale, Kinds, Path]:
    sale, kinds = SALES[request.param]
    folder = sale.write(tmp_path_factory.mktemp("tampering") / "bundle")
    assert audit(folder).findings == ()
    return sale, kinds, folder


def thoroughly(sale: Sale) -> Callable[[Path], object]:
    """Every look has the numbers and heads of the logs as they are now; then all is signed."""

    def seal(folder: Path) -> None:
        decisions = (folder / DECISIONS).read_bytes()
        for region, before in sale.lines.items():
            log = (folder / f"regions/{region}.jsonl").read_bytes().splitlines()
            if log == before:
                continue
            gone = next((at for at, pair in enumerate(zip(before, log, strict=False)) if pair[0] != pair[1]), len(log))
            heads = [wire.FIRST_HEAD]
            for line in log:
                heads.append(wire.extend(heads[-1], line))
            lines = []
            for line in decisions.splitlines():
                record = json.loads(line)
                at = record.get("regions", {}).get(region)
                if at is not None:
                    at["seq"] += (len(log) - len(before)) * (at["seq"] > gone or len(log) > len(before) == at["seq"])
                    at["head"] = heads[min(at["seq"], len(log))]
                lines.append(canonical(record) + b"\n")
            decisions = b"".join(lines)
        (folder / DECISIONS).write_bytes(decisions)
        sale.signers.sign(folder)

    return seal


def test_every_edit_is_found_by_the_rule_that_should_find_it(told: tuple[Sale, Kinds, Path]) -> None:
    sale, kinds, folder = told
    content, chance, found = content_of(folder), random.Random(11), Counter[str]()
    for number in range(max(EDITS, 1) * len(kinds)):
        kind = list(kinds)[number % len(kinds)]
        make, colluding, thorough = kinds[kind]
        edit = make(Forger(chance, content))
        while content[edit[0]] == edit[1]:
            edit = make(Forger(chance, content))
        # Whose signature it should be is in the terms; and once in a while is often enough to ask that.
        keyless = "manifest's signature" if edit[0] != "terms.json" and number % 3 == 0 else None
        for seal, rule in ((without_keys, keyless), (sale.signers.sign, colluding), (thoroughly(sale), thorough)):
            if rule is None:
                continue
            rules = [finding.rule for finding in forged(folder, edit, seal).findings]
            assert any(re.search(rule, each) for each in rules), (kind, seal, rules)
        found[kind] += 1
    assert found.keys() == kinds.keys()


def test_an_edit_that_nobody_sealed_is_found_in_its_file(told: tuple[Sale, Kinds, Path]) -> None:
    _, kinds, folder = told
    content = content_of(folder)
    for kind in list(kinds)[::3]:
        edit = kinds[kind][0](Forger(random.Random(5), content))
        assert edit[0] in {finding.file for finding in forged(folder, edit, as_it_is).findings}, kind


def test_at_first_price_a_winner_s_bid_is_what_it_pays(tmp_path: Path) -> None:
    folder = FIRST_PRICE.write(tmp_path / "bundle")
    forger = Forger(random.Random(3), content_of(folder))
    edit = forger.log("request", add("price", 1), lambda bid: bid["request"] in forger.decided("won"))
    report = forged(folder, edit, thoroughly(FIRST_PRICE))
    assert any(MODEL in finding.rule for finding in report.findings)
