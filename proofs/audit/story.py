"""A receipt told to its buyer: what happened to the purchase, in plain words and in the buyer's time zone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.markup import escape

from model.terms import Terms
from model.vocabulary import NANOSECONDS_IN_SECOND
from proofs.audit.receipt import ReceiptReport


def render_receipt(told: ReceiptReport, console: Console, zone: str | None) -> None:
    """Tell a person what was checked; with a zone, the story of the purchase as well.

    Args:
        zone: an IANA time zone, or None where no story is asked for.
    """
    console.print(
        f"Receipt [bold]{escape(told.receipt)}[/]" + ("" if told.terms is None else f", sale {told.terms.sale()}")
    )
    if told.ok:
        console.print("[bold green]Every check of this receipt holds.[/]")
    for finding in told.findings:
        console.print(f"  [red]✗[/] {escape(str(finding))}", highlight=False)
    for who in told.convicted:
        console.print(f"  [bold red]Convicted:[/] {escape(who)}", highlight=False)
    for sentence in told.not_checked:
        console.print(f"  · {escape(sentence)}", highlight=False)
    if zone is not None and told.ok:
        console.print()
        for sentence in story(told, zone):
            console.print(escape(sentence), highlight=False)


def story(told: ReceiptReport, zone: str) -> Iterator[str]:
    """The purchase in plain words, a paragraph each."""
    terms, entry = told.terms, told.entry
    if terms is None or entry is None:
        return
    yield (
        f"“{terms.stated['title']}”: you asked in {told.region} on {_date(entry.stamp_ns, zone)} at "
        f"{_clock(entry.stamp_ns, zone)}. That clock was sure to {_span(entry.bound_ns)} either way."
    )
    if entry.stamp_ns < terms.opens_ns:
        yield f"The sale opened at {_clock(terms.opens_ns, zone)}. You were there before, so you count as from then."
    yield (
        f"Region {told.region} wrote your request down as number {entry.seq} of its log and signed it: whoever leaves "
        "it out now can be shown to have dropped it."
    )
    if entry.unit is not None:
        yield f"Unit {entry.unit} of {terms.stock} was yours from that moment: this sale sells at the door."
        return
    lots = _lots(terms, zone)
    match terms.kind:
        case "auction":
            yield from _bid(told, told.outcome, lots)
        case "reservation":
            yield from _reserved(told, zone, told.outcome, lots)
        case _:
            yield from _outcome(told, told.outcome, lots)


def _lots(terms: Terms, zone: str) -> str:
    """When and how lots were fixed."""
    if terms.beacon is None:
        return "Lots were fixed before the sale began."
    published = _clock(terms.beacon.published_ns, zone)
    return (
        f"Lots were drawn when nobody could enter any more: by a number that the public beacon "
        f"“{terms.beacon.chain.name}” published at {published}, its round {terms.beacon.number}."
    )


def _outcome(told: ReceiptReport, outcome: Any, lots: str) -> Iterator[str]:
    terms = told.terms
    assert terms is not None
    window = _span(terms.tie_window_ns)
    match outcome:
        case None:
            yield "It was not decided yet when this receipt was made. Ask for a new one later."
        case {"state": "won", "rank": rank, "unit": unit}:
            yield f"You won: you were served as number {rank + 1}, and unit {unit} of {terms.stock} is yours."
            yield from _why(told, window, lots)
        case {"reason": "duplicate", "of": other}:
            yield f"You won with another request of yours ({other}); each buyer has one turn, and that was it."
        case {"reason": "sold_out"}:
            yield (
                f"All {terms.stock} were gone. Whoever was served had come earlier than you, or so close to you "
                f"(within {window}) that no clock can tell who was first; between those a lot decides. {lots}"
            )
        case {"reason": reason}:
            yield _ended(told, reason)


def _ended(told: ReceiptReport, reason: str) -> str:
    """Why nobody who waited could win any more."""
    if reason == "closed":
        return "The sale closed before your turn came."
    if reason == "cut_off":
        return f"Region {told.region} fell silent and the sale went on without it; what it logged later is void."
    return f"The sale was {reason}, so nobody who waited could win any more."


def _bid(told: ReceiptReport, outcome: Any, lots: str) -> Iterator[str]:
    """The story of a bid."""
    terms, entry, why = told.terms, told.entry, told.why
    assert terms is not None
    assert entry is not None
    yield f"You bid {entry.price:,}, counted in minor units of {terms.currency} (such as cents)."
    match outcome:
        case None:
            yield "Bids were not opened yet when this receipt was made. Ask for a new one after closing."
        case {"state": "won", "unit": unit, "price": price}:
            yield f"You won unit {unit} of {terms.stock}, and pay {price:,}."
            yield from _paid(terms, why)
            yield from _among_equals(terms, why, lots, "Your lot was the lowest of them.")
        case {"reason": "duplicate", "of": other}:
            yield f"You won with another bid of yours ({other}): of a buyer's bids the highest counts."
        case {"reason": "outbid"} if why is None:
            yield f"All {terms.stock} went to others, who bid more than you, or as much and were served first."
        case {"reason": "outbid"}:
            assert why is not None
            yield (
                f"{why['higher']:,} buyers bid more than that, and {why['same']:,} bid just that; there were "
                f"{terms.stock:,} units. The lowest bid that got one was {why['lowest_winning']:,}."
            )
            yield from _among_equals(terms, why, lots, "The lot of another was lower.")
        case {"reason": reason}:
            yield _ended(told, reason)


def _paid(terms: Terms, why: Any) -> Iterator[str]:
    """How what is paid came about."""
    if terms.pricing == "first_price":
        yield "Everybody who won pays what they bid."
    elif why is not None and why["highest_losing"] is not None:
        yield (
            f"Everybody who won pays the same: the highest bid that got nothing, which was {why['highest_losing']:,}, "
            f"and at least the reserve, {terms.reserve_price:,}."
        )
    elif why is not None:
        yield f"Everybody who bid got a unit, so all pay the reserve, {terms.reserve_price:,}."


def _among_equals(terms: Terms, why: Any, lots: str, lot: str) -> Iterator[str]:
    """How units went among those who bid the same."""
    if why is None or why["pot"] is None or why["same"] == 1:
        return
    if why["pot"] == 1:
        yield f"Of the {why['same']:,} who bid just as much the clocks said who was first; no lot was drawn then."
        return
    yield (
        f"{why['same']:,} bid just as much. Of them {why['pot']:,} had come within {_span(terms.tie_window_ns)} of "
        f"each other, too close for any clock to tell who was first. {lot} {lots}"
    )


def _reserved(told: ReceiptReport, zone: str, outcome: Any, lots: str) -> Iterator[str]:
    """The story of a place on a reservation's list."""
    terms, held, reply = told.terms, told.held, told.reply
    assert terms is not None
    if told.turn:
        rank = told.turn[0][1].rank
        yield f"You were drawn as number {rank + 1}, of {terms.places:,} places on the list."
        yield from _why(told, _span(terms.tie_window_ns), lots)
    if held is not None:
        waited = "You waited, until one was given back. Then unit" if len(told.turn) > 1 else "Unit"
        yield f"{waited} {held.unit} of {terms.stock} was held for you until {_clock(held.until_ns, zone)}."
    if reply is not None:
        said = "confirmed it" if reply.says == "confirm" else "gave it back"
        yield (
            f"You {said} at {_clock(reply.stamp_ns, zone)}, sure to {_span(reply.bound_ns)} either way; region "
            f"{told.region} wrote that down as line {reply.seq} and signed it."
        )
    match outcome:
        case None if held is not None and reply is None:
            yield "You had neither confirmed it nor given it back when this receipt was made."
        case None:
            yield "What became of it was not decided yet when this receipt was made. Ask for a new one later."
        case {"state": "won", "unit": unit}:
            yield f"Unit {unit} is yours."
        case {"reason": "duplicate", "of": other}:
            yield f"You have a unit by another request of yours ({other}); each buyer has one place."
        case {"reason": "released"}:
            yield "Your hold was given back, and the unit went to the next on the list."
        case {"reason": "expired"}:
            yield (
                "Your hold was over before a confirmation that was certainly in time had come, by the clocks of all "
                "regions; the unit went to the next on the list."
            )
        case {"reason": "list_full"}:
            yield f"All {terms.places:,} places on the list went to who had come earlier, or had a lower lot. {lots}"
        case {"reason": "sold_out"}:
            yield f"All {terms.stock} were confirmed by those before you."
        case {"reason": reason}:
            yield _ended(told, reason)


def _why(told: ReceiptReport, window: str, lots: str) -> Iterator[str]:
    why = told.why
    if why is None:
        return
    if why["pot"] == 1:
        yield "Nobody else could have been first then: by the clocks you were."
    else:
        yield (
            f"{why['pot']} buyers, you among them, had come within {window} of each other, too close for any clock to "
            f"tell who was first. Your lot was the lowest of them. {lots}"
        )


def _moment(nanoseconds: int, zone: str) -> datetime:
    try:
        tz = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{zone!r} is no time zone of the IANA database") from error
    return datetime.fromtimestamp(nanoseconds // NANOSECONDS_IN_SECOND, UTC).astimezone(tz)


def _date(nanoseconds: int, zone: str) -> str:
    moment = _moment(nanoseconds, zone)
    return f"{moment.day} {moment:%B %Y}"


def _clock(nanoseconds: int, zone: str) -> str:
    moment = _moment(nanoseconds, zone)
    return f"{moment:%H:%M:%S}.{nanoseconds % NANOSECONDS_IN_SECOND // 1_000_000:03} ({zone})"


def _span(nanoseconds: int) -> str:
    if nanoseconds >= NANOSECONDS_IN_SECOND:
        return f"{nanoseconds / NANOSECONDS_IN_SECOND:,.1f} s"
    return f"{nanoseconds / 1e6:,.1f} ms"
