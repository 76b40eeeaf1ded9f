"""`firstcome notifier`: the process that posts outcomes to whoever subscribed."""

from typing import Annotated

import typer

from service.command.base import CannotRun, address, log_to_standard_error


def notifier(
    store: Annotated[str, typer.Option(help="URL of the arbiter's own store.")],
    metrics: Annotated[str, typer.Option(help="HOST:PORT to answer monitoring at: /metrics, /healthz, /readyz.")] = "",
    allow_private: Annotated[
        bool,
        typer.Option(
            "--allow-private", help="Also call addresses of loopback, link and private networks. Merchants choose them."
        ),
    ] = False,
    give_up_after: Annotated[
        float, typer.Option(min=0, help="Seconds after which a message that is not taken is a dead letter.")
    ] = 86_400,
    first_pause: Annotated[
        float, typer.Option(min=0.01, help="Seconds between the first two attempts; doubled up to ten minutes.")
    ] = 1.0,
) -> None:
    """Post outcomes to webhooks. Run one beside the arbiter; one that is started later takes over.

    Example: firstcome notifier --store redis://10.9.0.5/0
    """
    import uvloop

    from service.notify.lanes import LONGEST_PAUSE_SECONDS, Patience
    from service.notify.process import MonitoringPortError, NotifierSettings, run_notifier

    log_to_standard_error()
    watched_at = address(metrics, "--metrics") if metrics else None
    patience = Patience(first_pause, max(first_pause, LONGEST_PAUSE_SECONDS), give_up_after)
    try:
        uvloop.run(run_notifier(NotifierSettings(store, allow_private, patience, watched_at)))
    except (MonitoringPortError, ValueError) as error:
        raise CannotRun(str(error)) from error
