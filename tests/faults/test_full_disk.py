"""A store whose disk is full takes nothing, loses nothing, and goes on once there is room.

A server that may not write its file any longer than it is stands before what a full disk is to it: its append-only file
takes no more bytes. With `appendfsync always` it ends rather than acknowledge what is not on disk, and whoever keeps it
starts it again, in vain, until there is room.
"""

import contextlib
import random
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.world.world import World
from tests.patience import until
from tests.worlds import Outing

REGIONS = ("north", "south", "west")


@contextmanager
def full_disk(world: World, region: str) -> Iterator[None]:
    """No server of a region's store can make a file longer than it is now, however often it is started again."""
    largest = max(path.stat().st_size for path in (world.embedded[region].folder / "appendonlydir").iterdir())
    has_room = threading.Event()

    def fill() -> None:
        while not has_room.wait(0.01):
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(world.embedded[region].pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))

    filling = threading.Thread(target=fill)
    filling.start()
    try:
        yield
    finally:
        has_room.set()
        filling.join()
        with contextlib.suppress(ProcessLookupError):
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(world.embedded[region].pid, resource.RLIMIT_FSIZE, unlimited)


def test_a_full_disk_loses_nothing_that_was_acknowledged(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(skew_ms=20, grace_ms=400, stock=1_000, cut_off_ms=20_000)
    chance = random.Random(1)
    presses = [(f"buyer-{number}", chance.choice(REGIONS), chance.uniform(0, 3)) for number in range(600)]
    crowd = sale.in_background(presses, tries=20)
    until(lambda: sale.logged("south") > 30)
    with full_disk(world, "south"):
        ended = world.embedded["south"].pid
        until(lambda: world.embedded["south"].pid != ended)
    crowd.result()
    until(lambda: len(sale.of_type("won")) == 600)
    sale.call("POST", "/cancel", json={"reason": "enough"})
    done = sale.finish()
    assert {pressed.status for pressed in sale.pressed} <= {200, 202}
    assert done.keeps_its_word() == 600
    assert sale.of_type("cut_off", "halted") == []
    done.decided_again()
