"""The fairness statement: pots as the rule has them, and probabilities as counting every possibility gives them."""

import random
from collections import Counter
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.audit import audit
from proofs.audit.chance import Run, as_far, exactly, nearly
from tests.proofs.sales import SKEW_NS, a_sale
from tests.search import many
from tests.stories import Performance, Story, stories, write_bundle

runs = st.lists(
    st.lists(st.integers(0, 4), min_size=2, max_size=3).filter(any).flatmap(
        lambda pot: st.builds(Run, st.integers(1, sum(pot)), st.just(tuple(pot)))
    ), min_size=1, max_size=2,
)  # fmt: skip


def by_counting(drawn: list[Run], at: int) -> dict[int, Fraction]:
    """Every way to draw from every pot, counted."""
    likely = {0: Fraction(1)}
    for run in drawn:
        members = [region for region, times in enumerate(run.pot) for _ in range(times)]
        ways = Counter(sum(region == at for region in draw) for draw in combinations(members, run.draws))
        total, before = sum(ways.values()), likely
        likely = {}
        for x, probability in before.items():
            for y, times in ways.items():
                likely[x + y] = likely.get(x + y, Fraction(0)) + probability * Fraction(times, total)
    return likely


@settings(max_examples=many(40))
@given(runs)
def test_chance_is_what_counting_every_possibility_gives(drawn: list[Run]) -> None:
    likely, exact, near = by_counting(drawn, 0), exactly(drawn, 0), nearly(drawn, 0)
    assert {x: Fraction(weight, exact.total) for x, weight in enumerate(exact.weights, exact.first) if weight} == likely
    for x, weight in enumerate(near.weights, near.first):
        assert weight / near.total == pytest.approx(float(likely.get(x, 0)), abs=1e-6)
    mean = sum(x * probability for x, probability in likely.items())
    for won in likely:
        far = sum(probability for x, probability in likely.items() if abs(x - mean) >= abs(won - mean))
        assert as_far(exact, won) == pytest.approx(float(far))


def test_double_precision_agrees_with_whole_numbers_where_both_can_be_computed() -> None:
    chance = random.Random(4)
    drawn = [Run(chance.randrange(1, 9), (chance.randrange(1, 50), chance.randrange(9, 300))) for _ in range(60)]
    exact, near = exactly(drawn, 0), nearly(drawn, 0)
    for won in range(0, 120, 7):
        assert as_far(near, won) == pytest.approx(as_far(exact, won), abs=1e-6)


@settings(max_examples=many(20))
@given(stories(endings=("close",)), st.integers(0, 2**32))
def test_pots_are_as_the_rule_has_them(tmp_path_factory, story: Story, delivery: int) -> None:
    performance = Performance(story, delivery).run()
    fairness = audit(write_bundle(tmp_path_factory.mktemp("sale"), performance)).fairness
    assert fairness is not None
    run = performance.finished()
    waiting = sorted(run.contenders.values(), key=run.place_ns)
    assert fairness.buyers == len(waiting)
    for rank, won in enumerate(run.winners):
        earliest_ns = run.place_ns(waiting[0])
        pot = [entry for entry in waiting if run.place_ns(entry) <= earliest_ns + story.terms.tie_window_ns]
        assert (fairness.pots[rank], fairness.earliest_ns[rank]) == (len(pot), earliest_ns)
        waiting.remove(run.entries[won.request])
    assert fairness.by_order == sum(pot == 1 for pot in fairness.pots)
    assert fairness.by_order + fairness.by_lot + fairness.by_lot_for_rank_only == fairness.winners


def test_a_sale_decided_by_lots_says_so(tmp_path: Path) -> None:
    report = audit(a_sale(120, 10, lasts_ns=SKEW_NS).write(tmp_path))
    assert report.fairness is not None
    assert report.fairness.by_lot == 10
    assert report.fairness.by_order == 0
    assert sum(share.winners for share in report.fairness.shares) == 10
    assert sum(share.expected_winners for share in report.fairness.shares) == pytest.approx(10)
