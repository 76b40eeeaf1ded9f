"""`firstcome notary`: the process that signs what a region has logged, or what the arbiter has decided."""

from pathlib import Path
from typing import Annotated

import typer

from service.command.base import CannotRun, log_to_standard_error, region_name
from service.command.key import KEY_HELP, read_key


def notary(
    key: Annotated[Path, typer.Option(help=KEY_HELP)],
    store: Annotated[str, typer.Option(help="URL of the region's store; of the arbiter's own with --arbiter.")],
    region: Annotated[str, typer.Option(help="The region whose logs it signs.")] = "",
    arbiter: Annotated[bool, typer.Option("--arbiter", help="Sign the arbiter's logs, and seal its sales.")] = False,
    region_store: Annotated[
        list[str] | None, typer.Option(help="With --arbiter: NAME=URL of a region's store; once for each region.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="With --region: the journal of this host's clockd, to hand in.")
    ] = None,
    replace_key: Annotated[
        bool,
        typer.Option("--replace-key", help="Take the place of another key; sales that name that one stay unsigned."),
    ] = False,
) -> None:
    """Sign logs as they grow. Run one on each host of a region's gateways, and one beside the arbiter.

    Example: firstcome notary --region shanghai --store redis://10.0.0.5/0 --key /etc/firstcome/shanghai.key
    --journal /var/lib/clockd/clock.jsonl
    """
    import uvloop

    from service.command.arbiter import region_urls
    from service.evidence.office import ForeignKeyError
    from service.evidence.process import NotarySettings, run_notary

    if arbiter == bool(region):
        raise CannotRun("say --region NAME for a region's notary, or --arbiter for the arbiter's")
    if arbiter and journal is not None:
        raise CannotRun("--journal belongs to a region's notary: its hosts' clocks stamp")
    if not arbiter and region_store:
        raise CannotRun("--region-store belongs to the arbiter's notary")
    log_to_standard_error()
    if region:
        region_name(region)
    settings = NotarySettings(
        store, read_key(key, region), region, region_urls(region_store or []), journal, replace_key
    )
    try:
        uvloop.run(run_notary(settings))
    except (ForeignKeyError, ValueError) as error:
        raise CannotRun(str(error)) from error
