"""The scripts, each a `.lua` file beside this one, whose first lines name its keys, arguments and answer.

What several of them begin with is written once, in a file that they name in a line `--! name.lua`.
"""

import re
from importlib.resources import files
from typing import Final

from redis.commands.core import AsyncScript

from service.store.opening import Store

_NAMES: Final = (
    *("admit", "raise_mark", "append", "copy", "push", "open_sale", "checkpoint", "outbox"),
    *("set_up", "sell", "give", "take"),
    *("reply", "stop"),
)


def _text(file: str) -> str:
    text = files(__package__).joinpath(file).read_text("utf-8")
    return re.sub(r"^--! (\w+\.lua)$", lambda named: _text(named[1]), text, flags=re.MULTILINE)


_SOURCES: Final = {name: _text(f"{name}.lua") for name in _NAMES}


def source(name: str) -> str:
    """A script's text, for a pipeline.

    Raises:
        KeyError: there is no such script.
    """
    return _SOURCES[name]


def script(store: Store, name: str) -> AsyncScript:
    """A script, to be called with `keys` and `args`; it is loaded into the server when that does not know it yet.

    Raises:
        KeyError: there is no such script.
    """
    return AsyncScript(store, _SOURCES[name])
