"""The audit of a bundle: everything that can be checked by somebody who has nothing but the files.

Nothing recorded is believed. Hashes are taken again, chains and tickets computed again, every decision is made again
by the model, every outcome derived again, every promise asked again. The road, each stop on what the former left
standing:

1. `manifest.json` against every file: none missing, added or changed.
2. `terms.json` against the sale's id, `seed.json` against the commitment in the terms.
3. `regions/*.jsonl`: well formed, numbered without gaps, no request twice, chained to the heads of the manifest.
4. `decisions.jsonl`: replayed by `model.replay`, record by record, to an end.
5. `outcomes.jsonl`: line by line what `model.outcomes` derives.
6. Every promise of `model.invariants`.

A stop that cannot be made because an earlier one failed is left out: its findings would be echoes. Line ends, limits
and names are `bundle.py`'s, the report is `findings.py`'s. Memory grows with the number of requests (the promises ask
about all of them) and with nothing else that a file may say.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Final

from model import wire
from model.invariants import PROMISES, Run
from model.outcomes import Standing
from model.replay import Replay
from model.terms import Terms, TermsError, commitment, read_terms
from model.vocabulary import Closed, Contradiction, Decision, Entry, Halted, Outcome, RegionName, Won
from proofs.bundle import Bundle, NotABundleError, open_bundle
from proofs.findings import Finding, FindingError, Report, render, shortened

__all__ = ["Finding", "NotABundleError", "Report", "audit", "render"]

FORMAT: Final = "firstcome-bundle/1"
MOST_OF_A_KIND: Final = 5
"""Violations told of one promise; a lie about one request often breaks it for thousands."""

_KINDS: Final = ("seen", "won", "sold_out", "cut_off", "cancelled", "halted", "closed")
_REASONS: Final = ("sold_out", "closed", "duplicate", "cut_off", "cancelled", "halted")


def audit(path: Path) -> Report:
    """Check a bundle, a folder or the same zipped.

    Raises:
        NotABundleError: there is none at this path.
    """
    with open_bundle(path) as bundle:
        return _Audit(bundle).report(str(path))


@dataclass(slots=True)
class _Audit:
    """What has been established so far. Each stop fills in what later ones stand on, or leaves None."""

    bundle: Bundle
    findings: list[Finding] = field(default_factory=list)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    terms: Terms | None = None
    seed: bytes | None = None
    logs: dict[RegionName, list[Entry]] | None = None
    decisions: list[Decision] | None = None
    standing: Standing | None = None
    outcomes: list[Outcome] | None = None

    def report(self, path: str) -> Report:
        self.findings += self.bundle.findings
        for stop in (self._manifest, self._terms, self._seed, self._logs, self._decisions, self._outcomes):
            try:
                stop()
            except FindingError as error:
                self.findings.append(error.finding)
        self._promises()
        kinds = Counter(_kind(decision) for decision in self.decisions or ())
        reasons = Counter(outcome.reason for outcome in self.outcomes or ())
        counts = {kind: kinds[kind] for kind in _KINDS} | {f"lost: {reason}": reasons[reason] for reason in _REASONS}
        return Report(
            bundle=path,
            sale="" if self.terms is None else self.terms.sale(),
            findings=tuple(dict.fromkeys(self.findings)),
            requests=sum(len(log) for log in (self.logs or {}).values()),
            winners=kinds["won"],
            decisions=len(self.decisions or ()),
            kinds=counts,
            not_checked=tuple(self._not_checked()),
        )

    def _found(self, file: str, line: int | None, rule: str, detail: str = "") -> None:
        self.findings.append(Finding(file, line, rule, shortened(detail)))

    @property
    def _heads(self) -> Mapping[str, Any]:
        heads = self.manifest.get("heads")
        return heads if isinstance(heads, dict) else {}

    def _manifest(self) -> None:
        name = "manifest.json"
        self.manifest = self._record(name)
        if self.manifest.get("format") != FORMAT:
            raise FindingError(name, 1, f"the format is {FORMAT}", str(self.manifest.get("format")))
        for foreign in sorted(self.manifest.keys() - {"format", "sale", "files", "heads", "signature"}):
            self._found(name, 1, "a manifest states format, sale, files, heads and signature", foreign)
        listed = self.manifest.get("files")
        if not isinstance(listed, dict):
            raise FindingError(name, 1, "a manifest states every file's SHA-256")
        for missing in sorted(listed.keys() - set(self.bundle.names)):
            self._found(shortened(missing), None, "every file of the manifest is there")
        for file in self.bundle.names:
            if file == name:
                continue
            if file not in listed:
                self._found(file, None, "every file is in the manifest")
            elif (digest := self.bundle.sha256(file)) != listed[file]:
                self._found(file, None, "the file's SHA-256 is the manifest's", f"{digest}, not {listed[file]}")

    def _terms(self) -> None:
        name = "terms.json"
        stated = self._record(name)
        try:
            terms = read_terms(stated)
        except TermsError as error:
            raise FindingError(name, 1, "the terms keep the rules of terms", str(error)) from error
        if terms.stated != stated:
            raise FindingError(name, 1, "the terms are complete, with every default stated")
        if not terms.seed_commitment:
            raise FindingError(name, 1, "the terms state the commitment to the seed")
        if self.manifest.get("sale") != terms.sale():
            detail = f"{terms.sale()}, not {self.manifest.get('sale')}"
            self._found("manifest.json", 1, "the sale's id is the hash of its terms", detail)
        self.terms = terms

    def _seed(self) -> None:
        name = "seed.json"
        stated = self._record(name)
        if stated.keys() != {"seed"}:
            raise FindingError(name, 1, "the file states the seed and nothing else", ", ".join(sorted(stated)))
        try:
            seed = bytes.fromhex(stated["seed"])
        except (TypeError, ValueError):
            seed = b""
        if len(seed) != 32 or seed.hex() != stated["seed"]:
            raise FindingError(name, 1, "the seed is 64 lower-case hex digits")
        if self.terms is not None:
            if commitment(seed) != self.terms.seed_commitment:
                raise FindingError(name, 1, "the seed is the one that the terms committed to", commitment(seed))
            self.seed = seed

    def _logs(self) -> None:
        if self.terms is None:
            return
        expected = {_log(region) for region in self.terms.regions}
        for name in self.bundle.names:
            if name.startswith("regions/") and name not in expected:
                self._found(name, None, "every log is of a region that the terms name")
        heads = self._heads
        wanted = {"decisions", *(f"regions/{region}" for region in self.terms.regions)}
        if heads.keys() != wanted:
            wrong = ", ".join(sorted(heads.keys() ^ wanted))
            self._found("manifest.json", 1, "the manifest states the head of every chain and of nothing else", wrong)
        logs = {}
        complete = True
        for region in self.terms.regions:
            try:
                logs[region] = self._read_log(region, heads.get(f"regions/{region}"))
            except FindingError as error:
                self.findings.append(error.finding)
                complete = False
        if complete:
            self.logs = logs

    def _read_log(self, region: RegionName, stated_head: object) -> list[Entry]:
        name, head, requests = _log(region), wire.FIRST_HEAD, set[str]()
        log: list[Entry] = []
        for number, line in enumerate(self.bundle.lines(name), start=1):
            try:
                entry = wire.parse_log_line(line)
            except ValueError as error:
                raise FindingError(name, number, "every line is a canonical request record", str(error)) from error
            if entry.seq != number:
                raise FindingError(name, number, "entries are numbered from 1 without gaps", f"number {entry.seq}")
            if entry.request.rpartition(".")[0] != region:
                raise FindingError(name, number, "every request is named after its region", entry.request)
            if entry.request in requests:
                raise FindingError(name, number, "no request is logged twice", entry.request)
            requests.add(entry.request)
            head = wire.extend(head, line)
            log.append(entry)
        if head != stated_head:
            self._found(name, len(log) or None, "the chain ends in the manifest's head", f"{head}, not {stated_head}")
        return log

    def _decisions(self) -> None:
        name, head = "decisions.jsonl", wire.FIRST_HEAD
        if self.terms is None or self.logs is None:
            return
        decisions: list[Decision] = []
        replay: Replay | None = None
        if self.seed is not None:
            replay = Replay(self.terms, self.seed, _LinesInTurn(self.bundle))
        for index, line in enumerate(self.bundle.lines(name)):
            with _told_as_finding(name, index + 1):
                decision = wire.parse_decision_line(index, line)
            decisions.append(decision)
            head = wire.extend(head, line)
            if replay is not None:
                try:
                    with _told_as_finding(name, index + 1):
                        replay.apply(decision)
                except FindingError as error:
                    self.findings.append(error.finding)
                    replay = None
        self.decisions, self.standing = decisions, self._stand(decisions)
        last = len(decisions) or None
        if head != self._heads.get("decisions"):
            detail = f"{head}, not {self._heads.get('decisions')}"
            self._found(name, last, "the chain ends in the manifest's head", detail)
        if not (decisions and isinstance(decisions[-1], Closed | Halted)):
            self._found(name, last, "the log ends with the sale closed or halted")
        if replay is not None:
            with _told_as_finding(name, last):
                replay.finish()

    def _stand(self, decisions: Iterable[Decision]) -> Standing:
        """What the records add up to, and whether the logs end where they say."""
        logs = self.logs or {}
        won = {decision.request for decision in decisions if isinstance(decision, Won)}
        buyers = {entry.request: entry.buyer for log in logs.values() for entry in log if entry.request in won}
        standing = Standing()
        for decision in decisions:
            standing.apply(decision, buyers.get(decision.request) if isinstance(decision, Won) else None)
        for region, log in logs.items():
            counted = standing.counted.get(region, 0)
            if len(log) < counted or (len(log) > counted and region not in standing.cut_offs):
                detail = f"{counted} were counted, and the file has {len(log)}"
                self._found(_log(region), len(log) or None, "a log ends where the arbiter's last look ended", detail)
        return standing

    def _outcomes(self) -> None:
        name = "outcomes.jsonl"
        if self.standing is None or self.logs is None:
            return
        derived: list[Outcome] = []
        differs = False
        for number, (entry, line) in enumerate(zip_longest(self._everybody(), self.bundle.lines(name)), start=1):
            if entry is None:
                raise FindingError(name, number, "nobody has an outcome who is in no log")
            region, logged = entry
            outcome = self.standing.outcome(region, logged.seq, logged.request, logged.buyer)
            if outcome is None:
                raise FindingError(_log(region), logged.seq, "every logged request has an outcome", logged.request)
            derived.append(outcome)
            expected = wire.outcome_line(outcome)
            if line != expected and not differs:
                differs = True
                found = "nothing" if line is None else line.decode(errors="replace")
                detail = f"expected {expected.decode()}, found {found}"
                self._found(name, number, "every outcome is what follows from logs and decisions", detail)
        self.outcomes = derived

    def _everybody(self) -> Iterator[tuple[RegionName, Entry]]:
        for region, log in (self.logs or {}).items():
            for entry in log:
                yield region, entry

    def _promises(self) -> None:
        if self.terms is None or self.logs is None or self.decisions is None or self.outcomes is None:
            return
        run = Run(self.terms, self.logs, self.decisions, self.outcomes)
        for promise in PROMISES:
            for violation in islice(promise(run), MOST_OF_A_KIND):
                self._found("", None, promise.__name__.replace("_", " "), violation)

    def _not_checked(self) -> Iterator[str]:
        yield "That this is the sale you mean: compare its id with the one that was published before it opened."
        if not self.manifest.get("signature"):
            yield "Who wrote this bundle: its manifest is not signed, so whoever has it could have written another."
        if any(name.startswith("clocks/") for name in self.bundle.names):
            yield "The clock journals: they are there and hashed, and the bounds of stamps are not computed again yet."
        else:
            yield "How true the stamps are: there is no clock journal, so every stamp's bound is taken as stated."
        if self.standing is not None and self.standing.cut_offs:
            cut = shortened(", ".join(sorted(self.standing.cut_offs)))
            yield f"What {cut} logged beyond its cut-off: nothing recorded says where such a log ends."
            yield f"Whether {cut} really fell silent: a cut-off is the arbiter's word."
        if self.standing is not None and (self.standing.halted or self.standing.cancelled):
            reason = shortened(str(self.standing.halted or self.standing.cancelled))
            yield f"Whether the reason for ending the sale early is true: “{reason}”."
        yield "How late each region could have back-dated: the arbiter's own clock in its looks is not weighed yet."

    def _record(self, name: str) -> dict[str, Any]:
        line = self.bundle.only_line(name)
        try:
            return wire.parse_canonical(line)
        except (ValueError, RecursionError) as error:
            raise FindingError(name, 1, "the record is canonical JSON", str(error)) from error


class _LinesInTurn:
    """The lines of logs, for a replay that asks for each once and in order: one open file per region."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._open: dict[RegionName, Iterator[bytes]] = {}

    def __call__(self, region: RegionName, first: int, last: int) -> Iterable[bytes]:
        lines = self._open.setdefault(region, self._bundle.lines(_log(region)))
        return islice(lines, last - first + 1)


def _log(region: RegionName) -> str:
    return f"regions/{region}.jsonl"


def _kind(decision: Decision) -> str:
    """The type of a record, as its line says it."""
    name = type(decision).__name__
    return {"SoldOut": "sold_out", "CutOff": "cut_off"}.get(name, name.lower())


@contextmanager
def _told_as_finding(file: str, line: int | None) -> Iterator[None]:
    """What the model says cannot be true is a finding about this line.

    Raises:
        FindingError: it said so.
    """
    try:
        yield
    except Contradiction as error:
        rule, bracket, detail = error.rule.partition(" (")
        where = f"region {error.region}: " if error.region else ""
        raise FindingError(file, line, where + rule, detail.removesuffix(")") if bracket else "") from error
    except RecursionError as error:
        raise FindingError(file, line, "records are not nested deeply") from error
