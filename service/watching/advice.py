"""What to do about each line of the log that asks for something: one table, put beside the line as it is written.

A warning that leaves its reader with a question is half a warning. `docs/ops/runbooks/` says more; a line names the
page where there is one. What is only told (`info`) needs no advice. A test holds that every warning and error of the
service has an entry here.
"""

from collections.abc import MutableMapping
from typing import Any, Final

SECRET: Final = frozenset({"authorization", "secret", "seed", "password", "bearer", "private_key"})
"""Fields that are never written, whoever logs them."""

ADVICE: Final = {
    "a call failed": "an error of ours: keep this line; the caller got 500 and may repeat the call",
    "a decision log is not what was signed: it is signed no more": "keep the store as it is and export the sale",
    "a log is not what was signed: it is signed no more": "keep the store as it is; runbook SaleHalted",
    "a beacon's server does not tell the round": "others are asked; or bring it with `firstcome sale beacon`",
    "a beacon's value is refused: its chain has not signed it": "that server lies or serves another chain: take it out",
    "a finished sale waits to be sealed: is a notary missing?": "start the notaries of its regions and the arbiter's",
    "a peer cannot be reached": "see whether that region's gateways run, and its URL in --peer; callers are told",
    "a peer did not answer what was forwarded": "see that region's gateways; the caller repeats the call",
    "a proposal that cannot be read is passed over": "see which gateway wrote it; all must run one version",
    "a region shows another key: sales from now on name it": "if nobody replaced that key, find out who did",
    "a region's checkpoint is not taken": "compare the region's key with the one that the sale's terms name",
    "a region's keys hold something else": "somebody wrote to the store by hand; restore the key's value",
    "a region refuses units that were granted to it": "compare the logs of both regions; nobody sells these units",
    "a sale cannot be sealed": "the reason says what is missing; it is tried again",
    "a sale is not signed: its terms name another key of this region": "start the notary with that key, if it is ours",
    "a sale is not signed: its terms name another key": "start the notary with that key, if it is ours",
    "a sale is sealed although something is missing": "tell whoever audits it what and why",
    "a sale names regions that this arbiter was not given": "start the arbiter with a --region for each of them",
    "a sale waits to be published: no notary has shown its key": "start the notaries of its regions and the arbiter's",
    "a sale's keys hold something else: it is signed no more": "somebody wrote to the store by hand",
    "a logged line cannot be read: its buyer is not told": (
        "the sale halted, or somebody wrote to the store; runbook SaleHalted"
    ),
    "a message is given up: it is a dead letter now": "runbook WebhookDeadLetters",
    "a sale cannot be told of: what is stored of it cannot be read": (
        "somebody wrote to the arbiter's store by hand; its merchant hears no more of it"
    ),
    "a webhook does not take a message; trying again": "nothing at once; runbook WebhookLagging if it goes on",
    "clock journal of a sale is too long: the rest is not kept": "poll less often, or have shorter sales",
    "no connection can be accepted for a moment": "raise LimitNOFILE; runbook RefusedForLoad",
    "no safe clock: nothing is decided until there is one": "runbook ArbiterWithoutClock",
    "region cut off: its mark did not move": "runbook RegionCutOff",
    "region fenced out": "nothing, if you know of it; docs/ops/fencing.md",
    "region lost; trying again": "runbook RegionLagging if it stays lost",
    "running on a store that could lose what was acknowledged": "for trying things out only; see the store's settings",
    "sale cancelled by an operator": "nothing, if you know of it: units won before stay won",
    "sale halted: its decision log contradicts its entries": "runbook SaleHalted",
    "sale halts: its logs contradict themselves": "runbook SaleHalted",
    "the arbiter's store does not answer; trying again": "runbook ArbiterStoreSlow",
    "the region knows another sale under that number": "this region's store belongs to another arbiter: check URLs",
    "the region was told other decisions": "this region's store belongs to another arbiter: check URLs",
    "the region's store does not answer; purchases are refused until it does": "runbook StoreDown",
    "the region's store does not answer; trying again": "runbook StoreDown",
    "the store did not take purchases": "runbook StoreDown; callers were told to repeat the call",
    "the store does not answer; trying again": "runbook StoreDown",
    "a store does not answer; trying again": "runbook StoreDown",
    "the webhook was not taken; trying again": "look at the receiver; the newest state is sent until it is taken",
    "two clocks contradict each other: one of them is outside its bound": "runbook ClocksContradict",
}


def advise(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: what to do, beside what happened."""
    known = ADVICE.get(str(line.get("event")))
    if known is not None:
        line["todo"] = known
    return line


def hide(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: secrets never leave, whoever hands them over."""
    for name in SECRET & line.keys():
        line[name] = "(not written)"
    return line
