"""Following a sale, step by step: streams that break wherever they like, and what is told all the same."""

from hypothesis import given
from hypothesis import strategies as st

from firstcome import BadAnswerError, Event, FirstcomeError, NotFoundError, UnreachableError
from firstcome.exchange import SECOND_NS, Ask, Heard, Listen, Lost, Open, Opened, Pause, Reply, Said, Step, Tell, Woken
from firstcome.following import follow
from firstcome.patience import Patience

LOG = [(index, "won") for index in (1, 2, 5, 6)] + [(8, "sold_out"), (11, "closed")]
"""A sale's events; the numbers between are `seen` records, which nobody is told."""


class Gateway:
    """Says what a gateway would that has this log, and breaks each connection after so many events."""

    def __init__(self, log: list[tuple[int, str]], breaks_after: list[int], lives_ns: int = 0) -> None:
        self.asked: list[str] = []
        self.told: list[Event] = []
        self.error: FirstcomeError | None = None
        self.paused_ns = 0
        self._log = log
        self._breaks_after = iter(breaks_after)
        self._stream: list[tuple[int, str]] = []
        self._lives_ns = lives_ns
        self._greets = False
        """Whether it still has to say when to come back, which is an event without data."""
        self._now_ns = 0

    def follow(self, after: int = -1, patience_seconds: int = 30) -> list[int]:
        """The numbers of the events that were told."""
        call = follow("s", after, Patience("http://north", patience_seconds * SECOND_NS))
        try:
            step = next(call)
            while True:
                step = call.send(self._heard(step))
        except StopIteration:
            pass
        except FirstcomeError as error:
            self.error = error
        return [event.id for event in self.told]

    def _heard(self, step: Step) -> Heard:
        match step:
            case Open(Ask(headers=headers)):
                resume = headers.get("last-event-id", "")
                self.asked.append(resume)
                left = next(self._breaks_after, None)
                self._stream = [each for each in self._log if each[0] > int(resume or -1)][:left]
                self._greets = True
                return Opened(self._now_ns)
            case Listen() if self._greets:
                self._greets = False
                return Said(self._now_ns, "", "message", "")
            case Listen() if self._stream:
                number, kind = self._stream.pop(0)
                return Said(self._now_ns, str(number), kind, f'{{"type":"{kind}"}}')
            case Listen():
                self._now_ns += self._lives_ns
                return Lost(self._now_ns, "the stream ended")
            case Tell(event):
                self.told.append(event)
            case Pause(_, most_ns):
                self._now_ns += most_ns
                self.paused_ns += most_ns
        return Woken(self._now_ns)


@given(st.lists(st.integers(0, 6), max_size=12), st.sampled_from([-1, 1, 5, 8]))
def test_everything_behind_where_it_began_is_told_once_and_in_order(breaks_after: list[int], after: int) -> None:
    gateway = Gateway(LOG, breaks_after)
    assert gateway.follow(after, patience_seconds=1_000) == [number for number, _ in LOG if number > after]
    assert gateway.error is None


def test_who_knows_the_last_event_already_is_told_nothing_and_does_not_wait() -> None:
    gateway = Gateway(LOG, [])
    assert gateway.follow(11) == []
    assert gateway.asked == ["10"]
    assert gateway.paused_ns == 0


def test_a_stream_that_ends_neatly_is_not_the_end_of_the_sale() -> None:
    """A gateway that is stopped ends its streams just so."""
    gateway = Gateway(LOG, [4])
    assert gateway.follow() == [number for number, _ in LOG]
    assert gateway.asked == ["", "5"]


def test_connections_that_break_again_and_again_without_news_are_given_up() -> None:
    gateway = Gateway(LOG[:1], [])
    assert gateway.follow(patience_seconds=20) == [1]
    assert isinstance(gateway.error, UnreachableError)
    assert gateway.paused_ns <= 20 * SECOND_NS
    assert len(gateway.asked) < 20


def test_a_quiet_sale_is_followed_for_as_long_as_connections_hold() -> None:
    """Each holds for a minute: an hour of quiet is nobody's fault."""
    gateway = Gateway(LOG, [0] * 60, lives_ns=60 * SECOND_NS)
    assert gateway.follow(patience_seconds=5) == [number for number, _ in LOG]
    assert len(gateway.asked) == 61


def test_a_refusal_that_cannot_pass_ends_it() -> None:
    call = follow("s", -1, Patience("http://north", SECOND_NS))
    assert isinstance(next(call), Open)
    try:
        call.send(Reply(0, 404, {}, b""))
    except NotFoundError:
        return
    raise AssertionError("it went on")


def test_who_is_told_that_nothing_is_behind_what_is_known_is_done() -> None:
    call = follow("s", 500, Patience("http://north", SECOND_NS))
    assert isinstance(next(call), Open)
    try:
        call.send(Reply(0, 204, {}, b""))
    except StopIteration:
        return
    raise AssertionError("it went on")


def test_events_without_a_number_are_nobodys() -> None:
    for number in ("", "x", "٣", "-1"):
        gateway = Gateway([(0, "won")], [])
        call = follow("s", -1, Patience("http://north", SECOND_NS))
        assert isinstance(next(call), Open)
        assert isinstance(call.send(Opened(0)), Listen)
        try:
            call.send(Said(0, number, "won", "{}"))
        except BadAnswerError:
            continue
        raise AssertionError(gateway)
