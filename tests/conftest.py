"""What every test shares: how hypothesis searches (the same examples on every machine, so that CI is no lottery; how
many says `search.py`), and the running system of `worlds.py`.
"""

import signal

from hypothesis import HealthCheck, settings

from tests.search import many
from tests.worlds import drand, publish, shared_drand, shared_world, world

__all__ = ["drand", "publish", "shared_drand", "shared_world", "world"]

# A shell starts what it runs in the background (a lane of `make test`, `nohup`) with SIGINT ignored, and whatever that
# starts inherits it: tests that interrupt a program would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=many(60),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")
