"""Each script by its contract: what it keeps, what it refuses, and that a repeat does no harm. On both servers."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from model.vocabulary import Entry
from model.wire import log_line
from service.store import keys
from service.store.attempts import around, words
from service.store.scripts import source

Client = "redis.Redis[bytes]"
Run = Callable[..., Any]
SALE = "ab" * 16
NOW_NS = 1_800_000_000_000_000_000
ADMIT = [keys.log(SALE), keys.buyers(SALE), keys.mark(SALE), keys.stop(SALE)]


@pytest.fixture
def run(client: "redis.Redis[bytes]") -> Run:
    """Runs a script by its name."""

    def call(name: str, names: list[str], *words: Any) -> Any:
        return client.eval(source(name), len(names), *names, *words)

    return call


@pytest.fixture
def admit(run: Run) -> Run:
    """Admits attempts: (request, buyer, stamp), and behind those (request, buyer, None), which look up."""

    def call(*attempts: tuple[str, str, int | None]) -> Any:
        made = [(request, buyer, stamp_ns) for request, buyer, stamp_ns in attempts if stamp_ns is not None]
        lines = [around(stamp_ns, 5, "h/1", 0).line(request, buyer) for request, buyer, stamp_ns in made]
        least_ns = min((stamp_ns for _, _, stamp_ns in made), default=0)
        return run("admit", ADMIT, *words(least_ns, lines, [buyer for _, buyer, _ in attempts]))

    return call


def lines(client: "redis.Redis[bytes]", key: str) -> list[bytes]:
    """A stream's lines; its numbers must count from 1."""
    found: Any = client.xrange(key)
    assert [number for number, _ in found] == [b"%d-0" % (index + 1) for index in range(len(found))]
    return [fields[b"l"] for _, fields in found]


def test_entries_are_numbered_and_found_again(client: "redis.Redis[bytes]", admit: Run) -> None:
    first, second = (
        log_line(Entry(1, "r.1-1", "ada", NOW_NS, 5, "h/1", 0)),
        log_line(Entry(2, "r.2-2", "bob", NOW_NS, 5, "h/1", 0)),
    )
    assert admit(("r.1", "ada", NOW_NS), ("r.2", "bob", NOW_NS), ("r.3", "ada", NOW_NS)) == [
        1,
        2,
        [b"known", first],
    ]
    assert client.xrange(keys.log(SALE)) == [(b"2-0", {b"l": first + b"\n" + second})]
    assert client.hgetall(keys.buyers(SALE)) == {b"ada": b"1", b"bob": b"2"}
    assert admit(("r.1", "ada", NOW_NS), ("r.9", "bob", None), ("r.9", "eve", None)) == [
        [b"known", first],
        [b"known", second],
        [b"unknown"],
    ]


def test_what_is_logged_together_lies_in_chunks_and_every_line_is_found_again(
    client: "redis.Redis[bytes]", admit: Run
) -> None:
    buyers = [f"b{number}" for number in range(1, 151)]
    entries = [
        log_line(Entry(seq, f"r.{seq}-{seq}", buyer, NOW_NS, 5, "h/1", 0)) for seq, buyer in enumerate(buyers, 1)
    ]
    assert admit(("r.1", "b1", NOW_NS)) == 1
    assert admit(*((f"r.{seq}", f"b{seq}", NOW_NS) for seq in range(2, 151))) == 150
    logged: Any = client.xrange(keys.log(SALE))
    assert [(number, fields[b"l"].split(b"\n")) for number, fields in logged] == [
        (b"1-0", entries[:1]),
        (b"65-0", entries[1:65]),
        (b"129-0", entries[65:129]),
        (b"150-0", entries[129:]),
    ]
    assert admit(*(("r.0", buyer, None) for buyer in buyers)) == [[b"known", line] for line in entries]


def test_a_stamp_below_the_mark_is_refused_and_one_at_it_is_not(admit: Run, run: Run) -> None:
    run("raise_mark", [keys.mark(SALE)], str(NOW_NS))
    assert admit(
        ("r.1", "ada", NOW_NS - 1), ("r.2", "bob", NOW_NS), ("r.3", "eve", 999), ("r.4", "dan", 10 * NOW_NS)
    ) == [
        [b"below", b"%d" % NOW_NS],
        1,
        [b"below", b"%d" % NOW_NS],
        2,
    ]


def test_a_known_entry_comes_before_every_refusal(client: "redis.Redis[bytes]", admit: Run, run: Run) -> None:
    admit(("r.1", "ada", NOW_NS))
    run("raise_mark", [keys.mark(SALE)], str(NOW_NS + 1))
    assert admit(("r.2", "ada", NOW_NS))[0][0] == b"known"
    client.set(keys.stop(SALE), "sold_out")
    assert admit(("r.3", "ada", NOW_NS), ("r.4", "bob", NOW_NS + 2), ("r.5", "bob", None)) == [
        [b"known", log_line(Entry(1, "r.1-1", "ada", NOW_NS, 5, "h/1", 0))],
        [b"stopped", b"sold_out"],
        [b"unknown"],
    ]


def test_an_entry_that_the_store_lost_is_not_made_again(client: "redis.Redis[bytes]", admit: Run) -> None:
    admit(("r.1", "ada", NOW_NS))
    client.xdel(keys.log(SALE), "1-0")
    assert admit(("r.2", "ada", NOW_NS)) == [[b"lost", b"1"]]


def test_a_mark_only_moves_forward(client: "redis.Redis[bytes]", run: Run) -> None:
    told = [
        run("raise_mark", [keys.mark(SALE)], str(mark_ns))
        for mark_ns in (999, 1000, 999, 1000, NOW_NS, NOW_NS - 1, NOW_NS + 1, 9)
    ]
    assert told == [b"999", b"1000", b"1000", b"1000", *[b"%d" % NOW_NS] * 2, *[b"%d" % (NOW_NS + 1)] * 2]
    assert client.get(keys.mark(SALE)) == told[-1]


def test_an_append_is_done_once_under_the_newest_token(client: "redis.Redis[bytes]", run: Run) -> None:
    log = keys.ledger(SALE)
    names = [keys.FENCE, log]
    assert run("append", names, "1", "0", "a", "") == [b"fenced", b""]
    client.set(keys.FENCE, "2")
    assert run("append", names, "1", "0", "a", "") == [b"fenced", b"2"]
    assert run("append", names, "2", "1", "a", "") == [b"moved", b"0"]
    for _ in range(2):
        assert run("append", names, "2", "0", "a", "", "b", "ada") == [b"appended"]
    assert run("append", names, "2", "0", "a", "", "c", "ada") == [b"moved", b"2"]
    assert run("append", names, "2", "1", "b", "ada", "c", "") == [b"moved", b"2"]
    assert run("append", names, "2", "2", "c", "") == [b"appended"]
    assert run("append", names, "2", "0", "a", "", "b", "ada") == [b"moved", b"3"]
    assert lines(client, log) == [b"a", b"b", b"c"]
    assert [fields[b"b"] for _, fields in client.xrange(log)] == [b"", b"ada", b""]
    client.set(keys.FENCE, "3")
    assert run("append", names, "2", "3", "d", "") == [b"fenced", b"3"]


def test_a_copy_keeps_chunks_by_the_number_of_their_last_line(client: "redis.Redis[bytes]", run: Run) -> None:
    copy = keys.copied_log(SALE, "here")
    names = [keys.FENCE, copy]
    assert run("copy", names, "1", "1", "2", "a\nb") == [b"fenced", b""]
    client.set(keys.FENCE, "1")
    for _ in range(2):
        assert run("copy", names, "1", "1", "2", "a\nb") == [b"copied"]
    assert run("copy", names, "1", "4", "4", "d") == [b"moved", b"2"]
    assert run("copy", names, "1", "2", "3", "b\nc") == [b"moved", b"2"]
    assert run("copy", names, "1", "3", "3", "c") == [b"copied"]
    found: Any = client.xrange(copy)
    assert [(number, fields[b"l"]) for number, fields in found] == [(b"2-0", b"a\nb"), (b"3-0", b"c")]


def test_a_push_passes_over_what_is_there_leaves_no_gap_and_tells_a_difference(
    client: "redis.Redis[bytes]", run: Run
) -> None:
    copy = keys.decisions(SALE)
    assert run("push", [copy], "2", "b", "") == 0
    assert run("push", [copy], "1", "a", "", "b", "ada") == 2
    assert run("push", [copy], "1", "a", "", "b", "ada") == 2
    assert run("push", [copy], "4", "d", "") == 2
    assert run("push", [copy], "2", "b", "ada", "c", "") == 3
    assert run("push", [copy], "2", "b", "ada", "x", "", "d", "") == -3
    assert run("push", [copy], "4") == 3
    assert lines(client, copy) == [b"a", b"b", b"c"]


def test_a_sale_is_opened_once_for_a_proposal(client: "redis.Redis[bytes]", run: Run) -> None:
    names = [keys.FENCE, keys.ARBITER_SALES, keys.SEEDS, keys.OPENED]
    assert run("open_sale", names, "1", "p1", "s1", "terms 1", "aa") == [b"fenced", b""]
    client.set(keys.FENCE, "1")
    assert run("open_sale", names, "1", "p1", "s1", "terms 1", "aa") == [b"opened", b"s1"]
    assert run("open_sale", names, "1", "p1", "s2", "terms 2", "bb") == [b"opened", b"s1"]
    assert run("open_sale", names, "1", "p2", "s2", "terms 2", "bb") == [b"opened", b"s2"]
    assert lines(client, keys.ARBITER_SALES) == [b"terms 1", b"terms 2"]
    assert client.hgetall(keys.SEEDS) == {b"s1": b"aa", b"s2": b"bb"}


def test_every_script_says_its_contract_first() -> None:
    for name in (
        "admit",
        "raise_mark",
        "append",
        "copy",
        "push",
        "open_sale",
        "set_up",
        "sell",
        "give",
        "take",
        "reply",
        "stop",
    ):
        text = source(name)
        assert text.startswith("-- KEYS: ")
        assert "ARGV: " in text
        assert "Returns" in text
    with pytest.raises(KeyError):
        source("nosuch")
