"""Reading many lines at once says what the law of one line says, or nothing."""

from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from model import guards
from model.arbiter import Fold
from model.columns import LINES_AT_ONCE, Columns, are_named_after, read_columns, read_ids
from model.folds import new_fold
from model.lottery import number_in
from model.terms import read_terms
from model.vocabulary import ID_FORM, Contradiction, Entry
from model.wire import FIRST_HEAD, extend, extend_all, log_line, parse_log_line
from tests.stories import OPENS_NS, SEED, entry, terms

ids = st.from_regex(rf"\A{ID_FORM}\Z")
entries = st.builds(
    Entry,
    seq=st.just(0),
    request=ids,
    buyer=ids,
    stamp_ns=st.one_of(st.just(0), st.integers(0, 10**19 - 1)),
    bound_ns=st.one_of(st.just(0), st.integers(0, 10**18 - 1)),
    clock=st.builds("{}/{}".format, ids, st.integers(0, 10**16 - 1)),
    heard_ns=st.one_of(st.just(0), st.integers(0, 10**19 - 1)),
)
LINE = log_line(entry("north", 1, 3, "ann"))
ODD = (
    b"", b"\n", b'"', b"0", b"00", b"-1", b"+1", b" 1", b"1_0", b"1.0", "١".encode(), "ä".encode(), b"\\u0041", b"\xff",
    b"a b", b"a/b", b"a" * 129, b"9" * 20, LINE, b"\n" + LINE, LINE + b"\n", b"{", b"}", b",", b":", b"x/01", b"x/",
    b"/1",
)  # fmt: skip


def numbered(logged: list[Entry], first: int) -> list[bytes]:
    return [log_line(replace(one, seq=first + at)) for at, one in enumerate(logged)]


def by_law(lines: list[bytes], first: int) -> list[Entry] | None:
    """What the law says of each line; None where one is not well formed or has another number."""
    read = []
    for at, line in enumerate(lines):
        try:
            read.append(parse_log_line(line))
        except ValueError:
            return None
        if not guards.follows_in_log(read[-1].seq, first + at - 1):
            return None
    return read


def agree(lines: list[bytes], first: int) -> Columns | None:
    columns, law = read_columns(lines, first), by_law(lines, first)
    assert (columns is not None) == bool(law)
    if columns is not None and law is not None:
        assert columns.first_seq == first
        assert list(columns.requests) == [one.request for one in law]
        assert list(columns.buyers) == [one.buyer for one in law]
        assert read_ids(lines) == (columns.requests, columns.buyers)
        assert list(columns.stamps_ns) == [one.stamp_ns for one in law]
        assert columns.least_bound_ns == min(one.bound_ns for one in law)
        assert columns.greatest_bound_ns == max(one.bound_ns for one in law)
    return columns


@given(st.lists(entries, max_size=6), st.integers(1, 10**15 - 10))
def test_well_formed_lines_are_read_as_the_law_reads_them(logged: list[Entry], first: int) -> None:
    event("read" if agree(numbered(logged, first), first) else "not read")


@given(st.lists(entries, min_size=1, max_size=4), st.data())
def test_a_change_anywhere_is_refused_exactly_where_the_law_refuses_it(
    logged: list[Entry], data: st.DataObject
) -> None:
    lines = numbered(logged, 7)
    which = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[which])))
    gone = data.draw(st.integers(0, 3))
    new = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from(ODD)))
    lines[which] = lines[which][:at] + new + lines[which][at + gone :]
    event("read" if agree(lines, 7) else "not read")


@pytest.mark.parametrize("field", range(1, 27))
@pytest.mark.parametrize("odd", ODD)
def test_each_piece_between_quotes_replaced_by_something_odd(field: int, odd: bytes) -> None:
    pieces = LINE.split(b'"')
    pieces[field] = odd
    agree([LINE, b'"'.join(pieces).replace(b'"seq":1', b'"seq":2')], 1)
    agree([b'"'.join(pieces)], 1)


def test_ids_are_not_looked_for_in_what_holds_no_entries() -> None:
    assert read_ids([]) == ([], [])
    for lines in ([b""], [LINE, b"{}"], [LINE + b"\n" + LINE]):
        with pytest.raises(ValueError):
            read_ids(lines)


@pytest.mark.parametrize(
    "lines",
    [
        [LINE + b"\n" + LINE.replace(b'"seq":1', b'"seq":2'), b""],
        [LINE[:50], LINE[50:]],
        [b"x" + LINE],
        [LINE, LINE],
        [],
    ],
)
def test_lines_that_only_together_look_like_lines_are_refused(lines: list[bytes]) -> None:
    assert agree(lines, 1) is None


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_several_lines_chain_as_one_after_the_other(lines: list[bytes]) -> None:
    head = FIRST_HEAD
    for line in lines:
        head = extend(head, line)
    assert extend_all(FIRST_HEAD, lines) == head


names = st.text("ab.", min_size=1, max_size=4)


@given(names, st.lists(st.one_of(names, st.builds("{}.{}".format, names, names)), min_size=1, max_size=4))
def test_requests_are_named_after_their_region_as_the_law_says(region: str, requests: list[str]) -> None:
    def by_law(request: str) -> bool:
        home, _, random = request.rpartition(".")
        return home == region and bool(random)

    assert are_named_after(region, requests) == all(map(by_law, requests))


def told(sale: Fold) -> object:
    """Everything that delivering changes."""
    waiting = {
        buyer: (sale._lottery.name(slot), sale._stamps_ns[number_in(slot)]) for buyer, slot in sale._waiting.items()
    }
    return sale.delivered("north"), sale.waiting, waiting, sale._buyers, sale.wanted_ns()


@given(
    st.lists(st.tuples(st.integers(-9, 45), st.integers(0, 5), st.integers(0, 3), st.integers(0, 12)), max_size=12),
    st.integers(0, 4),
    st.integers(0, 20),
)
def test_many_at_once_or_one_by_one_the_fold_is_the_same(
    logged: list[tuple[int, int, int, int]], seen: int, mark: int
) -> None:
    """Duplicates, contradictions of every kind and entries from before the opening among them."""
    lines = [
        log_line(entry("north" if name else "south", seq, after, f"b{buyer}", name=f"r{name}", bound=bound))
        for seq, (after, buyer, bound, name) in enumerate(logged, start=1)
    ]
    folds, found = [], []
    for at_once in (False, True):
        sale = Fold(terms(skew=2, lobby=5), SEED)
        folds.append(sale)
        try:
            for piece in (lines[:seen], lines[seen:]):
                if at_once:
                    sale.deliver_all("north", piece)
                else:
                    for line in piece:
                        sale.deliver("north", line)
                found.append(sale.see(sale.look({"north": OPENS_NS + mark, "south": OPENS_NS + mark}, 0, 0)))
        except Contradiction as finding:
            found.append(str(finding))
    half = len(found) // 2
    event(f"{'contradiction' if found and isinstance(found[-1], str) else 'sound'}")
    assert found[:half] == found[half:]
    assert told(folds[0]) == told(folds[1])


def test_more_lines_than_are_read_together() -> None:
    lines = [log_line(entry("north", seq, 3, f"b{seq}")) for seq in range(1, LINES_AT_ONCE + 10)]
    lines[-1] = lines[-1].replace(b'"seq"', b'"sea"')
    sale = Fold(terms(), SEED)
    with pytest.raises(Contradiction, match=f"line {len(lines)} of its log is well formed"):
        sale.deliver_all("north", lines)
    assert sale.delivered("north").seq == sale.waiting == len(lines) - 1


def test_many_bids_at_once_have_prices_as_one_by_one() -> None:
    """An entry without a price is none of an auction, however many come together."""
    sold = {"kind": "auction", "currency": "EUR"}
    sale = new_fold(read_terms({**terms().stated, **sold}).committed(SEED), SEED)
    bids = [log_line(replace(entry("north", seq, 3, f"b{seq}"), price=seq)) for seq in (1, 2)]
    sale.deliver_all("north", bids)
    assert sale.waiting == 2
    with pytest.raises(Contradiction, match="a bid has a price"):
        sale.deliver_all("north", [log_line(entry("north", 3, 3, "b3"))])
