"""A second opinion: design.md, sections 2, 3 and 7, read again by somebody who has not seen `model/`.

Everything here is written from the definition, in the most obvious way and as slow as that is: the pot is looked for
anew for every winner, every decision is made again from the whole of what had been read. It imports nothing of ours,
so that an error would have to be made twice, differently, to stay hidden.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple


def serving_order(places: Sequence[int], tickets: Sequence[int], window: int, most: int | None = None) -> list[int]:
    """Positions in serving order: of all within W of the earliest waiting, the lowest (ticket, position); repeat.

    Args:
        most: how many are wanted; None for all.
    """
    waiting, served = set(range(len(places))), []
    while waiting and len(served) != most:
        earliest = min(places[position] for position in waiting)
        pot = [position for position in waiting if places[position] <= earliest + window]
        first = min(pot, key=lambda position: (tickets[position], position))
        waiting.remove(first)
        served.append(first)
    return served


def allowed(served: Sequence[int], places: Sequence[int], window: int) -> bool:
    """Promise 1 of an order: nobody before one whose place + W is still below theirs."""
    return not any(
        places[later] + window < places[sooner] for rank, sooner in enumerate(served) for later in served[rank + 1 :]
    )


class Logged(NamedTuple):
    """An entry as the rule needs it."""

    place: int
    stamp: int
    request: str
    buyer: str
    region: str
    seq: int


class Reading(NamedTuple):
    """What a bundle should say, made again from its terms, seed, logs, and those decisions that come from the world."""

    decisions: list[dict[str, Any]]
    outcomes: list[dict[str, Any]]
    final_order: list[str]
    """Requests in serving order over all entries that count, as if the stock had no end."""


def read_bundle(folder: Path, in_full: bool = True) -> Reading:
    """Check a bundle's hashes and chains, and decide the whole sale again; `final_order` only if `in_full`."""
    manifest, terms_line = _json(folder / "manifest.json"), (folder / "terms.json").read_bytes().removesuffix(b"\n")
    sale = hashlib.sha256(terms_line).hexdigest()[:32]
    assert manifest["sale"] == sale
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    terms, secret = json.loads(terms_line), _json(folder / "seed.json")
    key = bytes.fromhex(secret["seed"])
    assert hashlib.sha256(key).hexdigest() == terms["seed_commitment"]
    if "beacon" in secret:
        key = _drawn_with_beacon(key, terms["beacon"], secret["beacon"])

    heads, logs = {}, []
    for region in terms["regions"]:
        lines = _lines(folder / "regions" / f"{region}.jsonl")
        heads[region] = _chain(lines)
        assert manifest["heads"][f"regions/{region}"] == heads[region][-1]
        for seq, line in enumerate(lines, start=1):
            fields = json.loads(line)
            assert fields["seq"] == seq
            stamp = int(fields["stamp_ns"])
            place = max(stamp, _instant(terms["opens"]))
            logs.append(Logged(place, stamp, fields["request"], fields["buyer"], region, seq))
    recorded_lines = _lines(folder / "decisions.jsonl")
    assert manifest["heads"]["decisions"] == _chain(recorded_lines)[-1]

    sale_again = _Sale(terms, sale, key, logs, heads)
    decisions = sale_again.decide([json.loads(line) for line in recorded_lines])
    outcomes = [sale_again.outcome(entry) for entry in logs]
    whole = sale_again.order(sale_again.counting(logs)) if in_full else []
    return Reading(decisions, outcomes, [entry.request for entry in whole])


def _drawn_with_beacon(seed: bytes, named: dict[str, Any], told: dict[str, Any]) -> bytes:
    """The draw key where the terms name a public randomness round: SHA-256(seed ‖ value). drand's own documents say
    that the value is the SHA-256 of the round's signature, and when a round is published."""
    assert (told["chain"], told["round"]) == (named["chain"], named["round"])
    value = hashlib.sha256(bytes.fromhex(told["signature"])).digest()
    assert value.hex() == told["value"]
    return hashlib.sha256(seed + value).digest()


class _Sale:
    def __init__(
        self, terms: dict[str, Any], sale: str, key: bytes, logs: list[Logged], heads: dict[str, list[str]]
    ) -> None:
        self.terms, self.sale, self.key, self.logs, self.heads = terms, sale, key, logs, heads
        self.window = int(terms["tie_window_ns"])
        self.last_stamp = _instant(terms["closes"]) + int(terms["skew_bound_ns"])
        self.cut_offs: dict[str, int] = {}
        self.won: list[Logged] = []
        self.ending = ""
        self.awaits = "beacon" in terms
        self.complete = False

    def ticket(self, buyer: str) -> bytes:
        return hmac.new(self.key, f"{self.sale}\n{buyer}".encode(), hashlib.sha256).digest()

    def counting(self, entries: list[Logged]) -> list[Logged]:
        """Each buyer's least entry, of those not beyond a cut-off."""
        counted = [entry for entry in entries if entry.seq <= self.cut_offs.get(entry.region, entry.seq)]
        by_buyer = sorted(counted, key=lambda entry: (entry.buyer, entry.stamp, entry.request))
        return [
            entry for before, entry in zip([None, *by_buyer], by_buyer, strict=False)
            if before is None or before.buyer != entry.buyer
        ]  # fmt: skip

    def order(self, entries: list[Logged], most: int | None = None) -> list[Logged]:
        entries = sorted(entries, key=lambda entry: entry.request)
        tickets = [int.from_bytes(self.ticket(entry.buyer), "big") for entry in entries]
        return [entries[at] for at in serving_order([entry.place for entry in entries], tickets, self.window, most)]

    def decide(self, recorded: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The records that come from the world as they are, and after each what follows from everything before it."""
        decisions: list[dict[str, Any]] = []
        marks = dict.fromkeys(self.terms["regions"], 0)
        read = dict.fromkeys(self.terms["regions"], 0)
        for record in recorded:
            if record["type"] in {"won", "sold_out", "complete"} or (
                record["type"] == "closed" and record["reason"] == "time"
            ):
                continue
            decisions.append({**record, "index": len(decisions)})
            match record["type"]:
                case "seen":
                    assert record["regions"].keys() == marks.keys() - self.cut_offs.keys()
                    for name, seen in record["regions"].items():
                        assert int(seen["mark_ns"]) >= marks[name]
                        assert seen["seq"] >= read[name]
                        assert seen["head"] == self.heads[name][seen["seq"]]
                        newly = [e for e in self.logs if e.region == name and read[name] < e.seq <= seen["seq"]]
                        assert all(entry.stamp >= marks[name] for entry in newly)
                        marks[name], read[name] = int(seen["mark_ns"]), seen["seq"]
                case "cut_off":
                    assert record["seq"] == read[record["region"]]
                    self.cut_offs[record["region"]] = record["seq"]
                case "beacon":
                    assert self.awaits
                    assert self.complete
                    assert record["round"] == self.terms["beacon"]["round"]
                    self.awaits = False
                case "cancelled" | "halted":
                    self.ending = self.ending or record["type"]
            if not self.ending:
                heard = [mark for name, mark in marks.items() if name not in self.cut_offs]
                frontier = min(heard, default=self.last_stamp + 1)
                delivered = [entry for entry in self.logs if entry.seq <= read[entry.region]]
                for following in self._following(delivered, frontier):
                    decisions.append({**following, "index": len(decisions)})
        return decisions

    def _following(self, delivered: list[Logged], frontier: int) -> list[dict[str, Any]]:
        following: list[dict[str, Any]] = []
        if self.awaits:
            published = (
                self.terms["beacon"]["genesis_s"]
                + (self.terms["beacon"]["round"] - 1) * self.terms["beacon"]["period_s"]
            ) * 10**9
            assert published > self.last_stamp + int(self.terms["skew_bound_ns"]) + int(self.terms["intake_grace_ns"])
            if frontier > self.last_stamp and not self.complete:
                self.complete = True
                following.append({"type": "complete"})
            return following
        winners = {entry.buyer for entry in self.won}
        waiting = [entry for entry in self.counting(delivered) if entry.buyer not in winners]
        in_turn = self.order(waiting, self.terms["stock"])
        while waiting and len(self.won) < self.terms["stock"]:
            earliest = min(entry.place for entry in waiting)
            if not (earliest + self.window < frontier or frontier > self.last_stamp):
                break
            entry, rank = in_turn.pop(0), len(self.won)
            waiting.remove(entry)
            self.won.append(entry)
            following.append(
                {"type": "won", "request": entry.request, "region": entry.region, "rank": rank, "unit": rank}
            )
        if len(self.won) == self.terms["stock"]:
            self.ending = "sold_out"
            following.append({"type": "sold_out"})
        elif frontier > self.last_stamp:
            self.ending = "closed"
            following.append({"type": "closed", "reason": "time"})
        return following

    def outcome(self, entry: Logged) -> dict[str, Any]:
        for rank, winner in enumerate(self.won):
            if winner.request == entry.request:
                return {"request": entry.request, "state": "won", "rank": rank, "unit": rank}
        lost = {"request": entry.request, "state": "lost"}
        if entry.seq > self.cut_offs.get(entry.region, entry.seq):
            return {**lost, "reason": "cut_off"}
        for winner in self.won:
            if winner.buyer == entry.buyer:
                return {**lost, "reason": "duplicate", "of": winner.request}
        return {**lost, "reason": self.ending}


def _json(path: Path) -> dict[str, Any]:
    fields = json.loads(path.read_bytes())
    assert isinstance(fields, dict)
    return fields


def _lines(path: Path) -> list[bytes]:
    *lines, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    return lines


def _chain(lines: list[bytes]) -> list[str]:
    heads = [bytes(32)]
    for line in lines:
        heads.append(hashlib.sha256(heads[-1] + line).digest())
    return [head.hex() for head in heads]


def _instant(text: str) -> int:
    """Nanoseconds of `2026-11-27T20:00:00.000000040Z`, the only form that the stories use."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + int(fraction.ljust(9, "0"))
