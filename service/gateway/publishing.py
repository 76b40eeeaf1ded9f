"""What a gateway asks of the arbiter: to publish a sale, to cancel one, to fence a region out, to take a beacon's
value. The caller waits for the arbiter's word.

All go through the arbiter's store as proposals with an id of their own, so a repeated call (`Idempotency-Key`, kept
as long as the store) finds the first one's answer instead of making another sale.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final

from redis.exceptions import RedisError

from model.stated import Breach, TermsError
from model.terms import read_terms
from model.vocabulary import RegionName, SaleId
from service.arbiter.proposals import Proposal, ProposalAnswer, decode_answer, encode_proposal
from service.arbiter.told import Told
from service.gateway import problems
from service.gateway.answers import Answer
from service.gateway.currencies import why_no_currency
from service.gateway.times import why_not
from service.store import keys
from service.store.opening import Store

ANSWER_TIMEOUT_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.02


class ArbiterDoor:
    """The arbiter's store, as gateways see it."""

    def __init__(self, store: Store) -> None:
        self._store: Any = store

    async def publish(self, stated: Mapping[str, Any], caller: str, key: str | None) -> SaleId | Answer:
        """Publish terms; returns the sale's id, or the problem."""
        breaches = _breaches(stated) or await _breaches_of_currency(stated)
        if breaches:
            return problems.invalid(breaches)
        proposal = Proposal(_proposal_id(f"publish\n{caller}", key), terms=dict(stated), owner=caller)
        answer = await self._ask(proposal)
        if isinstance(answer, Answer):
            return answer
        return problems.invalid(answer.breaches) if answer.problem else answer.sale

    async def cancel(self, sale: SaleId, reason: str) -> Answer | None:
        """Stop a sale; returns the problem, or None once it is recorded."""
        answer = await self._ask(Proposal(_proposal_id("cancel", None), sale=sale, reason=reason))
        if isinstance(answer, Answer):
            return answer
        match answer.problem:
            case "":
                return None
            case "unknown_sale":
                return problems.unknown_sale(sale)
            case _:
                return problems.already_decided(sale)

    async def fence(self, sale: SaleId, region: RegionName, reason: str) -> Answer | None:
        """Take a region out of a sale; returns the problem, or None once it is recorded."""
        proposal = Proposal(_proposal_id("fence", None), sale=sale, region=region, reason=reason)
        answer = await self._ask(proposal)
        if isinstance(answer, Answer):
            return answer
        match answer.problem:
            case "":
                return None
            case "unknown_sale":
                return problems.unknown_sale(sale)
            case "unreachable" | "unfinished":
                return problems.region_unreachable(region, is_begun=answer.problem == "unfinished")
            case _:
                return problems.already_decided(sale)

    async def enter_beacon(self, sale: SaleId, told: Told) -> Answer | None:
        """Bring the value of the round that a sale waits for; returns the problem, or None once it is recorded."""
        answer = await self._ask(Proposal(_proposal_id("beacon", None), sale=sale, beacon=told))
        if isinstance(answer, Answer):
            return answer
        match answer.problem:
            case "":
                return None
            case "unknown_sale":
                return problems.unknown_sale(sale)
            case "forged":
                return problems.beacon_forged()
            case _:
                return problems.beacon_not_awaited(sale)

    async def _ask(self, proposal: Proposal) -> ProposalAnswer | Answer:
        line = encode_proposal(proposal)
        digest = hashlib.sha256(line).hexdigest().encode()
        try:
            if not await self._store.hsetnx(keys.PROPOSED, proposal.id, digest):
                if await self._store.hget(keys.PROPOSED, proposal.id) != digest:
                    return problems.repeated_with_another_body()
                answer = await self._store.hget(keys.ANSWERS, proposal.id)
                if answer is not None:
                    return decode_answer(answer)
            await self._store.xadd(keys.PROPOSALS, {keys.LINE: line})
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                return await self._answer(proposal.id)
        except TimeoutError:
            return problems.arbiter_gone(
                "The arbiter did not answer in time; it may be down, without a clock, or a region of the sale may be. "
                "It will still be done. Repeat the call with the same Idempotency-Key to hear."
            )
        except (RedisError, OSError):
            return problems.arbiter_gone("The arbiter's store cannot be reached from here. Try again later.")

    async def _answer(self, proposal: str) -> ProposalAnswer:
        answer = None
        while answer is None:
            await asyncio.sleep(_POLL_SECONDS)
            answer = await self._store.hget(keys.ANSWERS, proposal)
        return decode_answer(answer)


def _proposal_id(caller: str, key: str | None) -> str:
    if key is None:
        return secrets.token_hex(32)
    return hashlib.sha256(f"{caller}\n{key}".encode()).hexdigest()


async def _breaches_of_currency(stated: Mapping[str, Any]) -> list[Breach]:
    """Of terms that are good otherwise."""
    if "currency" not in stated:
        return []
    rule = await asyncio.to_thread(why_no_currency, stated["currency"])
    return [] if rule is None else [Breach("currency", rule)]


def _breaches(stated: Mapping[str, Any]) -> list[Breach]:
    """What is wrong with proposed terms; of a time, rather what its zone says than that its form is another."""
    times = {
        field: rule
        for field in ("opens", "closes", "entries_from")
        if isinstance(stated.get(field), str) and (rule := why_not(stated[field])) is not None
    }
    try:
        read_terms(stated)
        broken = []
    except TermsError as error:
        broken = [breach for breach in error.breaches if breach.field not in times]
    return broken + [Breach(field, rule) for field, rule in times.items()]
