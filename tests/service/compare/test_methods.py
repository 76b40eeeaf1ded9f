"""What each method does with a recording: the laws it keeps, and the complaint that it is all about."""

from dataclasses import replace

import pytest

from model import lottery
from model.folds import new_fold
from model.vocabulary import Entry, Seen, Won
from model.wire import log_line
from service.compare.methods import (
    CENTRAL,
    LOTTERY,
    LOTTERY_LOBBY,
    METHODS,
    REBALANCED,
    SHARDED,
    TIMESTAMPS,
    TIMESTAMPS_LOBBY,
)
from service.compare.recording import Recording, record
from service.compare.scene import BOTS, EQUAL, LOPSIDED, OPENS_NS, REGIONS, RUSH, SCENES, SPREAD, UNSOLD, Scene, smaller
from service.compare.tally import Tally, figures, tally

SALES = 4


def tallies(scene: Scene, method: str, sales: int = SALES) -> list[Tally]:
    recordings = (record(scene, seed=1, run=run) for run in range(sales))
    return [tally(recording, METHODS[method].sell(recording)) for recording in recordings]


@pytest.mark.parametrize("scene", [smaller(scene, 4) for scene in (*SCENES, RUSH)], ids=lambda scene: scene.name)
@pytest.mark.parametrize("method", METHODS)
def test_nobody_has_two_units_and_nothing_is_oversold(scene: Scene, method: str) -> None:
    recording = record(scene, seed=3, run=0)
    sold = METHODS[method].sell(recording)
    assert len(set(sold.winners)) == len(sold.winners) == scene.stock - sold.unsold
    assert len(sold.came_ns) == len(sold.told_ns) == len(recording.buyers)
    assert all(told >= came >= OPENS_NS for told, came in zip(sold.told_ns, sold.came_ns, strict=True))
    assert sold == METHODS[method].sell(recording)


def test_the_complaint_is_true() -> None:
    """At a central stock half of the buyers win next to nothing, because they are 30 ms away."""
    central, in_order = (figures(tallies(EQUAL, name), "seed") for name in (CENTRAL, LOTTERY))
    assert central.far_of_buyers == pytest.approx(0.5, abs=0.05)
    assert central.far_of_winners is not None
    assert central.far_of_winners.high is not None
    assert central.far_of_winners.high < 0.15
    assert in_order.far_of_winners is not None
    assert in_order.far_of_winners.high is not None
    assert in_order.far_of_winners.high > 0.4


def test_a_central_stock_that_is_equally_far_from_all_is_fair() -> None:
    scene = replace(EQUAL, distances_ns=(10_000_000, 10_000_000), jitters_ns=(300_000, 300_000))
    found = figures(tallies(scene, CENTRAL), "seed").far_of_winners
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.5 < found.high


def test_units_follow_demand_where_they_are_rebalanced() -> None:
    fixed, moving = (figures(tallies(UNSOLD, name), "seed") for name in (SHARDED, REBALANCED))
    assert fixed.unsold > 0.4
    assert moving.unsold < 0.01


def test_a_split_stock_that_does_not_move_is_sold_by_quota() -> None:
    for sale in tallies(LOPSIDED, SHARDED):
        assert sale.winners == (LOPSIDED.stock // 2, LOPSIDED.stock // 2)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_lottery_never_lets_down_who_certainly_came_first(scene: Scene) -> None:
    worst = replace(scene, clock_bias=1.0)
    sales = [*tallies(worst, LOTTERY, 2), *tallies(worst, LOTTERY_LOBBY, 2)]
    assert sum(sale.certainly_inverted for sale in sales) == 0
    assert sum(sale.certainly_apart for sale in sales) > 0


@pytest.mark.parametrize("method", [LOTTERY_LOBBY, TIMESTAMPS_LOBBY])
def test_a_faster_bot_gains_nothing_with_a_lobby(method: str) -> None:
    """The very same buyers win, however much faster the bots are; and without a lobby they do not."""
    slow, fast = (record(replace(BOTS, head_start_ns=head_start_ns), 1, 0) for head_start_ns in (0, 100_000_000))

    def winners(recording: Recording, name: str) -> list[str]:
        return [recording.buyers[at].name for at in METHODS[name].sell(recording).winners]

    assert sorted(winners(slow, method)) == sorted(winners(fast, method))
    for open_method in (CENTRAL, SHARDED, TIMESTAMPS, LOTTERY):
        assert sorted(winners(slow, open_method)) != sorted(winners(fast, open_method))


def test_a_bot_gains_much_where_speed_counts_and_nothing_beyond_a_wide_window() -> None:
    assert (gained := figures(tallies(BOTS, LOTTERY), "seed").bots_gain) is not None
    assert gained.value > 10
    wide = replace(BOTS, tie_window_ns=1_000_000_000)
    assert (gained := figures(tallies(wide, LOTTERY, 8), "seed").bots_gain) is not None
    assert gained.low is not None
    assert gained.high is not None
    assert gained.low < 1.0 < gained.high


@pytest.mark.parametrize("method", [LOTTERY, LOTTERY_LOBBY])
def test_winners_are_those_that_the_arbiter_decides(method: str) -> None:
    """The same arrivals as log lines, delivered to the fold that the service runs."""
    has_lobby = METHODS[method].has_lobby
    recording = record(smaller(SPREAD, 4), seed=2, run=0)
    scene = recording.scene
    terms = scene.terms(recording.seed, has_lobby)
    fold = new_fold(terms, recording.seed)
    logs: list[list[Entry]] = [[] for _ in REGIONS]
    for buyer in recording.buyers:
        log, region = logs[buyer.region], REGIONS[buyer.region]
        stamp_ns = (buyer.there_ns if has_lobby else buyer.presses_ns) + scene.clocks_off_ns[buyer.region]
        request = f"{region}.{buyer.name}"
        log.append(Entry(len(log) + 1, request, buyer.name, stamp_ns, scene.skew_bound_ns, f"{region}-1/1", 0))
    for region, log in zip(REGIONS, logs, strict=True):
        fold.deliver_all(region, [log_line(entry) for entry in log])
    heard = dict.fromkeys(REGIONS, terms.last_stamp_ns + 1)
    seen: Seen = fold.look(heard, OPENS_NS, OPENS_NS)
    decided = [decision.request for decision in fold.see(seen) if isinstance(decision, Won)]
    sold = METHODS[method].sell(recording)
    assert [request.rpartition(".")[2] for request in decided] == [recording.buyers[at].name for at in sold.winners]


def test_a_window_of_nothing_is_a_sort_by_timestamps() -> None:
    recording = record(EQUAL, seed=5, run=1)
    off_ns = EQUAL.clocks_off_ns
    stamps = [buyer.presses_ns + off_ns[buyer.region] for buyer in recording.buyers]
    expected = sorted(range(len(stamps)), key=stamps.__getitem__)[: EQUAL.stock]
    assert list(METHODS[TIMESTAMPS].sell(recording).winners) == expected
    assert lottery.order([], 0) == []


def test_who_is_told_when() -> None:
    """Central: a round trip. Sharded: at once. In order: window, grace, clocks and travel."""
    recording = record(EQUAL, seed=1, run=0)
    central = METHODS[CENTRAL].sell(recording)
    for at, buyer in enumerate(recording.buyers):
        assert central.told_ns[at] - central.came_ns[at] == 2 * buyer.way_ns
    (sharded,) = tallies(EQUAL, SHARDED, 1)
    assert set(sharded.winners_waited_ns) == {0}
    far_off_ns, far_ns = EQUAL.clocks_off_ns[0], EQUAL.distances_ns[1]
    (in_order,) = tallies(EQUAL, LOTTERY_LOBBY, 1)
    rule_ns = EQUAL.tie_window_ns + EQUAL.intake_grace_ns
    assert min(in_order.winners_waited_ns) >= rule_ns
    assert max(in_order.winners_waited_ns) <= rule_ns + 2 * far_ns - far_off_ns
