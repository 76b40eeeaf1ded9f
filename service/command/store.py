"""`firstcome store`: the embedded store as a process of its own, for a region or for the arbiter."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from service.command.base import CannotRun, log_to_standard_error
from service.store.embedded import EmbeddedStore, EmbeddedStoreError


def store(
    data: Annotated[Path, typer.Option(help="Folder of its data; the socket is store.sock in it.")],
) -> None:
    """Run a store until ended. Gateways and arbiter of the same user reach it at unix://DATA/store.sock.

    Example: firstcome store --data /var/lib/firstcome-store
    """
    log_to_standard_error()
    ending = threading.Event()
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end_signal, lambda *_: ending.set())
    try:
        with EmbeddedStore(data) as running:
            typer.echo(running.url, err=True)
            ending.wait()
    except EmbeddedStoreError as error:
        raise CannotRun(str(error)) from error
