"""The answer to a batch: every entry's own outcome, in its place.

What a batch means for fairness. All its entries have one stamp: the arrival of the batch's last byte, because no
earlier moment can be shown to anybody. A service that collects purchases gives its buyers the time of the collection,
not of their pressing; whoever waits until a batch is full waits at the cost of those who are in it already. Among
themselves they are simultaneous, so the lottery decides, and their order in the batch means nothing.
"""

from collections.abc import Callable

from service.gateway.answers import Answer


class BatchAnswer:
    """Gathers the outcomes of one batch; responds when the last of them is there."""

    def __init__(self, entries: int, respond: Callable[[Answer], None]) -> None:
        self._items: list[str] = [""] * entries
        self._missing = entries
        self._respond = respond
        self._come_again = False

    def accept(self, index: int, status: int, purchase: str) -> None:
        """An entry has a purchase: as JSON, with the status that a call of its own would have had."""
        self._come_again |= status == 202
        self._put(index, f'{{"index":{index},"status":{status},"purchase":{purchase}}}')

    def refuse(self, index: int, problem: Answer) -> None:
        """An entry is refused, and no other with it."""
        self._come_again |= problem.status == 503
        self._put(index, f'{{"index":{index},"status":{problem.status},"problem":{problem.body.decode()}}}')

    def _put(self, index: int, item: str) -> None:
        self._items[index] = item
        self._missing -= 1
        if self._missing == 0:
            headers = (("retry-after", "1"),) if self._come_again else ()
            self._respond(Answer(200, f'{{"purchases":[{",".join(self._items)}]}}'.encode(), headers))
