"""Show 3: twenty thousand buyers, three regions, and processes that die under them.

Ten units go one by one over three seconds, to buyers who press alone; all others press after them and are logged
before the first unit is decided (the grace is long), so every kill of the arbiter falls into something: into reading,
into the decisions, between the last unit and the last record. The bundle must then say just what everybody was told.
"""

import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from model import wire
from model.arbiter import Fold
from model.vocabulary import Seen, Won
from service.world.world import ARBITER, World
from tests.patience import until
from tests.worlds import Finished, Outing

BUYERS = 20_000
REGIONS = ("north", "south", "west")
GRACE_MS = 10_000
ALONE_EVERY_SECONDS = 0.6


def crowd(chance: random.Random) -> list[tuple[str, str, float]]:
    """Ten press alone, then the mass, and some go on pressing until all is decided; one in a hundred presses twice."""
    alone = [(f"alone-{n}", REGIONS[n % 3], 0.1 + n * ALONE_EVERY_SECONDS) for n in range(10)]
    others = [f"buyer-{n}" for n in range(BUYERS - 210)] + [f"buyer-{n}" for n in range(0, 20_000 - 210, 100)]
    moments = [chance.uniform(5.7, 10) if chance.random() < 0.95 else chance.uniform(10, 15) for _ in others]
    return alone + [(buyer, chance.choice(REGIONS), at) for buyer, at in zip(others, moments, strict=True)]


def kill_and_restart(world: World, sale: Outing) -> int:
    """Kill the arbiter and start it again. Returns how many records it had written."""
    world.kill(ARBITER)
    world.start(ARBITER)
    return sale.decided()


def decides_more(sale: Outing) -> None:
    """Wait until the arbiter has written something more; on a slow machine it may have written everything."""
    before = sale.decided()
    until(lambda: sale.decided() > before or sale.is_over())


@pytest.fixture(scope="module")
def finished() -> dict[str, Finished]:
    """The bundle of the big sale, for the tests after it."""
    return {}


def test_nothing_is_lost_when_the_arbiter_dies_five_times_and_a_gateway_once(
    world: World, publish: Callable[..., Outing], finished: dict[str, Finished]
) -> None:
    chance = random.Random(3)
    sale = publish(opens_in=2, grace_ms=GRACE_MS, skew_ms=50, lasts=30)
    presses = crowd(chance)
    chance.shuffle(presses)
    started = time.monotonic()
    hopeful = [press for press in presses if press[0].startswith("alone") or press[0].endswith("77")]
    patient = sale.in_background(hopeful, most_connections=400, wait_seconds=30, tries=12)
    others = sale.in_background(
        [press for press in presses if press not in set(hopeful)], most_connections=1_600, tries=12
    )
    until(lambda: sale.logged("north") > 1_000)
    killed_at = [kill_and_restart(world, sale)]
    until(lambda: sale.logged("south") > 3_000)
    killed_at.append(kill_and_restart(world, sale))
    world.kill("gateway-south-1")
    world.start("gateway-south-1")
    while len(killed_at) < 5:
        decides_more(sale)
        killed_at.append(kill_and_restart(world, sale))
    told = patient.result(), others.result()
    print(
        f"pressed after {time.monotonic() - started:.1f} s", Counter(p.status for some in told for p in some), killed_at
    )
    done = sale.finish()
    finished["big"] = done

    assert sum(map(len, told)) == len(presses)
    assert {pressed.status for pressed in sale.pressed} <= {200, 202, 409}
    assert len(done.winners) == 10
    assert done.keeps_its_word() > BUYERS / 2
    assert done.reasons() <= {"sold_out", "duplicate"}
    assert {done.entries[request][1]["buyer"] for request in done.winners} == {f"alone-{n}" for n in range(10)}
    done.decided_again()
    for request, outcome in list(done.outcomes.items())[::200] + [(w, done.outcomes[w]) for w in done.winners]:
        region, _ = done.entries[request]
        shown = sale.call("GET", f"/purchases/{request}", region).json()
        assert {**shown, **outcome, "request": None} == {**shown, "request": None}
    print(f"{time.monotonic() - started:.1f} s, {len(done.entries)} entries, {len(done.decisions)} records")


def test_a_sale_that_time_closes_survives_the_same(world: World, publish: Callable[..., Outing]) -> None:
    """More units than buyers: everybody wins, once, whoever dies; whoever presses again is told the same.

    Who presses last has three seconds left to be repeated in while a gateway is away.
    """
    chance = random.Random(4)
    sale = publish(opens_in=2, lobby=0.5, lasts=12, stock=5_000, grace_ms=1_000)
    buyers = [f"buyer-{number}" for number in range(1_500)]
    presses = [(buyer, chance.choice(REGIONS), chance.uniform(-0.3, 9)) for buyer in buyers + buyers[::2]]
    crowd = sale.in_background(presses, tries=12)
    decides_more(sale)
    killed_at = [kill_and_restart(world, sale)]
    world.kill("gateway-west-0")
    decides_more(sale)
    killed_at.append(kill_and_restart(world, sale))
    crowd.result()
    done = sale.finish()

    assert killed_at[0] < killed_at[1] < len(done.decisions)
    assert {pressed.status for pressed in sale.pressed} <= {200, 202}
    assert done.keeps_its_word() == len(presses)
    assert {done.entries[request][1]["buyer"] for request in done.winners} == set(buyers)
    assert len(done.winners) == len(buyers)
    assert done.reasons() == {"duplicate"}
    assert done.decisions[-1] == {"index": len(done.decisions) - 1, "type": "closed", "reason": "time"}
    done.decided_again()


def test_shuffled_delivery_of_the_same_logs_gives_the_same_decisions(finished: dict[str, Finished]) -> None:
    """Pieces of any size in any order, looks at any moment: between final marks nothing hangs on it."""
    if "big" not in finished:
        pytest.skip("it looks at the bundle of the test above, which has not run")
    done = finished["big"]
    terms = done.outing.terms
    seed = bytes.fromhex(wire.parse_canonical((done.folder / "seed.json").read_bytes().strip())["seed"])
    logs = {name: (done.folder / f"regions/{name}.jsonl").read_bytes().splitlines() for name in terms.regions}
    recorded = [
        wire.parse_decision_line(index, line)
        for index, line in enumerate((done.folder / "decisions.jsonl").read_bytes().splitlines())
    ]
    final = next(record for record in reversed(recorded) if isinstance(record, Seen))
    won = [record for record in recorded if isinstance(record, Won)]
    for turn in range(3):
        assert shuffled(Fold(terms, seed), logs, final, random.Random(turn)) == won


def shuffled(fold: Fold, logs: dict[str, list[bytes]], final: Seen, chance: random.Random) -> list[Won]:
    """Deliver logs in random pieces. A mark may only be looked at once everything below it is delivered."""
    won: list[Won] = []
    given = dict.fromkeys(logs, 0)
    least_after = {name: least_stamps(lines) for name, lines in logs.items()}
    while any(given[name] < len(lines) for name, lines in logs.items()):
        name = chance.choice([name for name, lines in logs.items() if given[name] < len(lines)])
        for line in logs[name][given[name] : given[name] + chance.choice([1, 7, 100, 2_000])]:
            fold.deliver(name, line)
            given[name] += 1
        marks = {
            name: max(fold.delivered(name).mark_ns, min(final.regions[name].mark_ns, least_after[name][given[name]]))
            for name in logs
        }
        won += [each for each in fold.see(fold.look(marks, 0, 0)) if isinstance(each, Won)]
    marks = {name: final.regions[name].mark_ns for name in logs}
    return won + [each for each in fold.see(fold.look(marks, 0, 0)) if isinstance(each, Won)]


def least_stamps(lines: list[bytes]) -> list[int]:
    """By position: the least stamp from there to the end of the log."""
    least = [2**63]
    for line in reversed(lines):
        least.append(min(least[-1], wire.parse_log_line(line).stamp_ns))
    return least[::-1]
