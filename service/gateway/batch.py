"""The answer to a batch: every entry's own outcome, in its place.

What a batch means for fairness. All its entries have one stamp: the arrival of the batch's last byte, because no
earlier moment can be shown to anybody. A service that collects purchases gives its buyers the time of the collection,
not of their pressing; whoever waits until a batch is full waits at the cost of those who are in it already. Among
themselves they are simultaneous, so the lottery decides, and their order in the batch means nothing.
"""

from collections.abc import Callable

from model.vocabulary import Entry
from service.gateway.admission import Attempt, Result, Sold
from service.gateway.answers import Answer
from service.gateway.book import Sale
from service.gateway.counts import Counts
from service.gateway.refusals import why_not_logged
from service.gateway.told import Pending, pending_at, pending_id, tell_entry


class BatchAnswer:
    """Gathers the outcomes of one batch; responds when the last of them is there.

    Args:
        refused: what is owed to whoever has no entry yet, where nothing of this batch may be logged.
    """

    def __init__(
        self, sale: Sale, entries: int, respond: Callable[[Answer], None], counts: Counts, refused: Answer | None
    ) -> None:
        self._sale = sale
        self._items: list[str] = [""] * entries
        self._missing = entries
        self._respond = respond
        self._counts = counts
        self._refused = refused
        self._come_again = False
        self._pending_at: dict[int | None, Pending] = {}
        """What is told of all who came at this moment, by price."""

    def tell(self, attempt: Attempt, result: Result) -> None:
        """The store has spoken about one entry."""
        if isinstance(result, int):
            self._counts.logged += 1
            purchase = pending_id(self._sale, attempt, result)
            if purchase is not None:
                self._accept(attempt.place, 202, self._pending(attempt).body(purchase, attempt.buyer, result))
                return
            result = attempt.entry(result)
        elif isinstance(result, Sold):
            self._counts.logged += 1
            result = attempt.entry(*result)
        elif isinstance(result, Entry):
            self._counts.known += 1
        if isinstance(result, Entry):
            told = tell_entry(self._sale, result)
            self._accept(attempt.place, told.status, told.body.decode())
        else:
            self.refuse(attempt.place, why_not_logged(self._sale, result, self._refused))

    def refuse(self, index: int, problem: Answer) -> None:
        """An entry is refused, and no other with it."""
        self._counts.refused[problem.slug] += 1
        self._come_again |= problem.status == 503
        self._put(index, f'{{"index":{index},"status":{problem.status},"problem":{problem.body.decode()}}}')

    def _accept(self, index: int, status: int, purchase: str) -> None:
        """An entry has a purchase: as JSON, with the status that a call of its own would have had."""
        self._come_again |= status == 202
        self._put(index, f'{{"index":{index},"status":{status},"purchase":{purchase}}}')

    def _pending(self, attempt: Attempt) -> Pending:
        pending = self._pending_at.get(attempt.price)
        if pending is None:
            assert attempt.arrival is not None
            stamp_ns, bound_ns, _, _ = attempt.arrival
            pending = self._pending_at[attempt.price] = pending_at(self._sale, stamp_ns, bound_ns, attempt.price)
        return pending

    def _put(self, index: int, item: str) -> None:
        self._items[index] = item
        self._missing -= 1
        if self._missing == 0:
            headers = (("retry-after", "1"),) if self._come_again else ()
            self._respond(Answer(200, f'{{"purchases":[{",".join(self._items)}]}}'.encode(), headers))
