"""The clock evidence: no stamp may be surer of itself than its host's clock was at the update that it names.

An entry's `clock` is `<host>/<update>`. The journal of that host says what that update knew (`journal.py` computes it
again from the raw timestamps), and `model/clock.py` says how sure a moment can be by it: the update's bound, grown by
drift or by rate and wander from then to the stamp. The reading itself adds more, which the journal does not tell; so
a recorded bound may be above that, and never below.

A stamp is turned back into a moment of RAW to know how long after the update it was. Two nanoseconds are allowed for
rounding on that way. Where the journal does not state the drift (it begins in the middle) the update's own bound is all
that is asked.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from model.clock import PPB, PPT, Line, extrapolated_ns, growth_ns, rate_growth_ns
from proofs.audit.case import Case, Log, log_file
from proofs.audit.journal import Said, read_journal
from proofs.audit.workers import side_by_side
from proofs.findings import Finding, FindingError, shortened

ROUNDING_NS: Final = 2
MOST_UPDATES: Final = 2_000_000
"""Of all journals of a bundle: some 400 bytes each are kept. A host makes one every few seconds."""


_Quick: TypeAlias = tuple[int, int, int, int]
"""UTC at the update, its bound, how far its rate may be off, and its wander."""


@dataclass(frozen=True, slots=True)
class HostClock:
    """What became of one host's journal."""

    host: str
    updates: int
    recomputed: int
    local: int
    """Updates that rest on the host's own clock, by its operator's statement."""


@dataclass(slots=True)
class Evidence:
    """Every update of every journal, by the name that stamps give it."""

    hosts: dict[str, HostClock] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Hosts with a journal in which something was found: what hangs on it would be echoes."""
    said: dict[bytes, list[Said]] = field(default_factory=dict)
    _without: Counter[str] = field(default_factory=Counter)
    """Stamps of hosts without a journal."""
    _unsure: Counter[str] = field(default_factory=Counter)
    """Stamps that name an update which could not be computed again."""
    _on_state: Counter[str] = field(default_factory=Counter)
    """Stamps that name an update which was computed again from a state that was stated."""
    _quick: "dict[bytes, _Quick]" = field(default_factory=dict)

    def for_one_log(self) -> "Evidence":
        """The same, with counts of its own."""
        return replace(self, _without=Counter(), _unsure=Counter(), _on_state=Counter(), _quick={})

    def only_counts(self) -> "Evidence":
        """What was counted, and nothing that whoever asked has already."""
        return Evidence(_without=self._without, _unsure=self._unsure, _on_state=self._on_state)

    def count(self, of_one_log: "Evidence") -> None:
        """Take back what was counted of one log."""
        self._without.update(of_one_log._without)
        self._unsure.update(of_one_log._unsure)
        self._on_state.update(of_one_log._on_state)

    def check(
        self,
        case: Case,
        log: Log,
        seqs: Sequence[int],
        stamps_ns: Sequence[int],
        bounds_ns: Sequence[int],
        clocks: Sequence[bytes],
    ) -> None:
        """Entries of one log, by the numbers of their lines, against the updates that they name."""
        named = Counter(clocks)
        for clock, times in named.items():
            host = clock.rpartition(b"/")[0].decode()
            log.clocks[host] += times
            if host in self.broken:
                continue
            if host not in self.hosts:
                self._without[host] += times
            elif any(not said.is_recomputed for said in self.said.get(clock, ())):
                self._unsure[host] += times
            elif any(said.rests_on_state for said in self.said.get(clock, ())):
                self._on_state[host] += times
        if not self.hosts:
            return
        quick = self._quick
        for at, (clock, stamp_ns, bound_ns) in enumerate(zip(clocks, stamps_ns, bounds_ns, strict=True)):
            known = quick.get(clock) or self._remember(clock)
            at_update_ns, base_ns, rate_bound_ppt, wander_ppt_s = known
            elapsed_ns = abs(stamp_ns - at_update_ns)
            by_rate = 2 * PPB * rate_bound_ppt * elapsed_ns + wander_ppt_s * elapsed_ns * elapsed_ns
            if bound_ns < base_ns + by_rate // (2 * PPB * PPT) + 2:
                needs = self._needs(clock)
                if not any(need.allows(stamp_ns, bound_ns) for need in needs):
                    self._found(case, log_file(log.region), seqs[at], clock, stamp_ns, bound_ns)

    def _remember(self, clock: bytes) -> "_Quick":
        """What is surely enough of a bound by this update, so that most stamps need no closer look: its growth by rate
        and wander over a time that is not made shorter by how a stamp is turned back. Nothing is enough where there
        are several updates of this name, or none."""
        needs = self._needs(clock)
        line = needs[0].line if len(needs) == 1 else None
        if len(needs) == 1 and line is None:
            known = (0, -(2**80), 0, 0)
        elif line is None:
            known = (0, 2**80, 0, 0)
        else:
            known = (line.offset_ns + line.as_of_raw_ns, line.bound_ns, line.rate_bound_ppt, needs[0].wander_ppt_s)
        self._quick[clock] = known
        return known

    def _needs(self, clock: bytes) -> "list[_Need]":
        host = clock.rpartition(b"/")[0].decode()
        if host not in self.hosts:
            return [_Need()]
        return [_Need(said) for said in self.said.get(clock, ()) if said.line is not None]

    def _found(self, case: Case, file: str, line: int, clock: bytes, stamp_ns: int, bound_ns: int) -> None:
        needs = self._needs(clock)
        if clock not in self.said:
            case.found(file, line, "the update that a stamp names is in the clock journal", clock.decode())
        elif not needs:
            case.found(file, line, "no stamp is made while its host has no time", clock.decode())
        else:
            least_ns = min(need.least_bound_ns(stamp_ns) for need in needs)
            rule = "no stamp is surer than its clock was at the update that it names"
            case.found(file, line, rule, f"± {bound_ns} ns", f"± {least_ns} ns or more by {clock.decode()}")

    def tell(self, case: Case) -> None:
        """What could not be checked."""
        if self._without:
            hosts = shortened(", ".join(sorted(self._without)))
            stamps = sum(self._without.values())
            case.not_checked.append(
                f"How true {stamps:,} stamps are: there is no clock journal of {hosts}, so their bounds are taken as "
                "stated."
            )
            if case.keys is not None:
                case.alarms.append(
                    f"{stamps:,} stamps have no clock evidence: {hosts} handed in no journal (clockd's --journal, and "
                    "the notary's). Whoever signs a sale should show how true its clocks were."
                )
        if self._unsure:
            hosts = shortened(", ".join(sorted(self._unsure)))
            case.not_checked.append(
                f"The clock lines behind {sum(self._unsure.values()):,} stamps: the journals of {hosts} begin in the "
                "middle, after what they follow from; the stamps' bounds were checked against the lines as stated."
            )
        if self._on_state:
            hosts = shortened(", ".join(sorted(self._on_state)))
            case.not_checked.append(
                f"What the clocks of {hosts} were believed to be when their journals begin: these are excerpts, and "
                f"the first state in each is taken as stated. From there the lines behind "
                f"{sum(self._on_state.values()):,} stamps were computed again."
            )
        local = [host.host for host in self.hosts.values() if host.local]
        if local:
            hosts = shortened(", ".join(local))
            case.not_checked.append(f"How true the clocks of {hosts} are: they are their own reference, as stated.")


class _Need:
    """How sure a stamp by one update can be at best."""

    __slots__ = ("_said",)

    def __init__(self, said: Said | None = None) -> None:
        self._said = said

    @property
    def line(self) -> Line | None:
        return None if self._said is None else self._said.line

    @property
    def wander_ppt_s(self) -> int:
        return 0 if self._said is None else self._said.wander_ppt_s

    def allows(self, stamp_ns: int, bound_ns: int) -> bool:
        return self._said is None or bound_ns >= self.least_bound_ns(stamp_ns)

    def least_bound_ns(self, stamp_ns: int) -> int:
        said = self._said
        if said is None or said.line is None:
            return 0
        line = said.line
        if not said.drift_ppb:
            return line.bound_ns
        elapsed_ns = stamp_ns - line.offset_ns - line.as_of_raw_ns
        by_rate_ns = elapsed_ns - extrapolated_ns(elapsed_ns, line.rate_ppt)
        least_ns = max(0, min(abs(elapsed_ns), abs(by_rate_ns)) - ROUNDING_NS)
        return line.bound_ns + min(
            rate_growth_ns(least_ns, line.rate_bound_ppt, said.wander_ppt_s) - 1,
            growth_ns(least_ns, said.drift_ppb),
        )


def check_journals(case: Case) -> Evidence:
    """Read every journal of the bundle."""
    evidence, updates = Evidence(), 0
    names = [name for name in case.bundle.names if name.startswith("clocks/")]
    for name, said, finding in side_by_side(case, [partial(_read_journal, case, name) for name in names]):
        host = _host_of(name)
        updates += len(said)
        if updates > MOST_UPDATES and finding is None:
            finding = Finding(name, None, f"journals have at most {MOST_UPDATES} updates")  # noqa: PLW2901
        for each in said:
            evidence.said.setdefault(f"{host}/{each.number}".encode(), []).append(each)
        if finding is not None:
            case.keep(finding)
            evidence.broken.add(host)
            continue
        counts = Counter[str](updates=len(said), recomputed=0, local=0)
        for each in said:
            counts.update(recomputed=each.is_recomputed, local=each.is_local)
        evidence.hosts[host] = HostClock(host, counts["updates"], counts["recomputed"], counts["local"])
    return evidence


def _read_journal(case: Case, name: str) -> tuple[str, list[Said], Finding | None]:
    """What one journal says, up to the first thing that is wrong with it."""
    read: list[Said] = []
    try:
        for said in read_journal(name, _host_of(name), case.bundle.lines(name)):
            if len(read) == MOST_UPDATES:
                raise FindingError(name, said.at, f"journals have at most {MOST_UPDATES} updates")
            read.append(said)
    except FindingError as error:
        return name, read, error.finding
    return name, read, None


def _host_of(name: str) -> str:
    return PurePosixPath(name).name.removesuffix(".jsonl")
