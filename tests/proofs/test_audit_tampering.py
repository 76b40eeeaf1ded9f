"""Show 1: a real bundle, edited in one place, thousands of times; every edit is found, by the rule that should find it.

Two forgers make each edit. The *keyless* one writes the manifest anew and keeps the signatures that were there. The
*colluding* one holds every key of the sale and signs everything anew: what is found then is found by what the files
say. Where nothing in them contradicts such an edit the table says None, and why; only a receipt or a witness that was
given a checkpoint before can tell.

`AUDIT_EDITS=20000 pytest tests/proofs/test_audit_tampering.py` runs for as long as you like.
"""

import json
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.wire import canonical
from proofs.audit import Report, audit
from tests.proofs.sales import a_sale
from tests.search import many
from tests.signer import Signers

EDITS = int(os.environ.get("AUDIT_EDITS", many(210)))
NORTH, SOUTH, DECISIONS, OUTCOMES = "regions/north.jsonl", "regions/south.jsonl", "decisions.jsonl", "outcomes.jsonl"
CLOCK = "clocks/north-1.jsonl"
SALE = a_sale(40, 6, hosts_each=1, polls=6)

Edit = tuple[str, bytes | None]
"""A file and its new content; None where it is removed."""
Content = Callable[[str], bytes]

MANIFEST_SIGNED = "manifest's signature is of this manifest"
LOG_SIGNED = "head that was signed is the log's|checkpoint covers the whole log"
AS_SEEN = "log is as the arbiter saw it|^region .*"
ANY_LINE = "canonical request record|numbered from 1 without gaps|named after its region|logged twice"
DECIDES = "every decision is what the model decides"
CLOSED = "ends with the sale closed"
RECOMPUTED = "what follows from the exchanges in the journal"
RECORD = "is well formed|no record follows|what the model decides|nothing decides|what follows is|last look ended"


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def of_type(content: bytes, kind: str) -> list[int]:
    return [at for at, line in enumerate(lines_of(content)) if f'"type":"{kind}"'.encode() in line]


def changed(content: bytes, at: int, change: Callable[[dict], None]) -> bytes:
    """One record changed, and written as it should be."""
    lines = lines_of(content)
    record = json.loads(lines[at])
    change(record)
    lines[at] = json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    return b"".join(lines)


def add(field: str, by: int) -> Callable[[dict], None]:
    def change(record: dict) -> None:
        value = record[field]
        record[field] = str(int(value) + by) if isinstance(value, str) else value + by

    return change


def flip(text: str, at: int) -> str:
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


def renumbered(content: bytes) -> bytes:
    for at in range(content.count(b"\n")):
        content = changed(content, at, lambda record, at=at: record.update(index=at))
    return content


class Forger:
    """Makes one edit of each kind, at a place that chance chooses."""

    def __init__(self, chance: random.Random, content: Content) -> None:
        self.chance, self.content = chance, content

    def some(self, items: list[int]) -> int:
        return self.chance.choice(items)

    def line_at(self, file: str) -> int:
        return self.chance.randrange(self.content(file).count(b"\n"))

    def log(self) -> str:
        return self.chance.choice([NORTH, SOUTH, "regions/west.jsonl"])

    def in_log(self, change: Callable[[dict], None]) -> Edit:
        file = self.log()
        return file, changed(self.content(file), self.line_at(file), change)

    def in_type(self, file: str, kind: str, change: Callable[[dict], None]) -> Edit:
        return file, changed(self.content(file), self.some(of_type(self.content(file), kind)), change)

    def without(self, file: str, at: int) -> Edit:
        lines = lines_of(self.content(file))
        del lines[at]
        return file, b"".join(lines)

    def twice(self, file: str) -> Edit:
        lines = lines_of(self.content(file))
        at = self.line_at(file)
        return file, b"".join([*lines[: at + 1], *lines[at:]])

    def swapped(self, file: str) -> Edit:
        lines = lines_of(self.content(file))
        one, other = self.chance.sample(range(len(lines)), 2)
        lines[one], lines[other] = lines[other], lines[one]
        return file, b"".join(lines)

    def cut(self, file: str) -> Edit:
        content = self.content(file)
        return file, content[: self.chance.randrange(1, len(content))].rstrip(b"\n")

    def bit(self, file: str) -> Edit:
        content = self.content(file)
        at = self.chance.randrange(len(content))
        return file, content[:at] + bytes([content[at] ^ 1 << self.chance.randrange(8)]) + content[at + 1 :]

    def swapped_winners(self) -> Edit:
        content = self.content(DECISIONS)
        one, other = self.chance.sample(of_type(content, "won"), 2)
        first, second = (json.loads(lines_of(content)[at]) for at in (one, other))
        content = changed(
            content, one, lambda record: record.update(request=second["request"], region=second["region"])
        )
        return DECISIONS, changed(
            content, other, lambda record: record.update(request=first["request"], region=first["region"])
        )

    def without_decision(self, kind: str) -> Edit:
        content = self.content(DECISIONS)
        _, left = self.without(DECISIONS, self.some(of_type(content, kind)))
        assert left is not None
        return DECISIONS, renumbered(left)

    def region_in_look(self, change: Callable[[dict], None]) -> Edit:
        region = self.chance.choice(["north", "south", "west"])
        return self.in_type(DECISIONS, "seen", lambda record: change(record["regions"][region]))

    def first_mark(self) -> Edit:
        """The first look's mark of a region, as if it had promised what it then did not keep."""
        content, region = self.content(DECISIONS), self.chance.choice(["north", "south", "west"])
        at = of_type(content, "seen")[0]
        seen = json.loads(lines_of(content)[at])["regions"][region]
        log = lines_of(self.content(f"regions/{region}.jsonl"))
        later = [json.loads(line)["stamp_ns"] for line in log[seen["seq"] :]]
        return DECISIONS, changed(
            content, at, lambda record: record["regions"][region].update(mark_ns=str(int(min(later)) + 1))
        )

    def in_line(self, change: Callable[[dict], None]) -> Edit:
        """An update that has a time."""
        content = self.content(CLOCK)
        timed = [at for at, line in enumerate(lines_of(content)) if b'"utc_minus_raw_ns"' in line]
        return CLOCK, changed(content, self.some(timed), change)

    def won_outcome(self) -> Edit:
        content = self.content(OUTCOMES)
        won = [at for at, line in enumerate(lines_of(content)) if b'"rank"' in line]
        return OUTCOMES, changed(content, self.some(won), add("rank", 1))

    def exchange(self, field: str) -> Edit:
        file, content = CLOCK, self.content(CLOCK)
        at = self.some(of_type(content, "update"))
        return file, changed(content, at, lambda record: add(field, 1_000_000)(record["heard"][0]))


KINDS: dict[str, tuple[Callable[[Forger], Edit], str, str | None]] = {
    "a stamp by 1 ns": (lambda f: f.in_log(add("stamp_ns", f.chance.choice([-1, 1]))), LOG_SIGNED, AS_SEEN),
    "a bound by 1 ns": (lambda f: f.in_log(add("bound_ns", f.chance.choice([-1, 1]))), LOG_SIGNED, AS_SEEN),
    "a bound that no clock had": (
        lambda f: f.in_log(lambda record: record.update(bound_ns="1000")),
        LOG_SIGNED,
        "no stamp is surer than its clock",
    ),
    "another update named": (
        lambda f: f.in_log(lambda record: record.update(clock=record["clock"].replace("/", "/9"))),
        LOG_SIGNED,
        "update that a stamp names is in the clock journal",
    ),
    "a heartbeat after the stamp": (
        lambda f: f.in_log(lambda record: record.update(heard_ns=str(int(record["stamp_ns"]) + 10**8))),
        LOG_SIGNED,
        "no stamp comes before a heartbeat",
    ),
    "a heartbeat by 1 ns": (lambda f: f.in_log(add("heard_ns", 1)), LOG_SIGNED, AS_SEEN),
    "another buyer": (lambda f: f.in_log(lambda record: record.update(buyer="mallory")), LOG_SIGNED, AS_SEEN),
    "another request id": (
        lambda f: f.in_log(lambda record: record.update(request=record["request"] + "x")),
        LOG_SIGNED,
        AS_SEEN,
    ),
    "a request of another region": (
        lambda f: f.in_log(lambda record: record.update(request="mars." + record["request"][-9:])),
        "named after its region",
        "named after its region",
    ),
    "a number of the log": (lambda f: f.in_log(add("seq", 1)), "without gaps", "without gaps"),
    "a foreign field": (lambda f: f.in_log(lambda record: record.update(vip=True)), ANY_LINE, ANY_LINE),
    "a huge number": (lambda f: f.in_log(lambda record: record.update(seq=10**400)), ANY_LINE, ANY_LINE),
    "an entry dropped": (lambda f: f.without(NORTH, f.line_at(NORTH) // 2), ANY_LINE, ANY_LINE),
    "the last entry dropped": (lambda f: f.without(f.log(), -1), AS_SEEN, AS_SEEN),
    "an entry twice": (lambda f: f.twice(f.log()), ANY_LINE, ANY_LINE),
    "two entries swapped": (lambda f: f.swapped(f.log()), ANY_LINE, ANY_LINE),
    "a log cut in a line": (
        lambda f: f.cut(f.log()),
        "every line ends with a line end",
        "every line ends with a line end",
    ),
    "an empty log": (lambda f: (f.log(), b""), AS_SEEN, AS_SEEN),
    "two winners swapped": (Forger.swapped_winners, DECIDES, DECIDES),
    "another unit": (lambda f: f.in_type(DECISIONS, "won", add("unit", 1)), DECIDES, DECIDES),
    "another rank": (lambda f: f.in_type(DECISIONS, "won", add("rank", 1)), DECIDES, DECIDES),
    "a winner less": (lambda f: f.without_decision("won"), RECORD, RECORD),
    "sold out left out": (lambda f: f.without_decision("sold_out"), RECORD, RECORD),
    "the end left out": (lambda f: f.without_decision("closed"), CLOSED, CLOSED),
    "a look left out": (lambda f: f.without_decision("seen"), RECORD, RECORD + "|closed early only|log is as"),
    "a look's number": (lambda f: f.region_in_look(add("seq", 1)), "arbiter saw it|" + RECORD, "arbiter saw it"),
    "a look's head": (
        lambda f: f.region_in_look(lambda seen: seen.update(head=flip(seen["head"], 7))),
        "arbiter saw",
        "arbiter saw",
    ),
    "a look's mark by 1 ns": (
        # Nothing else says what the mark was: it only has to have been kept, and to have been enough.
        lambda f: f.region_in_look(add("mark_ns", -1)),
        "head that was signed is the log's|the model|" + RECORD,
        None,
    ),
    "a mark beyond a later stamp": (
        Forger.first_mark,
        "mark|model|what follows",
        "mark|model|what follows",
    ),
    "a look's time by 1 ns": (
        # The arbiter's word about its own clock.
        lambda f: f.in_type(DECISIONS, "seen", lambda record: add("latest_ns", 1)(record["at"])),
        "head that was signed is the log's",
        None,
    ),
    "two records swapped": (lambda f: f.swapped(DECISIONS), RECORD, RECORD),
    "a record twice": (lambda f: f.twice(DECISIONS), RECORD, RECORD),
    "the last record dropped": (lambda f: f.without(DECISIONS, -1), CLOSED, CLOSED),
    "an outcome's rank": (Forger.won_outcome, "every outcome", "every outcome"),
    "an outcome dropped": (lambda f: f.without(OUTCOMES, f.line_at(OUTCOMES)), "every outcome", "every outcome"),
    "an outcome twice": (lambda f: f.twice(OUTCOMES), "outcome", "outcome"),
    "two outcomes swapped": (lambda f: f.swapped(OUTCOMES), "every outcome", "every outcome"),
    "the seed": (
        lambda f: ("seed.json", changed(f.content("seed.json"), 0, lambda r: r.update(seed=flip(r["seed"], 9)))),
        "seed is the one that the terms committed to",
        "seed is the one that the terms committed to",
    ),
    "the stock": (
        lambda f: ("terms.json", changed(f.content("terms.json"), 0, add("stock", 1))),
        "signed by|the log that it is of",
        "region|model|records|recorded|signed",
    ),
    "a clock line's bound": (lambda f: f.in_line(add("bound_ns", -1)), RECOMPUTED, RECOMPUTED),
    "a clock line's offset": (lambda f: f.in_line(add("utc_minus_raw_ns", 1)), RECOMPUTED, RECOMPUTED),
    "an exchange": (lambda f: f.exchange(f.chance.choice(["t2_ns", "t3_ns"])), MANIFEST_SIGNED, None),
    "the oscillator's drift": (lambda f: f.in_type(CLOCK, "start", add("drift_ppb", 1)), RECOMPUTED, RECOMPUTED),
    "an update dropped": (
        lambda f: f.without(CLOCK, f.some(of_type(f.content(CLOCK), "update")[1:-1])),
        "without gaps",
        "without gaps",
    ),
    "a clock record of another kind": (
        lambda f: f.in_type(CLOCK, "update", lambda record: record.update(type="guess")),
        "clock journal",
        "clock journal",
    ),
    "a clock's host": (
        lambda f: f.in_type(CLOCK, "start", lambda record: record.update(host="mars")),
        "journal is of the host",
        "is of the host",
    ),
    "a file removed": (
        lambda f: (f.chance.choice([NORTH, DECISIONS, OUTCOMES, "terms.json", "seed.json"]), None),
        "is missing|every file",
        "is missing|every file|checkpoint",
    ),
    "a file more": (lambda _: ("regions/mars.jsonl", b""), "region that the terms name", "region that the terms name"),
    "a bit": (
        lambda f: f.bit(f.chance.choice([NORTH, DECISIONS, OUTCOMES, "terms.json", "seed.json", CLOCK])),
        MANIFEST_SIGNED + "|.*",
        None,
    ),
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = SALE.write(tmp_path_factory.mktemp("tampering") / "bundle")
    report = audit(folder)
    assert (report.findings, report.signed) == ((), True)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def forged(folder: Path, edit: Edit, seal: Callable[[Path], object]) -> Report:
    """The audit of an edited bundle, which is put back afterwards."""
    before = content_of(folder)
    file, content = edit
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    try:
        seal(folder)
        return audit(folder)
    finally:
        for name in content_of(folder).keys() - before.keys():
            (folder / name).unlink()
        for name, old in before.items():
            (folder / name).write_bytes(old)


def without_keys(folder: Path) -> None:
    """The manifest of what lies there, under the signature that was there."""
    signature = json.loads((folder / "manifest.json").read_bytes())["signature"]
    Signers((), "nobody").seal(folder)
    manifest = json.loads((folder / "manifest.json").read_bytes()) | {"signature": signature}
    (folder / "manifest.json").write_bytes(canonical(manifest) + b"\n")


def as_it_is(folder: Path) -> None:
    """Nothing is sealed."""


def edits(folder: Path, times: int) -> Iterator[tuple[str, Edit]]:
    """Single edits, every kind in turn."""
    content = content_of(folder)
    forger = Forger(random.Random(times), content.__getitem__)
    kinds = list(KINDS)
    for number in range(times):
        kind = kinds[number % len(kinds)]
        edit = KINDS[kind][0](forger)
        while content.get(edit[0]) == edit[1]:
            edit = KINDS[kind][0](forger)
        yield kind, edit


def test_every_edit_is_found_by_the_rule_that_should_find_it(bundle: Path) -> None:
    found: Counter[str] = Counter()
    for kind, edit in edits(bundle, EDITS // 2):
        _, keyless, colluding = KINDS[kind]
        forgers = [(without_keys, keyless), (SALE.signers.sign, colluding)]
        for seal, rule in forgers:
            if rule is None:
                continue
            report = forged(bundle, edit, seal)
            rules = [finding.rule for finding in report.findings]
            assert any(re.search(rule, each) for each in rules), (kind, edit[0], rules)
            if seal is without_keys and edit[0] != "terms.json":  # without them nobody knows who should have signed
                assert any(re.search(MANIFEST_SIGNED, each) for each in rules), (kind, rules)
            found[kind] += 1
    assert found.keys() == KINDS.keys()


def test_an_edit_that_nobody_sealed_is_found_in_its_file(bundle: Path) -> None:
    for kind, edit in edits(bundle, max(len(KINDS), EDITS // 8)):
        report = forged(bundle, edit, as_it_is)
        assert edit[0] in {finding.file for finding in report.findings}, kind


def test_a_consistent_forgery_signed_with_other_keys_is_found(bundle: Path) -> None:
    others = a_sale(40, 6, hosts_each=1, polls=6, seed=2, secret="others")
    folder = others.write(bundle.with_name("forgery"))
    assert audit(folder).findings == ()
    assert audit(folder).sale != SALE.terms.sale()
    shutil.copy(bundle / "terms.json", folder / "terms.json")
    others.signers.sign(folder)
    rules = [finding.rule for finding in audit(folder).findings]
    assert "the manifest is signed by the arbiter" in rules
    assert "a checkpoint is signed by the key that the terms name" in rules


def test_keys_are_those_of_the_terms_and_of_nobody_else(bundle: Path) -> None:
    others = Signers(("north", "south", "west"), "others")
    for name, signer in {
        "regions/north": others.regions["north"],
        "regions/south": SALE.signers.regions["north"],
    }.items():
        file = f"checkpoints/{name}"
        text = (bundle / file).read_text().partition("\n\n")[0] + "\n"
        report = forged(bundle, (file, signer.note(text).encode()), SALE.signers.seal)
        assert [(f.file, f.rule) for f in report.findings] == [
            (file, "a checkpoint is signed by the key that the terms name")
        ]
