"""When more comes than can be served: who is refused, early and cheaply, so that the others are served in time. Pure.

The problem. A queue that is never empty gives everybody its length as waiting time and serves nobody sooner for it.
But a queue is also what a flash sale is made of: thousands press in one moment, and a gateway that refuses them while
it could log all of them in time takes their place in time away. A long queue is no sign of overload; a queue that
*stays* long is (K. Nichols, V. Jacobson, *Controlling Queue Delay*, 2012, whose idea this is).

So the least waiting time of every interval is kept. While even the least was above a standing limit for a whole
interval, the queue stands: whoever has waited for longer than twice the limit is refused, until an interval passes in
which somebody did not have to wait. Waiting is from the arrival at the kernel, so it also counts what Python never saw.
A batch is many purchases and waits behind others as large, so it may have waited twice as long as a single call.

To refuse costs something too. When so many press that refusing them takes all the time there is, everybody has waited
for too long, and a rule of waiting alone would refuse them all and serve nobody. So whoever comes while the store has
next to nothing to do is taken, if there is still time to log it.

Everything is measured by the sale's intake grace, since that is how long a request may take to its log: beyond it the
store refuses anyway, after all the work was done. A burst that can be logged in a grace is served whole.
"""

from typing import Final

STANDING_PART: Final = 8
"""A queue stands when nobody has waited for less than this part of the grace (25 ms of 200 ms) …"""
INTERVAL_PART: Final = 2
"""… for this part of it (100 ms)."""


class Queue:
    """The queue of one sale at one gateway, as its requests have seen it."""

    __slots__ = ("_grace_ns", "_interval_ends_ns", "_interval_ns", "_least_ns", "_limit_ns", "stands")

    def __init__(self, intake_grace_ns: int) -> None:
        self._grace_ns = intake_grace_ns
        self._limit_ns = intake_grace_ns // STANDING_PART
        self._interval_ns = intake_grace_ns // INTERVAL_PART
        self._interval_ends_ns = 0
        self._least_ns = 0
        self.stands = False
        """Whether the queue stood in the last whole interval."""

    def refuses(self, now_ns: int, waited_ns: int, is_batch: bool = False, store_is_idle: bool = False) -> bool:
        """Whether to refuse a call that comes to its turn now, having waited so long. To be asked for each.

        Args:
            store_is_idle: nearly nothing is on its way to the store.
        """
        if now_ns >= self._interval_ends_ns:
            is_next = now_ns < self._interval_ends_ns + self._interval_ns
            self.stands = is_next and self._least_ns > self._limit_ns
            self._interval_ends_ns = now_ns + self._interval_ns
            self._least_ns = waited_ns
        elif waited_ns < self._least_ns:
            self._least_ns = waited_ns
        if not self.stands or waited_ns <= (4 if is_batch else 2) * self._limit_ns:
            return False
        return not store_is_idle or waited_ns > self._grace_ns // 2
