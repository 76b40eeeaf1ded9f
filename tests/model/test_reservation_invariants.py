"""The promises of a reservation: kept by every run, and each one broken by the lie it is there to catch."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import invariants, reservation_invariants
from model.reservation_invariants import RESERVATION_PROMISES, Look, ReservationInvariant, ReservationRun
from model.vocabulary import (
    Complete,
    Confirmed,
    CutOff,
    Decision,
    Entry,
    Expired,
    Held,
    Listed,
    ListFull,
    Released,
    Reply,
    ReplyKind,
    Seen,
    SoldOut,
)
from tests.reservation_stories import Performance, Story, a_full_reservation, races, stories

ANN, BOB, JOE, ZOE, KIM = "north.5feceb", "north.4e0740", "south.6b86b2", "south.ef2d12", "west.d4735e"


def run_of(performance: Performance) -> ReservationRun:
    """As the audit sees it, and what only a simulation knows."""
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


def violations(run: ReservationRun) -> list[str]:
    return [f"{promise.__name__}: {what}" for promise in RESERVATION_PROMISES for what in promise(run)]


@given(stories(), st.integers(0, 2**32))
def test_every_run_keeps_every_promise(story: Story, delivery: int) -> None:
    assert violations(run_of(Performance(story, delivery).run())) == []


@pytest.mark.parametrize("block", range(4))
def test_races_at_the_end_of_every_hold_keep_every_promise(block: int) -> None:
    """Everybody replies within the clocks' errors of the moment that decides; both ways of deciding must occur."""
    ended = set[type[Decision]]()
    for number in range(block * 50, block * 50 + 50):
        run = run_of(Performance(races(number), number).run())
        assert violations(run) == [], number
        ended |= {type(one) for one in run.ended.values()}
    assert ended == {Confirmed, Released, Expired}


def test_a_compact_run_is_asked_the_same() -> None:
    """Without looks among the decisions, it says itself what they had read."""
    whole = run_of(a_full_reservation())
    marks = {name: [*whole.seen_of(name)] for name in whole.terms.regions}
    compact = replace(
        whole,
        decisions=[one for one in whole.decisions if not isinstance(one, Seen)],
        marks={name: seen.copy for name, seen in marks.items()},
        given_out=whole.looks,
    )
    assert violations(compact) == []
    later = {name: Look(look.seq, look.latest_ns + 1) for name, look in whole.looks.items()}
    assert violations(replace(compact, given_out=later))
    silent = {**marks, "north": [(seq, min(mark, whole.terms.closes_ns)) for seq, mark in marks["north"]]}
    asked = replace(compact, marks={name: seen.copy for name, seen in silent.items()})
    assert [*reservation_invariants.no_hold_expires_while_a_confirmation_in_time_can_follow(asked)]


Lie = Callable[[ReservationRun], ReservationRun]
Kind = type[Held] | type[Listed] | type[Confirmed] | type[Released] | type[Expired]


def decided(kind: Kind, request: str, *others: Decision, **fields: object) -> Lie:
    """A record about a request with other fields; or others in its place."""

    def record(one: Decision) -> list[Decision]:
        if not (isinstance(one, kind) and one.request == request):
            return [one]
        return [*others] if others else [replace(one, **fields)]  # type: ignore[arg-type]

    return lambda run: replace(run, decisions=[new for one in run.decisions for new in record(one)])


def gone(kind: type[Decision]) -> Lie:
    return lambda run: replace(run, decisions=[one for one in run.decisions if not isinstance(one, kind)])


def added(*records: Decision, before: type[Decision] = SoldOut) -> Lie:
    def lie(run: ReservationRun) -> ReservationRun:
        at = next(at for at, one in enumerate(run.decisions) if isinstance(one, before))
        return replace(run, decisions=[*run.decisions[:at], *records, *run.decisions[at:]])

    return lie


def said(request: str, **fields: object) -> Lie:
    """A reply, as logged."""

    def altered(reply: Reply) -> Reply:
        return replace(reply, **fields) if reply.purchase == request else reply  # type: ignore[arg-type]

    return lambda run: replace(
        run, replies={name: [altered(one) for one in log] for name, log in run.replies.items()}
    )  # fmt: skip


def in_time(request: str, by_ns: int) -> Lie:
    """The reply of a request is stamped so long before it would be too late."""

    def lie(run: ReservationRun) -> ReservationRun:
        until_ns = run.holds[request].until_ns
        return said(request, stamp_ns=until_ns - run.terms.skew_bound_ns - by_ns)(run)

    return lie


def truly(request: str, says: ReplyKind, before_the_end_ns: int) -> Lie:
    return lambda run: replace(
        run, true_reply_ns={(request, says): run.holds[request].until_ns - before_the_end_ns}
    )  # fmt: skip


def told(request: str, **fields: object) -> Lie:
    return lambda run: replace(
        run,
        outcomes=[replace(one, **fields) if one.request == request else one for one in run.outcomes],  # type: ignore[arg-type]
    )


def looks_held_back(run: ReservationRun) -> ReservationRun:
    """Every mark is from before the first hold was over."""

    def held_back(seen: Seen) -> Seen:
        most_ns = run.holds[JOE].until_ns
        regions = {name: replace(one, mark_ns=min(one.mark_ns, most_ns)) for name, one in seen.regions.items()}
        return replace(seen, regions=regions)

    return replace(run, decisions=[held_back(one) if isinstance(one, Seen) else one for one in run.decisions])


def zoe_before_bob(run: ReservationRun) -> ReservationRun:
    """The unit that kim let go passes bob over."""
    held = run.holds
    first = replace(held[ZOE], until_ns=held[BOB].until_ns)
    then = replace(held[BOB], until_ns=held[ZOE].until_ns)
    instead = {held[BOB]: first, held[ZOE]: then, Released(BOB): Released(ZOE), Confirmed(ZOE): Confirmed(BOB)}
    return replace(
        run, decisions=[instead.get(one, one) if not isinstance(one, Seen) else one for one in run.decisions]
    )


def waits_longer(run: ReservationRun) -> ReservationRun:
    """A unit is held for longer from the second on than what was told allows for."""
    return decided(Held, KIM, until_ns=run.holds[KIM].until_ns + 10**6)(run)


HERE = reservation_invariants
LIES: list[tuple[ReservationInvariant, Lie]] = [
    (HERE.no_unit_is_ever_with_two_people, decided(Held, KIM, unit=1)),
    (HERE.no_unit_is_ever_with_two_people, decided(Held, KIM, unit=2)),
    (HERE.no_unit_is_ever_with_two_people, gone(Expired)),
    (HERE.each_place_has_at_most_one_unit_ever, decided(Held, ZOE, Held(JOE, "south", 0, 0, 0))),
    (HERE.each_place_has_at_most_one_unit_ever, decided(Held, BOB, rank=4)),
    (HERE.each_place_has_at_most_one_unit_ever, added(Listed(ANN, "north", 5))),
    (HERE.each_place_has_at_most_one_unit_ever, added(Listed("north.e7f6c0", "north", 5))),
    (HERE.every_hold_ends_at_most_once, added(Expired(JOE))),
    (HERE.every_hold_ends_at_most_once, added(Expired(ANN))),
    (HERE.every_hold_ends_at_most_once, added(Confirmed("north.e7f6c0"))),
    (HERE.what_a_holder_said_first_in_time_is_what_counts, decided(Expired, JOE, Confirmed(JOE))),
    (HERE.what_a_holder_said_first_in_time_is_what_counts, decided(Released, BOB, Confirmed(BOB))),
    (HERE.what_a_holder_said_first_in_time_is_what_counts, in_time(ANN, 0)),
    (HERE.what_a_holder_said_first_in_time_is_what_counts, said(BOB, says="confirm")),
    (HERE.no_confirmation_in_time_is_lost, in_time(JOE, 1)),
    (HERE.no_confirmation_in_time_is_lost, decided(Released, BOB, Expired(BOB))),
    (HERE.no_confirmation_in_time_is_lost, decided(Confirmed, ZOE, Expired(ZOE))),
    (HERE.whoever_truly_confirmed_in_time_has_the_unit, truly(JOE, "confirm", 5)),
    (HERE.whoever_truly_confirmed_in_time_has_the_unit, truly(ZOE, "confirm", 0)),
    (HERE.no_hold_expires_while_a_confirmation_in_time_can_follow, looks_held_back),
    (HERE.a_hold_lasts_from_its_look_as_long_as_the_terms_say, waits_longer),
    (HERE.a_unit_goes_to_the_least_place_that_waits, zoe_before_bob),
    (HERE.nobody_waits_while_a_unit_is_free, decided(Held, ZOE, Released("north.e7f6c0"))),
    (HERE.nobody_waits_while_a_unit_is_free, added(Expired(JOE), before=Listed)),
    (HERE.it_ends_when_every_unit_is_known_of, decided(Confirmed, ZOE, Expired(ZOE))),
    (HERE.it_ends_when_every_unit_is_known_of, added(Complete(), before=CutOff)),
    (HERE.it_ends_when_every_unit_is_known_of, added(ListFull(), before=Listed)),
    (HERE.what_is_told_to_whoever_waits_never_gets_worse, decided(Held, KIM, Held(BOB, "north", 3, 0, 0))),
    (HERE.replies_keep_their_bound_and_are_not_early, said(BOB, bound_ns=3)),
    (HERE.replies_keep_their_bound_and_are_not_early, said(BOB, stamp_ns=0)),
    (HERE.replies_keep_their_bound_and_are_not_early, said(BOB, purchase=ZOE)),
    (HERE.no_reply_is_stamped_below_a_mark_that_was_seen, said(BOB, stamp_ns=0)),
    (invariants.nobody_is_served_before_one_who_certainly_came_first, decided(Listed, BOB, Listed(ZOE, "south", 3))),
    (invariants.no_more_units_are_sold_than_the_stock, decided(Listed, ZOE, rank=7)),
    (invariants.winners_are_told_that_they_won_and_nobody_else_is, told(ZOE, rank=3)),
    (invariants.winners_are_told_that_they_won_and_nobody_else_is, told(BOB, state="won", rank=3, unit=0)),
    (invariants.nobody_loses_without_a_stated_reason, told(BOB, reason="expired")),
    (invariants.nobody_loses_without_a_stated_reason, told(KIM, reason="released")),
    (invariants.nobody_loses_without_a_stated_reason, told(KIM, reason="list_full")),
    (invariants.nobody_loses_without_a_stated_reason, told(KIM, reason="duplicate", of=ANN)),
    (invariants.nobody_loses_without_a_stated_reason, told("north.e7f6c0", reason="expired")),
    (invariants.nobody_loses_without_a_stated_reason, told("north.e7f6c0", reason="closed")),
]


@pytest.mark.parametrize(("promise", "lie"), LIES)
def test_a_broken_promise_is_noticed(promise: ReservationInvariant, lie: Lie) -> None:
    run = run_of(a_full_reservation())
    assert list(promise(run)) == []
    assert list(promise(lie(run)))


def test_every_promise_has_a_lie() -> None:
    of_reservations = {promise for promise in RESERVATION_PROMISES if promise.__module__ == HERE.__name__}
    assert of_reservations == {promise for promise, _ in LIES if promise in of_reservations}
