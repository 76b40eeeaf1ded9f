"""A finished sale as a bundle, of as many requests as wanted: what the audit is measured with.

It is made by the model, in memory, in a minute for a million, and not by running a sale: what is measured is the audit,
and it does not know the difference. Three regions of four hosts each; every stamp names one of the updates of its
host's clock journal; every log is signed. The journals are those of hosts that are their own reference (one source,
address `local`), computed by the very functions of `model/track.py` that clockd runs.
"""

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from model import track
from model.arbiter import Fold
from model.clock import Interval, Line, stamp
from model.merkle import CompactTree
from model.note import ARBITER_KEY, Checkpoint, decisions_origin, region_key_name, region_origin
from model.outcomes import Standing
from model.stated import Keys
from model.terms import Terms, read_terms
from model.track import Oscillator, Track, straight
from model.vocabulary import Decision, Entry, Won
from model.wire import FIRST_HEAD, canonical, decision_line, extend_all, log_line, outcome_line
from service.evidence.seal import signed_text
from service.evidence.signing import SigningKey, load_or_make_key

REGIONS: Final = ("north", "south", "west")
HOSTS: Final = 4
"""Of each region."""
UPDATES: Final = 75
"""Of each host's journal, one a second."""
OPENS_NS: Final = 1_795_809_600_000_000_000
SEED: Final = bytes(range(32))
OSCILLATOR: Final = Oscillator(50_000, 10_000)
SKEW_BOUND_NS: Final = 50_000_000
_SECOND_NS: Final = 1_000_000_000
_LOOK_EVERY: Final = 20_000
"""Entries of a region between two looks, where the sale is decided as it goes."""


def make_bundle(folder: Path, requests: int, *, lobby: bool) -> None:
    """Write the bundle of a sale with a stock of a hundredth of its requests.

    Args:
        lobby: all came before the opening and wait at once, the dearest case; else they come over a minute.
    """
    folder.mkdir(parents=True)
    signers = {name: load_or_make_key(folder.with_suffix(f".{name}.key"), region_key_name(name)) for name in REGIONS}
    arbiter = load_or_make_key(folder.with_suffix(".arbiter.key"), ARBITER_KEY)
    keys = Keys(arbiter.verifier, {name: key.verifier for name, key in signers.items()})
    terms = _terms(requests, lobby).committed(SEED, keys)
    journals = {f"{name}-{number}": _Journal(f"{name}-{number}") for name in REGIONS for number in range(HOSTS)}
    logs = {name: _log(name, requests // len(REGIONS), journals) for name in REGIONS}
    decisions, standing = _decide(terms, logs)
    files: dict[str, list[bytes]] = {
        "terms.json": [terms.line()],
        "seed.json": [canonical({"seed": SEED.hex()})],
        "decisions.jsonl": [decision_line(index, each) for index, each in enumerate(decisions)],
        "outcomes.jsonl": list(_outcomes(standing, logs)),
    }
    files |= {f"regions/{name}.jsonl": [line for _, line in log] for name, log in logs.items()}
    files |= {f"clocks/{name}.jsonl": journal.lines for name, journal in journals.items()}
    sale = terms.sale()
    for name in REGIONS:
        note = _note(files[f"regions/{name}.jsonl"], region_origin(sale, name), signers[name])
        files[f"checkpoints/regions/{name}"] = note.encode().split(b"\n")[:-1]
    note = _note(files["decisions.jsonl"], decisions_origin(sale), arbiter)
    files["checkpoints/decisions"] = note.encode().split(b"\n")[:-1]
    _write(folder, sale, files, arbiter)


def _terms(requests: int, lobby: bool) -> Terms:
    return read_terms(
        {
            "title": "A sale to be audited",
            "stock": max(1, requests // 100),
            "entries_from": "2026-11-27T20:00:00Z",
            "opens": "2026-11-27T20:01:05Z" if lobby else "2026-11-27T20:00:00Z",
            "closes": "2026-11-27T20:01:10Z",
            "regions": list(REGIONS),
            "skew_bound_ns": str(SKEW_BOUND_NS),
        }
    )


class _Journal:
    """One host: its updates, as clockd writes them, and its lines of time."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.lines: list[bytes] = []
        self.known: list[Line] = []
        self._raw_at_utc = OPENS_NS - 10**15
        raw_ns = OPENS_NS - 5 * _SECOND_NS - self._raw_at_utc
        self._tell({
            "type": "start", "host": host, "boot": "00", "sources": ["local"], "drift_ppb": OSCILLATOR.drift_ppb,
            "wander_ppt_s": OSCILLATOR.wander_ppt_s, "update": 0, "raw_ns": str(raw_ns),
        })  # fmt: skip
        voice: Track | None = None
        belief: Track | None = None
        for update in range(1, UPDATES + 1):
            raw_ns += _SECOND_NS
            heard = Interval(self._raw_at_utc - 1_000_000, self._raw_at_utc + 1_000_000)
            if voice is None:
                voice = track.begin(raw_ns, heard, OSCILLATOR)
            else:
                narrowed = track.narrowed(track.later(voice, raw_ns, OSCILLATOR), heard)
                assert isinstance(narrowed, Track)
                voice = narrowed
            now = track.agreed([voice], 1)
            assert now is not None
            if belief is not None:
                joined = track.both(track.later(belief, raw_ns, OSCILLATOR), now)
                assert isinstance(joined, Track)
                now = joined
            belief = now
            line = straight(belief)
            self.known.append(line)
            self._tell(self._update(update, raw_ns, line))

    def _update(self, update: int, raw_ns: int, line: Line) -> dict[str, Any]:
        utc_ns = raw_ns + self._raw_at_utc
        heard = {
            "source": "local", "address": "local", "t1_raw_ns": str(raw_ns), "t2_ns": str(utc_ns),
            "t3_ns": str(utc_ns), "t4_raw_ns": str(raw_ns), "distance_ns": "1000000", "stratum": 10,
            "reference_id": "4c4f434c", "leap": 0,
        }  # fmt: skip
        return {
            "type": "update", "update": update, "state": "synchronized", "why": "nothing", "sources": 1, "agreeing": 1,
            "counted": 1, "wander_ppt_s": OSCILLATOR.wander_ppt_s, "heard": [heard],
            "raw_ns": str(line.as_of_raw_ns), "utc_minus_raw_ns": str(line.offset_ns), "bound_ns": str(line.bound_ns),
            "rate_ppt": line.rate_ppt, "rate_bound_ppt": line.rate_bound_ppt,
        }  # fmt: skip

    def _tell(self, record: dict[str, Any]) -> None:
        self.lines.append(json.dumps(record, separators=(",", ":"), sort_keys=True).encode())

    def stamp(self, utc_ns: int) -> tuple[int, int, str]:
        """Stamp, bound and evidence of an arrival."""
        raw_ns = utc_ns - self._raw_at_utc
        at = min(max((raw_ns - self.known[0].as_of_raw_ns) // _SECOND_NS, 0), UPDATES - 1)
        stamp_ns, bound_ns = stamp(self.known[at], raw_ns, 2_000, OSCILLATOR.drift_ppb, OSCILLATOR.wander_ppt_s)
        return stamp_ns, bound_ns, f"{self.host}/{at + 1}"


_Log = list[tuple[Entry, bytes]]


def _log(region: str, entries: int, journals: dict[str, _Journal]) -> _Log:
    """A region's log: arrivals in order of time, each buyer once."""
    chance = random.Random(region)
    arrivals = sorted(chance.randrange(OPENS_NS, OPENS_NS + 60 * _SECOND_NS) for _ in range(entries))
    log = []
    for seq, utc_ns in enumerate(arrivals, start=1):
        journal = journals[f"{region}-{chance.randrange(HOSTS)}"]
        stamp_ns, bound_ns, clock = journal.stamp(utc_ns)
        request = f"{region}.{chance.getrandbits(96):024x}"
        heard_ns = utc_ns - utc_ns % _SECOND_NS - _SECOND_NS
        entry = Entry(seq, request, f"buyer-{chance.getrandbits(64):016x}", stamp_ns, bound_ns, clock, heard_ns)
        log.append((entry, log_line(entry)))
    return log


def _decide(terms: Terms, logs: dict[str, _Log]) -> tuple[list[Decision], Standing]:
    """The whole sale through the model: looks as entries come, or one when all are in."""
    fold, standing, decisions = Fold(terms, SEED), Standing(terms), list[Decision]()
    read = dict.fromkeys(REGIONS, 0)
    while not fold.over:
        ends = {name: min(read[name] + _LOOK_EVERY, len(log)) for name, log in logs.items()}
        is_end = all(ends[name] == len(log) for name, log in logs.items())
        marks_ns = {}
        for name, log in logs.items():
            fold.deliver_all(name, [line for _, line in log[read[name] : ends[name]]])
            read[name] = ends[name]
            rest = log[read[name] :]
            marks_ns[name] = terms.last_stamp_ns + 1 if not rest else rest[0][0].stamp_ns
        at_ns = max(marks_ns.values()) + terms.intake_grace_ns + 10_000_000
        seen = fold.look(marks_ns, at_ns, at_ns + 1_000_000)
        follows = fold.see(seen)
        if fold.sold_out and is_end and not fold.over:
            follows.append(fold.close())
        if follows or is_end:
            winner_of = {request: buyer for buyer, request in fold.winners.items()}
            for decision in (seen, *follows):
                decisions.append(decision)
                standing.apply(decision, winner_of[decision.request] if isinstance(decision, Won) else None)
    return decisions, standing


def _outcomes(standing: Standing, logs: dict[str, _Log]) -> Iterator[bytes]:
    for name, log in logs.items():
        for entry, _ in log:
            outcome = standing.outcome(name, entry.seq, entry.request, entry.buyer)
            assert outcome is not None
            yield outcome_line(outcome)


def _note(lines: list[bytes], origin: str, key: SigningKey) -> str:
    tree = CompactTree()
    tree.extend(lines)
    return key.sign(Checkpoint(origin, len(lines), tree.root(), extend_all(FIRST_HEAD, lines)).text())


def _write(folder: Path, sale: str, files: dict[str, list[bytes]], arbiter: SigningKey) -> None:
    digests, heads = {}, {}
    for name, lines in files.items():
        data = b"".join(line + b"\n" for line in lines)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        digests[name] = hashlib.sha256(data).hexdigest()
        if name == "decisions.jsonl" or name.startswith("regions/"):
            heads[name.removesuffix(".jsonl")] = extend_all(FIRST_HEAD, lines)
    manifest = {"format": "firstcome-bundle/1", "sale": sale, "files": digests, "heads": heads}
    signed = arbiter.sign(signed_text(sale, manifest))
    (folder / "manifest.json").write_bytes(canonical({**manifest, "signature": signed}) + b"\n")


if __name__ == "__main__":
    make_bundle(Path(sys.argv[1]), int(sys.argv[2]), lobby=sys.argv[3] == "lobby")
