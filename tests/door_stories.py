"""Small sales at the door: drawn worlds in which regions sell, give and take, and an arbiter reads and reissues.

What regions do is `model/share.py` on a log of their own, as the scripts of their stores do it; the arbiter is the
shipped fold, told in whatever pieces it reads. Carriers come late, twice or never.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from hypothesis import strategies as st

from model import guards
from model.door_invariants import DoorRun
from model.moves import line_of, parse_line
from model.shards import Grant, ShardedFold
from model.share import Share
from model.terms import Terms, read_terms
from model.units import split_last
from model.vocabulary import Decision, Entry, Fenced, Granted, Line, Refused, Stocked, Taken
from tests.stories import OPENS_NS, SEED, moment

REGIONS = ("north", "south", "west")


def door_terms(quotas: Sequence[int] = (3, 2, 2), **more: object) -> Terms:
    """Terms of a tiny sale with a share for each region."""
    shares = dict(zip(REGIONS, quotas, strict=False))
    return read_terms(
        {
            "title": "Ten pairs of shoes", "stock": sum(quotas), "opens": moment(OPENS_NS),
            "closes": moment(OPENS_NS + 40), "regions": list(shares), "skew_bound_ns": "2",
            "intake_grace_ns": "5", "cut_off_after_ns": "6", "method": "sharded", "quotas": shares, **more,
        }
    ).committed(SEED)  # fmt: skip


@dataclass
class Store:
    """One region's store: its log, and the share that the log tells."""

    region: str
    terms: Terms
    lines: list[bytes] = field(default_factory=list)
    is_stopped: bool = False

    def __post_init__(self) -> None:
        self.share = Share(self.region)

    def append(self, line: Line) -> None:
        """What a script does: the line, and what it changes."""
        self.share.apply(self.terms, line)
        self.lines.append(line_of(line))

    @property
    def next_seq(self) -> int:
        return len(self.lines) + 1

    def set_up(self) -> None:
        if not self.lines:
            self.append(Stocked(1, self.terms.share(self.region)))

    @property
    def works(self) -> bool:
        return bool(self.lines) and not self.is_stopped

    def sell(self, buyer: str, stamp_ns: int) -> Entry | None:
        """None where nothing is free, or the buyer has a unit."""
        if not self.works or not self.share.free or buyer in self.share.buyers:
            return None
        seq = self.next_seq
        request = f"{self.region}.{seq:04}"
        entry = Entry(seq, request, buyer, stamp_ns, 0, "host/1", 0, self.share.free[0][0])
        self.append(entry)
        return entry

    def give(self, number: int, to: str, wanted: int) -> Granted | None:
        """None where this number was given, or nothing is free."""
        _, units = split_last(self.share.free, wanted)
        if not (self.works and guards.follows_in_log(number, len(self.share.granted)) and units):
            return None
        grant = Granted(self.next_seq, number, to, units)
        self.append(grant)
        return grant

    def take(self, grant: Grant) -> Taken | None:
        """None where it was taken before."""
        times = int((grant.donor, grant.number) in self.share.taken)
        if not (self.works and guards.is_ones_own(grant.to, self.region) and guards.may_take(times)):
            return None
        taken = Taken(self.next_seq, grant.donor, grant.number, grant.units)
        self.append(taken)
        return taken

    def refuse(self, grant: Grant) -> None:
        """An altered grant was offered."""
        self.append(Refused(self.next_seq, grant.donor, grant.number, (*grant.units, (90, 91)), "altered"))


@dataclass
class DoorStory:
    """A world and what was recorded of it."""

    terms: Terms

    def __post_init__(self) -> None:
        self.stores = {name: Store(name, self.terms) for name in self.terms.regions}
        self.fold = ShardedFold(self.terms)
        self.decisions: list[Decision] = []
        self.known: list[Grant] = []
        """All grants that any carrier has ever read of; carriers forget nothing."""

    def read(self, region: str, most: int = 10**6) -> None:
        """The arbiter reads on in a log."""
        if region in self.fold.regions:
            done = self.fold.delivered(region).seq
            for line in self.stores[region].lines[done : done + most]:
                self.fold.deliver(region, line)
                record = parse_line(line)
                if isinstance(record, Granted):
                    self.known.append(Grant(region, record.number, record.to, record.units))

    def look(self, marks_ns: dict[str, int] | None = None) -> None:
        """A look that is recorded."""
        seen = self.fold.look(marks_ns or {}, 5, 9)
        self.decisions.extend([seen, *self.fold.see(seen)])

    def fence(self, region: str) -> None:
        """Stopped, read to its end, recorded."""
        self.stores[region].is_stopped = True
        self.read(region)
        self.look()
        if not self.fold.is_decided:
            record, follows = self.fold.fence(region, "gone")
            self.decisions.extend([record, *follows])

    def reissue(self, to: str, wanted: int) -> None:
        """As many as there are."""
        self.look()
        units = min(wanted, self.fold.nobodys)
        if units and not self.fold.is_decided and to in self.fold.regions:
            record = self.fold.reissue(to, units)
            self.decisions.append(record)
            self.known.append(Grant("", record.number, to, record.units))

    def run(self) -> DoorRun:
        """As the promises see it."""
        records = {name: [parse_line(line) for line in store.lines] for name, store in self.stores.items()}
        entries = {
            name: [(line.seq, line.unit) for line in lines if isinstance(line, Entry) and line.unit is not None]
            for name, lines in records.items()
        }
        return DoorRun(
            self.terms,
            {name: partial(iter, sold) for name, sold in entries.items()},
            {name: [line for line in lines if not isinstance(line, Entry)] for name, lines in records.items()},
            {name: store.share.free for name, store in self.stores.items()},
            self.decisions,
        )

    @property
    def fenced(self) -> set[str]:
        return {each.region for each in self.decisions if isinstance(each, Fenced)}


@st.composite
def door_stories(draw: st.DrawFn, most: int = 40) -> DoorStory:
    """Any small world, up to some moment in it."""
    story = DoorStory(door_terms(draw(st.sampled_from([(3, 2, 2), (0, 7, 0), (1, 1, 4), (4, 3)]))))
    regions = st.sampled_from(story.terms.regions)
    for name in story.terms.regions:
        if draw(st.integers(0, 9)):
            story.stores[name].set_up()
    for _ in range(draw(st.integers(0, most))):
        if story.fold.is_decided:
            break
        region, other = draw(regions), draw(regions)
        store = story.stores[region]
        match draw(st.sampled_from("sssggggggrrrrrrccccccccctlfi")):
            case "s":
                store.sell(f"b{draw(st.integers(0, 20))}", OPENS_NS + draw(st.integers(0, 40)))
            case "g" if region != other:
                number = len(store.share.granted) + draw(st.sampled_from([0, 1, 1, 1]))
                store.give(number, other, draw(st.integers(1, 4)))
            case "r":
                story.read(region, draw(st.integers(1, 5)))
            case "c" if story.known:
                grant = draw(st.sampled_from(story.known))
                story.stores[grant.to].take(grant)
            case "t" if story.known and store.works:
                store.refuse(draw(st.sampled_from(story.known)))
            case "l":
                read_all(story)
                story.look()
            case "f" if store.lines and region in story.fold.regions and not draw(st.integers(0, 2)):
                read_all(story)
                story.fence(region)
            case "i" if story.fold.estate:
                read_all(story)
                story.reissue(region, draw(st.integers(1, 4)))
    return story


def read_all(story: DoorStory) -> None:
    """Every log, donors' before those who took: as a carrier has read what it carried."""
    for region in story.fold.regions:
        story.read(region)
