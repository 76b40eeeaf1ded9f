"""What an audit has established so far: each stop fills in what later ones stand on, or leaves it empty.

Here too is what is kept of a log once it was read: numbers in arrays, some thirty bytes an entry, and nothing else of
its text. Whoever needs the text reads the file again (`Case.blocks`), which is quicker than keeping it is dear.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from model import wire
from model.invariants import Others
from model.note import Checkpoint
from model.outcomes import Standing
from model.stated import Keys
from model.terms import Terms
from model.vocabulary import BeaconValue, Decision, Entry, Head, Line, Outcome, RegionName, Reply, Units
from proofs.bundle import Bundle
from proofs.findings import Finding, FindingError, shortened
from proofs.signatures import WitnessKey

MOST_FINDINGS: Final = 1_000
"""More are not kept: the first is where to look, and a bundle may hold a million lies."""
LONGEST_LOG_LINE_BYTES: Final = 1_024
"""Three ids of 128, four numbers of 19 digits, and the names of the fields."""
DECISIONS: Final = "decisions.jsonl"
OUTCOMES: Final = "outcomes.jsonl"
TRAVEL_NS: Final = 1_000_000_000
"""Default allowance: while nobody waits marks are raised once a second; the rest (a light round the world takes 0.2 s
in glass, a write to disk some ms) is small beside it."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever asks for an audit may state.

    Attributes:
        travel_ns: how long an entry may take from its region's log to the arbiter before that is worth an alarm.
        witness: whose cosignature every checkpoint must have; None where nobody's is asked for.
        watch: told what is being read, and how much of all reading is done, in [0, 1].
    """

    travel_ns: int = TRAVEL_NS
    witness: WitnessKey | None = None
    watch: Callable[[str, float], None] = lambda _stop, _done: None


@dataclass(slots=True)
class Log:
    """One region's log, once it was read: sound, numbered from 1 without gaps, no request twice."""

    region: RegionName
    lines: int = 0
    head: Head = wire.FIRST_HEAD
    root: bytes = b""
    """RFC 6962 root of the whole file; b"" in a sale without keys."""
    stamps_ns: "array[int]" = field(default_factory=lambda: array("q"))
    bounds_ns: "array[int]" = field(default_factory=lambda: array("q"))
    buyers: "array[int]" = field(default_factory=lambda: array("q"))
    """A hash of each buyer's name: the same name has the same, and other names almost surely others."""
    clocks: Counter[str] = field(default_factory=Counter)
    """By host, how many stamps."""
    seqs: "array[int] | None" = None
    """By entry the number of its line; None where every line is an entry."""
    prices: "array[int]" = field(default_factory=lambda: array("q"))
    """By entry what it bids; empty where there are no bids."""
    replies: list[Reply] = field(default_factory=list)
    """What holders of reserved units said, in order."""
    door: "Door | None" = None
    """What was sold at the door here; None in an ordered sale."""

    @property
    def entries(self) -> int:
        """How many of the lines are entries."""
        return len(self.stamps_ns)

    def entries_up_to(self, seq: int) -> int:
        """How many of the first `seq` lines are entries."""
        return seq if self.seqs is None else bisect_right(self.seqs, seq)

    def seq_of(self, place: int) -> int:
        """The number of the line of an entry, by its place among entries from 0."""
        return place + 1 if self.seqs is None else self.seqs[place]


@dataclass(slots=True)
class Door:
    """What one region sold, gave and took, where units are sold at the door."""

    units: "array[int]" = field(default_factory=lambda: array("q"))
    """By entry the unit that it got."""
    moves: list[Line] = field(default_factory=list)
    """Every other line."""
    free: Units = ()
    """What was left at the end of the log."""


@dataclass(slots=True)
class Looks:
    """The `seen` records, as columns: where in the decision log, when by the arbiter's clock, what was wanted."""

    indexes: "array[int]" = field(default_factory=lambda: array("q"))
    earliest_ns: "array[int]" = field(default_factory=lambda: array("q"))
    latest_ns: "array[int]" = field(default_factory=lambda: array("q"))
    wanted_ns: "array[int]" = field(default_factory=lambda: array("q"))
    """The mark that the next decision was waiting for, once the look's entries were delivered; -1 where none was."""
    of: dict[RegionName, "RegionLooks"] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indexes)


@dataclass(slots=True)
class RegionLooks:
    """How far each look had read one region, and its mark; from the first look on until it is cut off."""

    seqs: "array[int]" = field(default_factory=lambda: array("q"))
    marks_ns: "array[int]" = field(default_factory=lambda: array("q"))


@dataclass(slots=True)
class Decided:
    """What the decision log came to, once it was replayed to its end."""

    records: int
    head: Head
    root: bytes
    kinds: Counter[str]
    decisions: list[Decision]
    """All but `seen` records."""
    at_look: "array[int]"
    """By decision, which look it follows; -1 before the first."""
    looks: Looks
    standing: Standing
    over_at_look: int
    """From this look on nobody could enter any more to any effect: the sale was sold out, cancelled or halted before
    it, its list was full, or, where it waits for a beacon, every entry was in."""


@dataclass(slots=True)
class Told:
    """What the outcomes came to: the entries that a promise can name, what they were told, and the others counted."""

    notable: dict[RegionName, list[Entry]]
    outcomes: list[Outcome]
    others: Others
    reasons: Counter[str]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Units at the end of a sale at the door."""

    place: str
    """`sold`, `free`, `on the way`, `nobody's`, `unaccounted` (with a region that was cut off) or `not set up`."""
    region: str
    """Whose they are, or who may take them; "" for nobody's."""
    units: int
    which: str
    """Their numbers, shortened."""


@dataclass(slots=True)
class Case:
    """One bundle under audit."""

    bundle: Bundle
    wishes: Wishes
    findings: list[Finding] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    terms: Terms | None = None
    seed: bytes | None = None
    beacon: BeaconValue | None = None
    """What `seed.json` tells of a beacon's round, once its signature was verified."""
    draw_key: bytes | None = None
    """The key of every ticket; None where it waited for a beacon that never came."""
    keys: Keys | None = None
    """Who signs, as the terms name them; None in a sale that nobody signs."""
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    """By log, `decisions` or `regions/<name>`: signed by whom it should be."""
    at_checkpoint: dict[str, tuple[bytes, Head] | None] = field(default_factory=dict)
    """By log, root and head at its checkpoint's size; None where the log is shorter."""
    logs: dict[RegionName, Log] | None = None
    replayed: "Replayed | None" = None
    """What the decisions came to, before it is known whether the logs are sound."""
    decided: Decided | None = None
    told: Told | None = None
    places: tuple[Whereabouts, ...] = ()
    """Where units are in the end, where they are sold at the door."""
    refusals: list[str] = field(default_factory=list)
    """Grants that regions were offered and did not take."""

    def aside(self) -> "Case":
        """The same, for a part of the audit that may be done in another process: what it establishes is taken back by
        `take_back`."""
        return replace(self, findings=[], alarms=[], not_checked=[], at_checkpoint={})

    def take_back(self, part: "Apart") -> None:
        """What a part found, and what it read of a log's checkpoint."""
        for finding in part.findings:
            self.keep(finding)
        self.at_checkpoint.update(part.at_checkpoint)

    def found(self, file: str, line: int | None, rule: str, found: str = "", expected: str = "") -> None:
        """Something is not as it must be."""
        self.keep(Finding(file, line, rule, shortened(found), shortened(expected)))

    def keep(self, finding: Finding) -> None:
        """As `found`, for a finding that was made elsewhere."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    def head_in_manifest(self, log: str) -> str:
        """What the manifest states as a chain's head; "" where it cannot be read, which was found before."""
        heads = self.manifest.get("heads")
        return shortened(str(heads.get(log))) if isinstance(heads, dict) else ""

    def blocks(self, region: RegionName) -> Iterator[list[bytes]]:
        """The lines of a region's log."""
        return self.bundle.blocks(log_file(region), LONGEST_LOG_LINE_BYTES)

    def record(self, name: str) -> dict[str, Any]:
        """The one record of a file.

        Raises:
            FindingError: there is not just one, or it is not canonical JSON.
        """
        line = self.bundle.only_line(name)
        try:
            return wire.parse_canonical(line)
        except (ValueError, RecursionError) as error:
            raise FindingError(name, 1, "the record is canonical JSON", str(error)) from error


@dataclass(frozen=True, slots=True)
class Apart:
    """What a part of an audit sends back, besides what it was done for."""

    findings: list[Finding]
    at_checkpoint: dict[str, tuple[bytes, Head] | None]

    @classmethod
    def of(cls, aside: Case) -> "Apart":
        """Of the case that a part was given."""
        return cls(aside.findings, aside.at_checkpoint)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay of the decision log came to; `decided` is None where it does not hold."""

    decided: Decided | None
    apart: Apart


def log_file(region: RegionName) -> str:
    """Where a region's log is."""
    return f"regions/{region}.jsonl"
