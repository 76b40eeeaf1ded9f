"""The scripts of a real store, against the steps of `proofs/shares.py`.

As `test_door_machine.py`, but a region's steps are made by `set_up.lua`, `sell.lua`, `give.lua` and `take.lua` on a
server: the line that a script appends is read by the model, and the `free` that it leaves must be what the log tells.
Hostile schedules, with lost replies and lost stocks, are in `tests/service/store/`.
"""

import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from model.moves import parse_line
from model.shards import Grant
from model.units import count, each, units_text
from model.vocabulary import Entry, Granted, Taken
from proofs.shares import STEPS
from service.store import keys
from service.store.attempts import around, words
from service.store.chunks import lines_in
from service.store.embedded import EmbeddedStore
from service.store.scripts import source
from tests.door_stories import DoorStory, Store, door_terms
from tests.refinement.test_door_machine import Course, agrees_with_the_fold, perform
from tests.search import many


@dataclass
class ScriptedStore(Store):
    """One region's store on a server, and what the model reads in its log."""

    client: "redis.Redis[bytes] | None" = None
    sale: str = field(default_factory=lambda: secrets.token_hex(8))

    def _run(self, script: str, names: list[Any], *words: object) -> list[Any]:
        """A script; whatever it has logged is read, and the share must be the store's."""
        assert self.client is not None
        told: Any = self.client.eval(source(script), len(names), *[name(self.sale) for name in names], *words)
        chunks: Any = self.client.xrange(keys.log(self.sale))
        _, lines = lines_in([(entry_id, *fields.items()) for entry_id, fields in chunks])
        for line in lines[len(self.lines) :]:
            self.append(parse_line(line))
        assert self.lines == lines
        free: Any = self.client.hget(keys.stock(self.sale), "free")
        assert free == (units_text(self.share.free).encode() if lines else None)
        return list(told)

    def set_up(self) -> None:
        for ready in ("", "1"):
            told = self._run("set_up", [keys.log, keys.stock], units_text(self.terms.share(self.region)), ready)
            assert told[0] in (b"stocked", b"there")

    def sell(self, buyer: str, stamp_ns: int) -> Entry | None:
        before, request = len(self.lines), f"{self.region}.{secrets.token_hex(6)}"
        line = around(stamp_ns, 0, "host/1", 0).line(request, buyer)
        names = [keys.log, keys.buyers, keys.mark, keys.stop, keys.stock]
        self._run("sell", names, *words(stamp_ns, [line], [buyer]))
        return self._new(before, Entry)

    def give(self, number: int, to: str, wanted: int) -> Granted | None:
        before = len(self.lines)
        self._run("give", [keys.log, keys.stop, keys.stock], number, to, wanted)
        return self._new(before, Granted)

    def take(self, grant: Grant) -> Taken | None:
        before = len(self.lines)
        words = (self.region, grant.donor, grant.number, grant.to, units_text(grant.units))
        names = [keys.log, keys.stop, keys.stock, keys.grants]
        told = self._run("take", names, *words, " ".join(self.terms.regions), "")
        if told[0] == b"refused":
            assert told[1] == b"foreign"
            assert grant.to != self.region
            return None
        return self._new(before, Taken)

    def _new(self, before: int, kind: type[Any]) -> Any:
        """The line that the script has logged; None where it has logged none."""
        assert len(self.lines) - before in (0, 1)
        record = parse_line(self.lines[-1]) if len(self.lines) > before else None
        assert record is None or isinstance(record, kind)
        return record

    def stop(self) -> None:
        assert self.client is not None
        self.client.set(keys.stop(self.sale), "fenced")


class Stopping(ScriptedStore):
    """A store that is stopped on the server where the story says that it is."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "is_stopped" and value:
            self.stop()


@pytest.fixture(scope="module")
def client() -> Iterator["redis.Redis[bytes]"]:
    with (
        tempfile.TemporaryDirectory(prefix="firstcome-store-") as folder,
        EmbeddedStore(Path(folder)) as store,
        redis.Redis.from_url(store.url, protocol=2) as opened,
    ):
        yield opened


def test_scripts_and_proofs_do_the_same_steps(client: "redis.Redis[bytes]") -> None:
    @settings(max_examples=many(30))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        story = DoorStory(door_terms(data.draw(st.sampled_from([(2, 1, 1), (0, 3), (1, 2, 0)]))))
        story.stores = {name: Stopping(name, story.terms, client=client) for name in story.terms.regions}
        course = Course(story)
        for name, store in story.stores.items():
            if data.draw(st.integers(0, 5)):
                course.step("set up", {0, *each(story.terms.share(name))}, store.set_up)
        perform(data, course)
        agrees_with_the_fold(course)
        assert sum(count(store.share.free) for store in story.stores.values()) <= story.terms.stock

    Course.taken = Counter()
    run()
    print("steps taken:", ", ".join(f"{step} {number}" for step, number in sorted(Course.taken.items())))
    assert STEPS.keys() - Course.taken.keys() <= {"give up"}  # seldom: a grant on its way to whom is fenced out
