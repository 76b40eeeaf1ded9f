"""Auctions and reservations audited: sound ones pass however they went, and the report counts what happened in them."""

import json
from collections import Counter
from io import StringIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from model import guards
from model.replies import parse_line
from model.vocabulary import Entry, Held, Listed, Won
from proofs.audit import Report, Wishes, audit, render
from proofs.audit.page import page
from tests import auction_stories, reservation_stories, stories
from tests.proofs.bid_sales import an_auction
from tests.proofs.held_sales import LateFriend, a_reservation
from tests.proofs.sales import GRACE_NS, MS, TRAVEL_NS, Sale
from tests.search import many
from tests.stories import OPENS_NS

TRAVEL = Wishes(travel_ns=max(TRAVEL_NS.values()) + 5 * MS)
SALES = {
    "uniform": an_auction(),
    "first price": an_auction(40, 6, seed=2, pricing="first_price"),
    "everybody": an_auction(9, 30, seed=4),
    "silent auction": an_auction(silent="west"),
    "reservation": a_reservation(),
    "few confirm": a_reservation(seed=2, confirms=0.2),
    "few ask": a_reservation(9, confirms=0.9),
    "silent": a_reservation(silent="west"),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("kinds")
    return {name: audit(sale.write(folder / name), TRAVEL) for name, sale in SALES.items()}


def entries_of(sale: Sale) -> list[Entry]:
    return [each for lines in sale.lines.values() for each in map(parse_line, lines) if isinstance(each, Entry)]


def test_sound_sales_are_found_sound(reports: dict[str, Report]) -> None:
    for name, report in reports.items():
        assert report.findings == (), name
        assert all("silent" in name and alarm.startswith("west could have") for alarm in report.alarms), name
        assert report.signed
        assert report.requests == len(entries_of(SALES[name]))
        told = Counter(json.loads(line).get("reason", "won") for line in SALES[name].outcomes())
        assert {each: report.kinds[f"lost: {each}"] for each in told if each != "won"} == {
            each: times for each, times in told.items() if each != "won"
        }
        assert report.winners == told["won"]


@settings(max_examples=many(15))
@given(auction_stories.auctions(), st.integers(0, 2**32))
def test_every_auction_passes_however_it_went(tmp_path_factory, story: stories.Story, delivery: int) -> None:
    performance = auction_stories.perform(story, delivery)
    report = audit(stories.write_bundle(tmp_path_factory.mktemp("sale"), performance))
    assert report.findings == ()
    assert report.requests == len(performance.entries())


@settings(max_examples=many(15))
@given(reservation_stories.stories(), st.integers(0, 2**32))
def test_every_reservation_passes_however_it_went(tmp_path_factory, story, delivery: int) -> None:
    performance = reservation_stories.Performance(story, delivery).run()
    report = audit(reservation_stories.write_bundle(tmp_path_factory.mktemp("sale"), performance))
    assert report.findings == ()
    assert report.requests == len(performance.entries())


def test_bids_are_counted_as_they_are(reports: dict[str, Report]) -> None:
    for name in ("uniform", "first price", "everybody", "silent auction"):
        sale, bidding = SALES[name], reports[name].bidding
        assert bidding is not None
        counted = [
            each
            for each in entries_of(sale)
            if each.seq <= sale.standing.cut_offs.get(each.request.rpartition(".")[0], 10**9)
        ]
        best: dict[str, int] = {}
        for each in counted:
            best[each.buyer] = max(best.get(each.buyer, 0), each.price or 0)
        won = {each.request: each for each in sale.decisions if isinstance(each, Won)}
        winners = [each for each in counted if each.request in won]
        losing = [price for buyer, price in best.items() if buyer not in {each.buyer for each in winners}]
        assert (bidding.bids, bidding.buyers, bidding.winners) == (len(counted), len(best), len(won))
        assert bidding.lowest_winning == min(each.price or 0 for each in winners)
        assert bidding.highest_losing == max(losing, default=None)
        assert bidding.paid == sum(each.price or 0 for each in won.values())
        for price in {400, 401, 700, 10**6, *best.values()}:
            assert bidding.higher(price) == sum(each > price for each in best.values())
            assert bidding.same(price) == sum(each == price for each in best.values())


def test_only_equal_bids_are_drawn_among_each_other(reports: dict[str, Report]) -> None:
    """Pots again by hand: at each draw, all who bid as much, wait, and are within W of the earliest of them."""
    for name in ("uniform", "first price", "everybody"):
        sale, fairness, bidding = SALES[name], reports[name].fairness, reports[name].bidding
        assert fairness is not None
        assert bidding is not None
        best: dict[str, Entry] = {}
        for each in entries_of(sale):
            best[each.buyer] = min(
                best.get(each.buyer, each), each, key=lambda one: (-(one.price or 0), one.stamp_ns, one.request)
            )
        waiting = {each.request: each for each in best.values()}
        for won in (each for each in sale.decisions if isinstance(each, Won)):
            price = waiting[won.request].price
            places = [guards.place_ns(each.stamp_ns, OPENS_NS) for each in waiting.values() if each.price == price]
            pot = sum(place <= min(places) + sale.terms.tie_window_ns for place in places)
            assert (fairness.pots[won.rank], fairness.earliest_ns[won.rank]) == (pot, min(places))
            del waiting[won.request]
        by_price = sum(
            won for price, won, buyers in zip(bidding.prices, bidding.winners_at, bidding.buyers_at, strict=True)
            if won == buyers and price >= (bidding.lowest_winning or 0)
        )  # fmt: skip
        assert fairness.by_price == by_price
        assert fairness.by_price + fairness.by_order + fairness.by_lot + fairness.by_lot_for_rank_only == len(
            [each for each in sale.decisions if isinstance(each, Won)]
        )


def test_equal_bids_in_one_window_are_decided_by_lot_and_it_is_said(tmp_path: Path) -> None:
    report = audit(an_auction(60, 12, prices=1, seed=3).write(tmp_path), TRAVEL)
    told = report.fairness
    assert told is not None
    assert (told.winners, told.by_lot > 2, told.by_price < 12) == (12, True, True)
    assert sum(share.expected_winners for share in told.shares) == pytest.approx(12)
    assert any(share.likely_least < share.likely_most for share in told.shares)


def test_the_list_is_told_as_it_was(reports: dict[str, Report]) -> None:
    for name in ("reservation", "few confirm", "few ask", "silent"):
        sale, turns = SALES[name], reports[name].turns
        assert turns is not None
        ends = Counter(type(each).__name__ for each in sale.decisions)
        assert turns.ends.get("confirmed", 0) == ends["Confirmed"] == reports[name].winners
        assert turns.ends.get("released", 0) == ends["Released"]
        assert turns.ends.get("expired", 0) == ends["Expired"]
        held = {each.request: each for each in sale.decisions if isinstance(each, Held)}
        drawn = {each.request for each in sale.decisions if isinstance(each, Held | Listed)}
        assert [turn.rank for turn in turns.turns] == list(range(len(drawn)))
        for turn in turns.turns:
            had = held.get(turn.request)
            assert (turn.unit, turn.until_ns) == (None, None) if had is None else (had.unit, had.until_ns)
            if had is not None:
                assert turn.held_ns == had.until_ns - sale.terms.hold_ns
            if turn.reply_line is not None:
                reply = parse_line(sale.lines[turn.region][turn.reply_line - 1])
                assert not isinstance(reply, Entry)
                assert (reply.purchase, reply.stamp_ns) == (turn.request, turn.reply_stamp_ns)
                assert reply.says[:7] == turn.end[:7]
        for holders in turns.by_unit().values():
            for one, other in pairwise(holders):
                assert one.ended_ns is not None
                assert other.held_ns is not None
                assert one.ended_ns <= other.held_ns


def test_the_first_units_and_the_lists_places_are_drawn_as_the_rule_has_it(reports: dict[str, Report]) -> None:
    for name in ("reservation", "few confirm", "few ask"):
        sale, first, places = SALES[name], reports[name].fairness, reports[name].list_fairness
        assert first is not None
        assert places is not None
        drawn = {each.request for each in sale.decisions if isinstance(each, Held | Listed)}
        assert (first.winners, places.winners) == (min(len(drawn), sale.terms.stock), len(drawn))
        assert first.pots == places.pots[: first.winners]
        assert sum(share.winners for share in places.shares) == len(drawn)


def test_an_honest_reply_leaves_no_room_and_a_late_friend_does(tmp_path: Path) -> None:
    """A region that lies holds its mark back, and logs its friend's confirmation, which comes too late, as in time."""
    lag_ns, late_ns = 250 * MS, 120 * MS
    report = audit(a_reservation(friend=LateFriend("south", lag_ns, late_ns)).write(tmp_path), TRAVEL)
    assert report.findings == ()
    assert any(alarm.startswith("south could have back-dated 1 confirmations") for alarm in report.alarms)
    assert any("south logged and that counted 1 were read when their hold was over" in each for each in report.alarms)
    assert report.back_dating is not None
    rooms = {room.region: room for room in report.back_dating.regions}
    south = rooms["south"]
    assert south.reply_room_most_ns is not None
    assert south.late_by_most_ns is not None
    assert south.reply_room_most_ns > late_ns
    assert late_ns <= south.late_by_most_ns <= late_ns + TRAVEL_NS["south"] + 10 * MS
    for name, room in rooms.items():
        if name != "south" and room.reply_room_most_ns is not None:
            assert room.reply_room_most_ns <= GRACE_NS + TRAVEL_NS[name]
            assert room.replies_beyond_allowance == 0


def test_what_matters_of_each_kind_is_told_on_terminal_page_and_to_programs(reports: dict[str, Report]) -> None:
    for name, words in {
        "uniform": ("Bids, around the lowest", "What was bid", "the highest losing bid", "by price alone"),
        "first price": ("Bids, around the lowest", "What was bid", "pays its own bid", "by price alone"),
        "reservation": ("Who held what, until when", "The list", "were confirmed", "places on the list"),
    }.items():
        out, told = StringIO(), page(reports[name])
        render(reports[name], Console(file=out, width=600))
        for word in words[2:]:
            assert word in out.getvalue(), word
            assert word in told, word
        assert words[0] in out.getvalue()
        assert words[1] in told
        for plot in told.split("<svg ")[1:]:
            drawn = "<svg " + plot.partition("</svg>")[0] + "</svg>"
            ElementTree.fromstring(drawn)
    fields = json.loads(json.dumps(reports["uniform"].fields()))
    assert fields["bidding"]["lowest_winning"] >= fields["bidding"]["highest_losing"]
    fields = json.loads(json.dumps(reports["reservation"].fields()))
    assert fields["turns"]["turns"][0]["rank"] == 0
    assert fields["turns"]["turns"][0]["end"] in {"confirmed", "released", "expired"}
    assert any("knew others' bids" in each for each in reports["uniform"].not_checked)


def test_kinds_of_record_that_never_occurred_are_those_of_the_kind(reports: dict[str, Report]) -> None:
    assert {"cancelled", "lost: cut_off"} <= set(reports["uniform"].never_occurred)
    assert "sold_out" not in reports["uniform"].kinds
    assert {"complete", "lost: cancelled"} <= set(reports["reservation"].never_occurred)
    assert "lost: outbid" not in reports["reservation"].kinds


def test_a_price_in_a_flash_sale_is_found_in_its_line(tmp_path: Path) -> None:
    performance = stories.a_full_sale()
    folder = stories.write_bundle(tmp_path, performance)
    log = folder / "regions/north.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"request":', b'"price":7,"request":', 1))
    [found] = [each for each in audit(stories.seal(folder)).findings if each.file == "regions/north.jsonl"]
    assert (found.line, found.rule) == (1, "only an auction's entries have a price")
