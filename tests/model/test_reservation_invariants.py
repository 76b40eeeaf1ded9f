"""The promises of a reservation: kept by every run, and each one broken by the lie it is there to catch."""

from hypothesis import given
from hypothesis import strategies as st

from model.reservation_invariants import RESERVATION_PROMISES, ReservationRun
from model.vocabulary import Entry, Reply
from tests.reservation_stories import Performance, Story, stories


def run_of(performance: Performance) -> ReservationRun:
    logged = performance.records()
    regions = performance.story.terms.regions
    return ReservationRun(
        performance.story.terms,
        {name: [one for at, one in logged if at == name and isinstance(one, Entry)] for name in regions},
        performance.decisions,
        [outcome for outcome in performance.outcomes() if outcome is not None],
        performance.true_arrival_ns,
        replies={name: [one for at, one in logged if at == name and isinstance(one, Reply)] for name in regions},
        true_reply_ns=performance.true_reply_ns,
    )


@given(stories(), st.integers(0, 2**32))
def test_every_run_keeps_every_promise(story: Story, delivery: int) -> None:
    run = run_of(Performance(story, delivery).run())
    for promise in RESERVATION_PROMISES:
        assert list(promise(run)) == [], promise.__name__
