"""Which of many sales are worth a look: those whose streams have grown since the last one, and each once in a while.

Most sales that a notary follows are quiet. A look costs a few questions for each; one question to the store, about all
of them, tells which have grown. What growth does not tell (a log that lost its end, a key that somebody changed) is
found by the looks once in a while.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from redis.exceptions import ResponseError

from model.vocabulary import SaleId
from service.evidence.office import is_wrong_type
from service.store.opening import Store

QUIET_SECONDS: Final = 5.0
"""How long a sale is not looked at while nothing of it grows."""
_BEFORE_ALL: Final = "0-0"


class Lookout:
    """Watches the streams of one store."""

    def __init__(self, store: Store, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._store = store
        self._quiet_seconds = quiet_seconds
        self._newest: dict[SaleId, dict[str, str]] = {}
        """Of each sale, by stream, the id of the newest entry that was looked at."""
        self._due_seconds: dict[SaleId, float] = {}

    def follow(self, sale: SaleId, *streams: str) -> None:
        """Watch a sale's streams; it is worth a look at once."""
        self._newest[sale] = dict.fromkeys(streams, _BEFORE_ALL)
        self._due_seconds[sale] = 0.0

    def forget(self, sale: SaleId) -> None:
        """Watch a sale no more."""
        self._newest.pop(sale, None)
        self._due_seconds.pop(sale, None)

    def start_over(self) -> None:
        """Every sale is worth a look again: nobody knows whether what was seen grow was seen to."""
        self._due_seconds = dict.fromkeys(self._due_seconds, 0.0)

    async def worth_a_look(self) -> list[SaleId]:
        """The sales that are due, and those that have grown.

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        if not self._newest:
            return []
        positions: Any = {key: at for streams in self._newest.values() for key, at in streams.items()}
        try:
            found: Any = await self._store.xread(positions, count=1)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            return list(self._newest)  # who looks finds out whose
        grown = {key.decode() for key, _ in found}
        now_seconds = time.monotonic()
        return [
            sale
            for sale, streams in self._newest.items()
            if self._due_seconds[sale] <= now_seconds or not grown.isdisjoint(streams)
        ]

    def looked(self, sale: SaleId, newest: Mapping[str, Any]) -> None:
        """A sale was looked at.

        Args:
            newest: by stream, the reply to a range that was asked backwards for one entry.
        """
        for key, found in newest.items():
            self._newest[sale][key] = found[0][0].decode() if found else _BEFORE_ALL
        self._due_seconds[sale] = time.monotonic() + self._quiet_seconds
