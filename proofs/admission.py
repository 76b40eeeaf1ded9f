"""Facts about who is let in: hours, bounds, marks and intake grace, log numbers, cut-off. For all integers.

`arrived` is when the last byte of a request reached its host, `logged` when its entry reached the region's log, both in
true time that nobody can read. A host's clock is right to ε, so two hosts of one region may differ by 2ε.
"""

from z3 import And, Exists, Ints, Not

from proofs.obligations import Argument, Case, Term, guards, obligation

stamp, arrived, bound, skew = Ints("stamp arrived bound skew")
entries_from, closes = Ints("entries_from closes")
logged, raised_at, raiser_now, grace = Ints("logged raised_at raiser_now grace")
mark, newer_mark, newest_mark = Ints("mark newer_mark newest_mark")
seq, other_seq, last_seq, cut_off_seq = Ints("seq other_seq last_seq cut_off_seq")
silent, longer_silent, cut_off_after = Ints("silent longer_silent cut_off_after")


def within(reading: Term, truth: Term, error: Term) -> Term:
    """|reading − truth| ≤ error."""
    return And(truth - error <= reading, reading <= truth + error)


@obligation
def an_accepted_stamp_is_true_to_the_skew_bound() -> Argument:
    """A stamp that is accepted is off by at most ε, and every stamp whose bound is at most ε is accepted."""
    accepted = guards.bound_holds(bound, skew)
    return Argument(
        (
            Case("accepted", (within(stamp, arrived, bound), accepted), within(stamp, arrived, skew)),
            Case("no bound", (bound < 0,), Not(accepted)),
            Case("good enough", (bound >= 0, bound <= skew), accepted),
        ),
        witness=(within(stamp, arrived, bound), accepted, bound == skew, skew > 0),
        beyond=(within(stamp, arrived, bound), bound == skew + 1, Not(within(stamp, arrived, skew)), skew >= 0),
    )


@obligation
def who_is_refused_as_early_truly_came_early() -> Argument:
    """Refused as too early only if certainly early; whoever is let in could have come in time."""
    early, honest = guards.certainly_early(stamp, skew, entries_from), within(stamp, arrived, skew)
    in_time = Exists(arrived, And(honest, arrived >= entries_from))
    return Argument(
        (
            Case("refused", (honest, early), arrived < entries_from),
            Case("let in", (skew >= 0, Not(early)), in_time),
        ),
        witness=(honest, early, arrived == entries_from - 1, skew > 0),
        beyond=(honest, stamp + skew == entries_from, arrived >= entries_from),
    )


@obligation
def who_is_refused_as_late_truly_came_late() -> Argument:
    """Refused as too late only if certainly late; whoever is let in could have come in time."""
    late, honest = guards.certainly_late(stamp, skew, closes), within(stamp, arrived, skew)
    in_time = Exists(arrived, And(honest, arrived <= closes))
    return Argument(
        (
            Case("refused", (honest, late), arrived > closes),
            Case("let in", (skew >= 0, Not(late)), in_time),
        ),
        witness=(honest, late, arrived == closes + 1, skew > 0),
        beyond=(honest, stamp - skew == closes, arrived <= closes),
    )


@obligation
def the_last_stamp_is_the_last_that_is_not_late() -> Argument:
    """A stamp is certainly late exactly if it is above closing + ε, which is what completes the last pot."""
    late, last = guards.certainly_late(stamp, skew, closes), guards.last_stamp_ns(closes, skew)
    return Argument(
        (Case("late", (late,), stamp > last), Case("not late", (Not(late),), stamp <= last)),
        witness=(Not(late), stamp == last, skew > 0),
    )


@obligation
def a_higher_mark_keeps_every_older_promise() -> Argument:
    """Marks only move forward, so what may follow the new mark may follow every older one."""
    rises, rises_again = guards.mark_may_rise(mark, newer_mark), guards.mark_may_rise(newer_mark, newest_mark)
    follows = guards.may_follow(stamp, newer_mark)
    return Argument(
        (
            Case("promise kept", (rises, follows), guards.may_follow(stamp, mark)),
            Case("again and again", (rises, rises_again), guards.mark_may_rise(mark, newest_mark)),
            Case("may repeat", (), guards.mark_may_rise(mark, mark)),
            Case("either way", (), rises | guards.mark_may_rise(newer_mark, mark)),
            Case("at the mark", (), guards.may_follow(mark, mark)),
        ),
        witness=(rises, follows, mark < newer_mark),
        beyond=(newer_mark == mark - 1, guards.may_follow(stamp, newer_mark), Not(guards.may_follow(stamp, mark))),
    )


@obligation
def who_is_logged_within_the_grace_less_two_errors_is_not_overtaken() -> Argument:
    """A request is sure to be logged for the intake grace less 2ε, whichever host of its region raised the mark."""
    terms = guards.grace_covers_clocks(grace, skew)
    honest = And(skew >= 0, within(stamp, arrived, skew), within(raiser_now, raised_at, skew), raised_at <= logged)
    in_time = guards.may_follow(stamp, guards.mark_after_grace_ns(raiser_now, grace))
    return Argument(
        (Case("always", (terms, honest, logged - arrived <= grace - 2 * skew), in_time),),
        witness=(terms, honest, in_time, skew > 0, arrived < logged),
        beyond=(terms, honest, skew > 0, arrived <= logged, logged - arrived == grace - 2 * skew + 1, Not(in_time)),
    )


@obligation
def a_grace_of_two_errors_would_leave_no_time_at_all() -> Argument:
    """Terms leave every request some time from the wire to the log; with a grace of 2ε exactly they would not."""
    honest = And(skew >= 0, within(stamp, arrived, skew), within(raiser_now, raised_at, skew), raised_at <= logged)
    refused = Not(guards.may_follow(stamp, guards.mark_after_grace_ns(raiser_now, grace)))
    return Argument(
        (
            Case("some time", (guards.grace_covers_clocks(grace, skew), honest, logged == arrived + 1), Not(refused)),
            Case("accepted from there on", (grace == 2 * skew + 1,), guards.grace_covers_clocks(grace, skew)),
        ),
        witness=(guards.grace_covers_clocks(grace, skew), honest, grace == 2 * skew + 1, skew > 0),
        beyond=(grace == 2 * skew, honest, skew > 0, logged == arrived + 1, refused),
    )


@obligation
def who_slept_beyond_the_grace_and_two_errors_is_refused() -> Argument:
    """A stamp older than grace + 2ε when the mark was raised is refused: a host that slept can only refuse."""
    honest = And(skew >= 0, within(stamp, arrived, skew), within(raiser_now, raised_at, skew))
    raised = guards.mark_may_rise(guards.mark_after_grace_ns(raiser_now, grace), mark)
    refused = Not(guards.may_follow(stamp, mark))
    slept = raised_at - arrived
    return Argument(
        (Case("always", (honest, raised, slept > grace + 2 * skew), refused),),
        witness=(honest, raised, slept == grace + 2 * skew + 1, skew > 0, grace > 2 * skew),
        beyond=(honest, raised, slept == grace + 2 * skew, skew > 0, Not(refused)),
    )


@obligation
def logs_are_numbered_without_gaps() -> Argument:
    """After each number comes exactly one, the next: none is skipped, none comes twice."""
    follows = guards.follows_in_log(seq, last_seq)
    between = And(last_seq < other_seq, other_seq < seq)
    return Argument(
        (
            Case("one", (follows, guards.follows_in_log(other_seq, last_seq)), seq == other_seq),
            Case("greater", (follows,), last_seq < seq),
            Case("no gap", (follows,), Not(between)),
            Case("always one", (), guards.follows_in_log(last_seq + 1, last_seq)),
        ),
        witness=(follows, last_seq == 0),
        beyond=(seq == last_seq + 2, between),
    )


@obligation
def entries_count_up_to_the_cut_off_and_none_after() -> Argument:
    """What had been read when a region was cut off counts, and what is logged after it does not."""
    counts = guards.entry_counts(seq, cut_off_seq)
    return Argument(
        (
            Case("the last one read", (), guards.entry_counts(cut_off_seq, cut_off_seq)),
            Case("all before", (counts, other_seq <= seq), guards.entry_counts(other_seq, cut_off_seq)),
            Case("not the next", (guards.follows_in_log(seq, cut_off_seq),), Not(counts)),
        ),
        witness=(counts, seq == cut_off_seq),
    )


@obligation
def no_region_is_cut_off_before_its_time() -> Argument:
    """A region may hold everybody up for just as long as the terms say; after that it may be cut off, for good."""
    too_long = guards.silent_too_long(silent, cut_off_after)
    return Argument(
        (
            Case("in time", (silent <= cut_off_after,), Not(too_long)),
            Case("too long", (silent == cut_off_after + 1,), too_long),
            Case("for good", (too_long, silent <= longer_silent), guards.silent_too_long(longer_silent, cut_off_after)),
        ),
        witness=(too_long, cut_off_after > 0, silent == cut_off_after + 1),
    )
