"""A real bundle of a sale at the door, edited in one place; every edit is found, by file and line and rule.

Three forgers make each edit. The *keyless* one writes the manifest anew and keeps the signatures that were there. The
*colluding* one holds every key of the sale, the arbiter's and all regions', and signs everything anew. The *thorough*
one writes besides into every look of the decision log the heads that the edited logs have now, and each outcome that
follows from them: what is found then is found by what the regions say of each other's units.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from model import wire
from model.wire import canonical
from proofs.audit import Report, audit
from tests.proofs.door_sales import a_door_sale
from tests.proofs.sales import MS
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

SALE = a_door_sale(90, 60, seed=3, fenced="west", trouble_ns=100 * MS)
LOGS = ("regions/north.jsonl", "regions/south.jsonl", "regions/west.jsonl")
TIMES_EACH = many(1)

NEXT_FREE = "the first free unit is sold|a unit is sold while one is free|no unit is sold twice"
TAKEN = "whatever is taken was granted"
ONCE = "a grant is taken once"
PLACE = "every unit is in one place"
NUMBERS = "without gaps"
AS_SEEN = "its log is as the arbiter saw it"
MODEL = (
    "the model decides|nothing decides|reissue|what follows|fenced|nobody's|units are reissued|well formed|no record"
)


class Forger:
    """Makes one edit of each kind, at a place that chance chooses; remembers which line."""

    def __init__(self, chance: random.Random, content: dict[str, bytes]) -> None:
        self.chance, self.content = chance, content
        self.line: int | None = None
        """That a finding must name; None where any will do."""

    def place(self, kind: str, of: Callable[[dict], bool] = lambda _: True) -> tuple[str, int]:
        """A line of a type in some log."""
        found = [
            (log, at)
            for log in LOGS
            for at in of_type(self.content[log], kind)
            if of(json.loads(lines_of(self.content[log])[at]))
        ]
        log, at = self.chance.choice(found)
        self.line = at + 1
        return log, at

    def edit(self, kind: str, change: Callable[[dict], None], of: Callable[[dict], bool] = lambda _: True) -> Edit:
        log, at = self.place(kind, of)
        return log, changed(self.content[log], at, change)

    def without(self, kind: str) -> Edit:
        """A line left out, and those after it numbered anew."""
        log, at = self.place(kind)
        self.line = None
        lines = lines_of(self.content[log])
        del lines[at]
        return log, numbered(lines)

    def twice(self, kind: str) -> Edit:
        log, at = self.place(kind)
        lines = lines_of(self.content[log])
        lines.insert(at, lines[at])
        self.line = at + 2
        return log, numbered(lines)

    def sold_twice(self) -> Edit:
        """A unit that another region has sold is sold here."""
        log, at = self.place("request")
        [other, *_] = [each for each in LOGS if each != log and of_type(self.content[each], "request")]
        there = json.loads(lines_of(self.content[other])[of_type(self.content[other], "request")[0]])
        return log, changed(self.content[log], at, lambda record: record.update(unit=there["unit"]))

    def decision(self, kind: str, change: Callable[[dict], None]) -> Edit:
        content = self.content[DECISIONS]
        return DECISIONS, changed(content, self.chance.choice(of_type(content, kind)), change)

    def without_decision(self, kind: str) -> Edit:
        lines = lines_of(self.content[DECISIONS])
        del lines[self.chance.choice(of_type(self.content[DECISIONS], kind))]
        return DECISIONS, renumbered(b"".join(lines))

    def outcome(self, change: Callable[[dict], None]) -> Edit:
        content = self.content[OUTCOMES]
        at = self.chance.randrange(content.count(b"\n"))
        self.line = at + 1
        return OUTCOMES, changed(content, at, change)


def numbered(lines: list[bytes]) -> bytes:
    content = b"".join(lines)
    for at in range(len(lines)):
        content = changed(content, at, lambda record, at=at: record.update(seq=at + 1))
    return content


def longer(record: dict) -> None:
    """One unit more at the end."""
    first, last = record["units"].rsplit("-", 1)
    record["units"] = f"{first}-{int(last) + 1}"


def shorter(record: dict) -> None:
    """One range less, or one unit."""
    first, last = record["units"].rsplit("-", 1)
    least = first.rsplit(",", 1)[-1]
    record["units"] = f"{first}-{int(last) - 1}" if int(last) > int(least) else f"{least}-{int(least) + 1}"


def from_a_region(record: dict) -> bool:
    return record["donor"] != ""


KINDS: dict[str, tuple[Callable[[Forger], Edit], str, str | None]] = {
    # What a colluding forger is found by, and what a thorough one is; None where nothing in the files contradicts it.
    "a share": (lambda f: f.edit("stocked", longer), "the share is the one of the terms", "the share is the one"),
    "another unit sold": (lambda f: f.edit("request", add("unit", 1)), NEXT_FREE, NEXT_FREE),
    "a unit that another region sold": (Forger.sold_twice, NEXT_FREE, NEXT_FREE),
    "no unit sold": (lambda f: f.edit("request", lambda r: r.pop("unit")), "gets a unit at once", "at once"),
    "a grant of more": (lambda f: f.edit("granted", longer), TAKEN, TAKEN),
    "a grant of less": (lambda f: f.edit("granted", shorter), TAKEN, TAKEN),
    "a grant to itself": (
        lambda f: f.edit("granted", lambda r: r.update(to="south"), lambda r: r["to"] == "north"),
        "another region|" + TAKEN, "another region|" + TAKEN,
    ),
    "a grant to nobody": (lambda f: f.edit("granted", lambda r: r.update(to="mars")), "region of the sale", "of the"),
    "a grant's number": (lambda f: f.edit("granted", add("number", 1)), NUMBERS, NUMBERS),
    "a grant twice": (lambda f: f.twice("granted"), NUMBERS, NUMBERS),
    "a grant left out": (lambda f: f.without("granted"), TAKEN, TAKEN),
    "taken as more": (lambda f: f.edit("taken", longer), TAKEN, TAKEN),
    "taken as less": (lambda f: f.edit("taken", shorter), TAKEN, TAKEN),
    "taken under another number": (
        lambda f: f.edit("taken", add("number", 90)), TAKEN, TAKEN,
    ),
    "taken from another": (
        lambda f: f.edit("taken", lambda r: r.update(donor="mars"), from_a_region),
        "of a region of the sale", "of a region of the sale",
    ),
    "taken from the arbiter": (
        lambda f: f.edit("taken", lambda r: r.update(donor="", number=99), from_a_region), TAKEN, TAKEN,
    ),
    "taken twice": (lambda f: f.twice("taken"), ONCE, ONCE),
    "a taking left out": (lambda f: f.without("taken"), "free|" + AS_SEEN, "free|not possible|" + PLACE + "|head|log"),
    "a refusal's units": (lambda f: f.edit("refused", longer), AS_SEEN, None),
    "a refusal's reason": (
        lambda f: f.edit("refused", lambda r: r.update(reason="mood")), "canonical record", "canonical record",
    ),
    "a refusal left out": (lambda f: f.without("refused"), AS_SEEN, None),
    "a line of another type": (
        lambda f: f.edit("taken", lambda r: r.update(type="found")), "canonical record", "canonical record",
    ),
    "a number of a line": (lambda f: f.edit("granted", add("seq", 1)), NUMBERS, NUMBERS),
    "a foreign field": (lambda f: f.edit("taken", lambda r: r.update(vip=True)), "canonical record", "canonical"),
    "reissued to another": (
        lambda f: f.decision("reissued", lambda r: r.update(to="south")), TAKEN, TAKEN,
    ),
    "reissued as more": (lambda f: f.decision("reissued", longer), MODEL + "|" + TAKEN, MODEL + "|" + TAKEN),
    "a reissue left out": (lambda f: f.without_decision("reissued"), MODEL + "|" + TAKEN, MODEL + "|" + TAKEN),
    "a fence left out": (lambda f: f.without_decision("fenced"), MODEL + "|" + PLACE, MODEL + "|" + PLACE),
    "a fence around another": (
        lambda f: f.decision("fenced", lambda r: r.update(region="south")), MODEL, MODEL,
    ),
    "a fence's end": (lambda f: f.decision("fenced", add("seq", 1)), MODEL, MODEL),
    "an outcome's unit": (lambda f: f.outcome(add("unit", 1)), "every outcome is what follows", None),
    "an outcome lost": (
        lambda f: f.outcome(lambda r: (r.update(state="lost", reason="closed"), r.pop("unit"))),
        "every outcome is what follows", None,
    ),
}  # fmt: skip
NAMED_IN_DECISIONS = {"a refusal's units"}
"""What a region refused is its own word, and nothing follows from it: only the chain of its log tells."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = SALE.write(tmp_path_factory.mktemp("tampering") / "bundle")
    assert audit(folder).findings == ()
    return folder


def thoroughly(folder: Path) -> None:
    """Every look has the heads of the logs as they are now, every outcome is told from them; then all is signed."""
    logs = {name: (folder / name).read_bytes().splitlines() for name in LOGS}
    lengths = {name: len(lines) for name, lines in SALE.lines.items()}
    heads = {}
    for name, lines in logs.items():
        heads[name] = [wire.FIRST_HEAD]
        for line in lines:
            heads[name].append(wire.extend(heads[name][-1], line))
    decisions = []
    for line in (folder / DECISIONS).read_bytes().splitlines():
        record = json.loads(line)
        seen = record["regions"] if record["type"] == "seen" else {record.get("region"): record}
        for region, at in seen.items():
            log = f"regions/{region}.jsonl"
            if log in heads and "head" in at:
                at["seq"] += (len(logs[log]) - lengths[region]) * (at["seq"] == lengths[region])
                at["head"] = heads[log][min(at["seq"], len(logs[log]))]
        decisions.append(canonical(record))
    (folder / DECISIONS).write_bytes(b"".join(line + b"\n" for line in decisions))
    outcomes = []
    for line in (line for lines in logs.values() for line in lines if b'"type":"request"' in line):
        entry = json.loads(line)
        outcomes.append(canonical({"request": entry["request"], "state": "won", "unit": entry.get("unit", 0)}))
    (folder / OUTCOMES).write_bytes(b"".join(line + b"\n" for line in outcomes))
    SALE.signers.sign(folder)


def edits(folder: Path) -> list[tuple[str, Forger, Edit]]:
    content, made = content_of(folder), []
    chance = random.Random(7)
    for kind in KINDS:
        for _ in range(TIMES_EACH):
            forger = Forger(chance, content)
            made.append((kind, forger, KINDS[kind][0](forger)))
    return made


def told(report: Report) -> list[str]:
    return [str(finding) for finding in report.findings]


def test_every_edit_is_found_by_the_rule_that_should_find_it(bundle: Path) -> None:
    found = Counter[str]()
    for kind, forger, edit in edits(bundle):
        _, colluding, thorough = KINDS[kind]
        for seal, rule in ((without_keys, colluding), (SALE.signers.sign, colluding), (thoroughly, thorough)):
            report = forged(bundle, edit, seal)
            if rule is None:
                continue
            rules = told(report)
            assert any(re.search(rule, each) for each in rules), (kind, edit[0], seal, rules)
            if (
                forger.line is not None
                and edit[0] in LOGS
                and seal is not without_keys
                and kind not in NAMED_IN_DECISIONS
            ):
                first = report.findings[0]
                assert first.file.startswith("regions/"), (kind, rules)
                assert first.line is not None, (kind, rules)
        found[kind] += 1
    assert found.keys() == KINDS.keys()


def test_what_is_impossible_in_one_log_is_named_by_its_line(bundle: Path) -> None:
    """The first finding is the very line that was edited, where that line cannot stand there."""
    for kind in ("a share", "another unit sold", "taken as more", "taken as less", "taken under another number",
                 "taken from the arbiter", "taken twice", "a refusal's reason", "a foreign field"):  # fmt: skip
        forger = Forger(random.Random(11), content_of(bundle))
        edit = KINDS[kind][0](forger)
        first = forged(bundle, edit, SALE.signers.sign).findings[0]
        assert (first.file, first.line) == (edit[0], forger.line), (kind, str(first))


def test_what_two_logs_say_differently_is_named_by_the_line_that_took(bundle: Path) -> None:
    content = content_of(bundle)
    forger = Forger(random.Random(3), content)
    log, edited = forger.edit("taken", lambda record: record.update(number=record["number"] + 90))
    report = forged(bundle, (log, edited), thoroughly)
    [found] = [each for each in report.findings if each.rule == TAKEN]
    assert (found.file, found.line) == (log, forger.line)
    assert "was never made" in found.found


def test_an_edit_that_nobody_sealed_is_found_in_its_file(bundle: Path) -> None:
    for kind, _, edit in edits(bundle)[::TIMES_EACH]:
        report = forged(bundle, edit, as_it_is)
        assert edit[0] in {finding.file for finding in report.findings}, kind
