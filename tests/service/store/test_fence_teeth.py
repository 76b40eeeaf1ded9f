"""With a script that forgets one of its conditions, the machine of `test_fence_machine.py` fails.

Two conditions are stricter than arbiters need that keep to their tokens: that the newest line of a repeat is the same,
and that a copy leaves no gap. No run of the machine can miss them; `test_scripts.py` asks for them by hand.
"""

from collections.abc import Callable

import pytest
import redis
from hypothesis import Phase

from service.store.scripts import source
from tests.service.store import test_fence_machine as machine

WRONG = {
    "append without a fence": ("append", "if token ~= ARGV[1] then", "if not token then"),
    "append wherever the log ends": ("append", "if length ~= before then", "if length < before then"),
    "append twice": ("append", "if length == before + records then", "if false then"),
    "copy with a gap": ("copy", "if tonumber(last) + 1 ~= tonumber(ARGV[2]) then", "if false then"),
    "push over what is there": ("push", "known[2][2] ~= ARGV[i]", "false"),
    "push with a gap": ("push", "if number == length + 1 then", "if number > length then"),
    "a sale opened anew": ("open_sale", "if sale then", "if false then"),
    "a seed written over": ("open_sale", "local sale =", "redis.call('HSET', KEYS[3], ARGV[3], ARGV[5]) local sale ="),
    "open without a fence": ("open_sale", "if token ~= ARGV[1] then", "if not token then"),
    "marks compared as words": ("raise_mark", "#mark > #ARGV[1] or (#mark == #ARGV[1] and mark >= ARGV[1])",
                                "mark >= ARGV[1]"),
    "marks compared by their length": ("raise_mark", " and mark >= ARGV[1]", ""),
}  # fmt: skip


@pytest.mark.parametrize(("script", "right", "wrong"), WRONG.values(), ids=WRONG)
def test_a_wrong_script_is_found(
    start_redis: Callable[..., str], monkeypatch: pytest.MonkeyPatch, script: str, right: str, wrong: str
) -> None:
    changed = source(script).replace(right, wrong)
    assert changed != source(script)
    monkeypatch.setattr(machine, "source", lambda name: changed if name == script else source(name))
    quick = start_redis(appendonly="no")  # nothing here outlives the test
    with redis.Redis.from_url(quick, protocol=2) as client, pytest.raises((AssertionError, redis.ResponseError)):
        machine.run(client, max_examples=300, phases=[Phase.generate])
