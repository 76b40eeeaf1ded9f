"""When a request is made again. Pure: time comes in with what is heard, chance is left to the shell.

Repeating is safe by construction. A buyer has one entry in a sale (in auctions one for each price), so a repeated
purchase finds the first; publishing carries a key; confirming and releasing what is confirmed or released changes
nothing; the rest only looks. So whatever may pass is asked again: no answer, half an answer, `outcome_unknown`, and all
that a gateway answers with a `Retry-After`. What is settled is raised at once.

    persist(call)  ─ passes every step on to the shell, but an `Ask` until there is an answer that is no trouble;
                     raises what cannot pass, or did not in time, into the call

A pause is at least what the gateway asks for, and as much again by chance as doubles with each try, so that those who
were turned away together do not come back together. Patience is for trouble: what a call itself is to wait is added.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

from firstcome.exchange import SECOND_NS, Ask, Call, Heard, Lost, Pause, Reply, Step, T
from firstcome.problems import FirstcomeError, ProblemError, UnreachableError, problem_of

FIRST_PAUSE_NS: Final = SECOND_NS // 10
LONGEST_PAUSE_NS: Final = 5 * SECOND_NS
MOST_REDIRECTS: Final = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """Where requests go, and for how long trouble is put up with."""

    gateway: str
    longest_ns: int


def persist(call: Call[T], patience: Patience, now_ns: int) -> Call[T]:
    """The call, begun at `now_ns`, with every request made until it is answered for good."""
    try:
        step = next(call)
        while True:
            try:
                heard = (yield from _answered(step, patience, now_ns)) if isinstance(step, Ask) else (yield step)
            except FirstcomeError as error:
                step = call.throw(error)
            else:
                now_ns = heard.at_ns
                step = call.send(heard)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        call.close()


def pause(tries: int, least_ns: int) -> Pause:
    """How long to stay away after so many tries, the first being 1."""
    window_ns = min(FIRST_PAUSE_NS << min(tries - 1, 10), LONGEST_PAUSE_NS)
    return Pause(least_ns + window_ns // 2, least_ns + window_ns)


def trouble_of(heard: Heard) -> FirstcomeError | None:
    """What is wrong with what was heard, as far as it may pass; None where nothing is.

    Raises:
        ProblemError: it will not pass.
    """
    if isinstance(heard, Lost):
        return UnreachableError(heard.why)
    if not isinstance(heard, Reply) or heard.status < 300:
        return None
    problem = problem_of(heard)
    if not problem.may_pass:
        raise problem
    return problem


def least_pause_ns(trouble: FirstcomeError) -> int:
    """What the gateway asks for."""
    seconds = trouble.retry_after_seconds if isinstance(trouble, ProblemError) else None
    return (seconds or 0) * SECOND_NS


def _answered(first: Ask, patience: Patience, now_ns: int) -> Generator[Step, Heard, Reply]:
    deadline_ns = now_ns + patience.longest_ns + first.waits_ns
    ask, tries, redirects = first, 0, 0
    while True:
        left_ns = max(deadline_ns - now_ns, SECOND_NS)
        heard = yield replace(ask, within_ns=min(ask.within_ns + ask.waits_ns, left_ns), waits_ns=0)
        if isinstance(heard, Reply) and heard.status == 307 and redirects < MOST_REDIRECTS:
            ask, redirects = replace(ask, path=_elsewhere(patience.gateway, ask, heard)), redirects + 1
            now_ns = heard.at_ns
            continue
        trouble = trouble_of(heard)
        if trouble is None:
            assert isinstance(heard, Reply)
            return heard
        tries += 1
        wanted = pause(tries, least_pause_ns(trouble))
        if heard.at_ns + wanted.most_ns > deadline_ns:
            raise trouble
        now_ns = (yield wanted).at_ns
        ask, redirects = first, 0


def _elsewhere(gateway: str, ask: Ask, reply: Reply) -> str:
    """Where a gateway sends its caller, who is to make the same call there, with the same token.

    Raises:
        ProblemError: it sends them from https to something weaker.
    """
    here = urljoin(f"{gateway}/", ask.path.lstrip("/"))
    there = urljoin(here, reply.headers.get("location", ""))
    weaker = urlsplit(here).scheme == "https" and urlsplit(there).scheme != "https"
    if weaker or urlsplit(there).scheme not in {"http", "https"}:
        raise ProblemError(reply.status, "", "Redirected", f"A token is not sent from {here} on to {there}.", {})
    return there
