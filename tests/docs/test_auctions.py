"""The auctions that docs/auctions.md works by hand come out as it says."""

import re
import tomllib
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from model.terms import Terms, read_terms
from model.vocabulary import Entry
from tests.auction_stories import bid, perform, read_again, told
from tests.stories import SEED, Story

PAGE = (Path(__file__).parents[2] / "docs" / "auctions.md").read_text()
STATED = tomllib.loads(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0])
TABLES = re.findall(r"\| buyer \| at \| bid \| first price \| uniform \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE)
NS = Decimal(10**9)


@dataclass(frozen=True)
class Row:
    """A bid, and what the page says that becomes of it."""

    buyer: str
    at_ns: int
    price: int
    becomes: dict[str, str]


def rows(table: str) -> list[Row]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [
        Row(buyer, int(Decimal(at) * NS), minor_units(price), {"first_price": first, "uniform": uniform})
        for buyer, at, price, first, uniform in cells
    ]


def minor_units(amount: str) -> int:
    """Of euros."""
    cents = Decimal(amount) * 100
    assert cents == int(cents)
    return int(cents)


def terms(pricing: str) -> Terms:
    return read_terms({**STATED, "pricing": pricing}).committed(SEED)


def test_the_page_has_its_examples() -> None:
    assert len(TABLES) == 3
    assert read_terms(STATED).pricing == "uniform"
    assert read_terms(STATED).tie_window_ns == 100_000_000


@pytest.mark.parametrize("pricing", ["first_price", "uniform"])
@pytest.mark.parametrize("table", TABLES, ids=["three units", "a tie", "a unit is left"])
def test_an_example_comes_out_as_it_says(table: str, pricing: str) -> None:
    stated, regions = terms(pricing), ("beijing", "shanghai")
    logs: dict[str, list[Entry]] = {name: [] for name in regions}
    becomes: dict[str, str] = {}
    for number, row in enumerate(rows(table)):
        if row.price < stated.reserve_price:
            assert row.becomes[pricing] == "below the reserve"
            continue
        log = logs[regions[number % 2]]
        made = bid(regions[number % 2], len(log) + 1, 0, row.buyer, row.price)
        log.append(replace(made, stamp_ns=stated.opens_ns + row.at_ns))
        becomes[made.request] = row.becomes[pricing]
    story = Story(stated, logs)
    bidding = perform(story)
    outcomes = told(outcome for outcome in bidding.outcomes() if outcome is not None)
    assert outcomes == read_again(story).outcomes
    drawn = {request for request, said in becomes.items() if said.startswith("drawn")}
    assert len([request for request in drawn if outcomes[request]["state"] == "won"]) == len(drawn) // 2
    for request, said in becomes.items():
        outcome = outcomes[request]
        match said.removeprefix("drawn, ").split():
            case ["pays", amount]:
                assert outcome["state"] == "won" or request in drawn
                assert outcome.get("price", minor_units(amount)) == minor_units(amount)
            case ["outbid"]:
                assert outcome == {"state": "lost", "reason": "outbid"}
            case _:
                assert said == "her other bid won"
                assert outcome["reason"] == "duplicate"
