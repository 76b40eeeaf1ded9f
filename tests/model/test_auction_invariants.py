"""The promises of an auction: kept by every run of the model, and each one broken by the lie it is there to catch."""

from hypothesis import given
from hypothesis import strategies as st

from model.auction_invariants import AUCTION_PROMISES
from tests.auction_stories import auctions, perform
from tests.stories import Story


@given(auctions(), st.integers(0, 2**32))
def test_every_run_keeps_every_promise(story: Story, delivery: int) -> None:
    run = perform(story, delivery).finished()
    for promise in AUCTION_PROMISES:
        assert list(promise(run)) == [], promise.__name__
