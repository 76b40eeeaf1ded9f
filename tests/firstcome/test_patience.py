"""When a request is made again, step by step: the core has no network, no clock and no dice, so its tests need none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcome import (
    FirstcomeError,
    OutcomeUnknownError,
    ProblemError,
    TooEarlyError,
    UnavailableError,
)
from firstcome.calls import purchase, purchases, wait
from firstcome.exchange import SECOND_NS, Ask, Call, Heard, Lost, Pause, Reply, Step, Woken
from firstcome.patience import FIRST_PAUSE_NS, LONGEST_PAUSE_NS, Patience, pause, persist

GATEWAY = "https://north.example"
PENDING = (
    b'{"id":"north.1","sale":"s","buyer":"ada","state":"pending",'
    b'"region":"north","seq":1,"stamp_ns":"5","bound_ns":"1"}'
)
WON = PENDING.replace(b'"pending"', b'"won","unit":3')


class Told:
    """A call that is answered from a list; time goes by while it pauses, and nowhere else."""

    def __init__(self, call: Call[Any], *answers: Reply | Lost, patience_seconds: int = 30) -> None:
        self.asked: list[Ask] = []
        self.paused: list[Pause] = []
        self.now_ns = 1_000 * SECOND_NS
        self.error: FirstcomeError | None = None
        self.result: Any = None
        self._answers = iter(answers)
        self._run(persist(call, Patience(GATEWAY, patience_seconds * SECOND_NS), self.now_ns))

    def _run(self, call: Call[Any]) -> None:
        try:
            step = next(call)
            while True:
                step = call.send(self._heard(step))
        except StopIteration as done:
            self.result = done.value
        except FirstcomeError as error:
            self.error = error

    def _heard(self, step: Step) -> Heard:
        if isinstance(step, Pause):
            self.paused += [step] if step.most_ns else []
            self.now_ns += step.most_ns
            return Woken(self.now_ns)
        assert isinstance(step, Ask)
        self.asked.append(step)
        answer = next(self._answers)
        if isinstance(answer, Lost):
            return Lost(self.now_ns, answer.why)
        return Reply(self.now_ns, answer.status, answer.headers, answer.body)


def reply(status: int, body: bytes = b"{}", **headers: str) -> Reply:
    return Reply(0, status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def problem(status: int, name: str, **headers: str) -> Reply:
    body = b'{"type":"urn:firstcome:problem:%s","title":"T","status":%d,"detail":"D"}' % (name.encode(), status)
    return reply(status, body, content_type="application/problem+json", **headers)


LOST = Lost(0, "ReadTimeout")
UNKNOWN = problem(503, "outcome_unknown", retry_after="1")


def test_what_is_lost_or_unknown_is_asked_again_word_for_word() -> None:
    told = Told(purchase("s", "ada"), LOST, UNKNOWN, reply(502), reply(202, PENDING))
    assert told.result.id == "north.1"
    assert len(told.asked) == 4
    assert all(ask == told.asked[0] for ask in told.asked)
    assert (told.asked[0].path, told.asked[0].body) == ("/v1/sales/s/purchases", {"buyer": "ada"})


def test_who_is_told_when_to_come_again_stays_away_for_so_long_and_not_all_alike() -> None:
    told = Told(purchase("s", "ada"), problem(503, "overloaded", retry_after="7"), reply(202, PENDING))
    (waited,) = told.paused
    assert waited.least_ns > 7 * SECOND_NS
    assert waited.most_ns > waited.least_ns


@given(st.integers(1, 1_000), st.integers(0, 3_600))
def test_a_pause_grows_to_a_limit_and_is_never_less_than_asked_for(tries: int, seconds: int) -> None:
    wanted = pause(tries, seconds * SECOND_NS)
    assert seconds * SECOND_NS + FIRST_PAUSE_NS // 2 <= wanted.least_ns < wanted.most_ns
    assert wanted.most_ns <= seconds * SECOND_NS + LONGEST_PAUSE_NS
    assert pause(tries + 1, 0).most_ns in {2 * pause(tries, 0).most_ns, LONGEST_PAUSE_NS}


@pytest.mark.parametrize("seconds", [1, 30])
def test_patience_ends_with_what_was_wrong_last_and_never_later_than_stated(seconds: int) -> None:
    told = Told(purchase("s", "ada"), LOST, *[UNKNOWN] * 100, patience_seconds=seconds)
    assert isinstance(told.error, OutcomeUnknownError)
    assert told.now_ns <= (1_000 + seconds) * SECOND_NS
    assert len(told.asked) > seconds / 8


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(409, "too_early", retry_after="1"), TooEarlyError),
        (problem(503, "region_cut_off"), UnavailableError),
        (problem(422, "something_new"), ProblemError),
        (problem(500, "internal"), ProblemError),
        (reply(418), ProblemError),
    ],
)
def test_what_is_settled_is_raised_at_once(answer: Reply, kind: type[Exception]) -> None:
    told = Told(purchase("s", "ada"), answer)
    assert isinstance(told.error, kind)
    assert told.paused == []


def test_who_is_sent_elsewhere_asks_there_and_here_again_where_nobody_answers_there() -> None:
    there = reply(307, location="https://south.example/v1/sales/s/purchases")
    told = Told(purchase("s", "ada"), there, LOST, there, reply(202, PENDING))
    assert [ask.path.startswith("https://south.example/") for ask in told.asked] == [False, True, False, True]
    assert {ask.method for ask in told.asked} == {"POST"}
    assert isinstance(Told(purchase("s", "ada"), *[there] * 9).error, ProblemError)


@pytest.mark.parametrize("location", ["http://south.example/", "file:///etc/passwd", "//south.example:x/", ""])
def test_a_token_is_not_sent_on_to_something_weaker(location: str) -> None:
    told = Told(purchase("s", "ada"), reply(307, location=location), *[reply(404)] * 3)
    assert isinstance(told.error, ProblemError)
    assert all(ask.path.startswith(("/", "https://")) for ask in told.asked)


def test_of_a_batch_only_those_are_tried_again_who_came_at_a_bad_time() -> None:
    def entry(index: int, part: bytes) -> bytes:
        return b'{"index":%d,"status":503,%s}' % (index, part)

    def no(name: bytes) -> bytes:
        return b'"problem":{"type":"urn:firstcome:problem:%s","title":"T","status":503,"detail":"D"}' % name

    first = b'{"purchases":[%s]}' % b",".join(
        [entry(0, no(b"overloaded")), entry(1, b'"purchase":' + PENDING), entry(2, no(b"region_cut_off"))]
    )
    second = b'{"purchases":[%s]}' % entry(0, b'"purchase":' + WON)
    told = Told(purchases("s", ["ada", "bob", "eve"]), reply(200, first), reply(200, second))
    assert [ask.body for ask in told.asked][1] == {"purchases": [{"buyer": "ada"}]}
    assert told.result[0].unit == 3
    assert told.result[1].state == "pending"
    assert told.result[2].type == "region_cut_off"
    assert told.paused[0].least_ns > SECOND_NS
    assert type(Told(purchases("s", ["ada"]), reply(200, b'{"purchases":[]}')).error).__name__ == "BadAnswerError"


def test_a_wait_asks_for_what_is_left_of_it_and_does_not_hammer() -> None:
    found = Told(purchase("s", "ada"), reply(202, PENDING)).result
    told = Told(wait(found, within_seconds=3), *[reply(200, PENDING)] * 2, reply(200, WON))
    assert told.result.unit == 3
    assert [ask.headers.get("prefer") for ask in told.asked] == ["wait=3", "wait=1", None]
    assert all(waited.least_ns >= SECOND_NS for waited in told.paused)


def test_an_answer_of_somebody_else_is_an_error_of_its_own() -> None:
    for body in (b"", b"<html>", b"[]", b"{}", b"\xff", b"[" * 100_000, PENDING.replace(b'"5"', b'"five"')):
        assert type(Told(purchase("s", "ada"), reply(200, body)).error).__name__ == "BadAnswerError"


def test_a_wait_that_was_asked_for_is_on_top_of_patience() -> None:
    told = Told(purchase("s", "ada", wait_seconds=50), LOST, reply(202, PENDING), patience_seconds=5)
    assert told.result.state == "pending"
    assert told.asked[0].headers == {"prefer": "wait=50"}
    assert [5 * SECOND_NS < ask.within_ns <= 55 * SECOND_NS for ask in told.asked] == [True, True]
    assert Told(purchase("s", "ada", wait_seconds=5_000), reply(202, PENDING)).asked[0].headers == {"prefer": "wait=60"}
