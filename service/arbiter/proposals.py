"""What gateways ask of the arbiter: to publish a sale, to cancel one, to fence a region out, to take a beacon's value.

A proposal is a stream entry with an id of its own, so a repeated one is answered, not done, again. Publishing: the
arbiter draws 32 bytes, commits their SHA-256, completes the terms, records sale and seed, pushes the terms to every
region, and only then answers.
"""

import secrets
from typing import Any, Final

import msgspec
import structlog

from model.stated import Breach, Keys, TermsError
from model.terms import Terms, published_in_time, read_terms
from model.vocabulary import SaleId
from model.wire import parse_canonical
from service.arbiter.ledger import Ledger
from service.arbiter.told import Told
from service.evidence.office import shown_keys
from service.store import keys
from service.store.streams import wait_for_more

_log = structlog.get_logger()

SEED_BYTES: Final = 32


class Proposal(msgspec.Struct, frozen=True):
    """A gateway's wish. `id` makes it repeatable; `terms` publishes for `owner`, the name of the caller's token; `sale`
    with `reason` cancels, or where it says a `region` takes that out of the sale; `sale` with `beacon` brings the value
    of the round that its terms name."""

    id: str
    terms: dict[str, Any] | None = None
    sale: str = ""
    reason: str = ""
    region: str = ""
    beacon: Told | None = None
    owner: str = ""


class ProposalAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The arbiter's word. `problem` is "" where it was done, else `terms`, `unknown_sale`, `already_decided`,
    `not_awaited`, `forged`, `unreachable` (nothing was done) or `unfinished` (it goes on)."""

    sale: str = ""
    problem: str = ""
    breaches: list[tuple[str, str]] = []


encode_proposal = msgspec.json.Encoder().encode
decode_proposal = msgspec.json.Decoder(Proposal).decode
encode_answer = msgspec.json.Encoder().encode
decode_answer = msgspec.json.Decoder(ProposalAnswer).decode


class Desk:
    """The arbiter's proposals, one after the other."""

    def __init__(self, ledger: Ledger, regions: frozenset[str]) -> None:
        self._ledger = ledger
        self._regions = regions
        self._after = "0-0"
        self._later: list[Proposal] = []
        """Proposals that wait for keys."""
        self._told_waiting: set[str] = set()

    async def next_proposals(self, wait_ms: int) -> list[Proposal]:
        """Proposals that have no answer yet, oldest first; waits for one to come."""
        store = self._ledger.store
        found = await wait_for_more(store, {keys.PROPOSALS: self._after}, wait_ms)
        proposals = []
        for entry_id, line, _ in found.get(keys.PROPOSALS, []):
            self._after = entry_id
            try:
                proposals.append(decode_proposal(line))
            except msgspec.DecodeError as error:
                _log.error("a proposal that cannot be read is passed over", number=entry_id, error=str(error))
        again, self._later = self._later, []
        proposals = again + proposals
        if not proposals:
            return []
        answered: Any = await store.hmget(keys.ANSWERS, [proposal.id for proposal in proposals])
        return [proposal for proposal, answer in zip(proposals, answered, strict=True) if answer is None]

    def start_over(self) -> None:
        """Look at every proposal again: some were taken and not answered. What was done is not done twice."""
        self._after = "0-0"
        self._later.clear()

    async def answer(self, proposal: Proposal, answer: ProposalAnswer) -> None:
        """Tell the gateway that asked, once and for all."""
        await self._ledger.store.hsetnx(keys.ANSWERS, proposal.id, encode_answer(answer))

    async def open(self, proposal: Proposal, now_latest_ns: int) -> SaleId | ProposalAnswer | None:
        """Record the sale that a proposal asks for, once; or say what is wrong with its terms.

        Returns: None where somebody who must sign has not shown a key yet; the proposal comes again.

        Raises:
            FencedError: another arbiter has taken over.
        """
        known: Any = await self._ledger.store.hget(keys.OPENED, proposal.id)
        if known is not None:
            return str(known.decode())
        try:
            terms = self._check(proposal, now_latest_ns)
            await self._check_previous(terms)
        except TermsError as error:
            return ProposalAnswer(problem="terms", breaches=[(breach.field, breach.rule) for breach in error.breaches])
        signers = await shown_keys(self._ledger.store, terms.regions)
        if not isinstance(signers, Keys):
            if proposal.id not in self._told_waiting:
                self._told_waiting.add(proposal.id)
                _log.warning("a sale waits to be published: no notary has shown its key", missing=signers)
            self._later.append(proposal)
            return None
        self._told_waiting.discard(proposal.id)
        seed = secrets.token_bytes(SEED_BYTES)
        sale = await self._ledger.open_sale(proposal.id, terms.committed(seed, signers), seed, proposal.owner)
        _log.info("sale published", sale=sale, opens=terms.stated["opens"], stock=terms.stock)
        return sale

    async def _check_previous(self, terms: Terms) -> None:
        """The merchant's sale before is one that was published here: whoever audits this one can ask for that one."""
        previous = terms.stated.get("previous")
        if previous is None:
            return
        for line in await self._ledger.sales():
            known = read_terms(parse_canonical(line))
            if known.sale() == previous and known.stated.get("merchant") == terms.stated.get("merchant"):
                return
        raise TermsError([Breach("previous", "is a sale that this arbiter has published, of the same merchant")])

    def _check(self, proposal: Proposal, now_latest_ns: int) -> Terms:
        terms = read_terms(proposal.terms or {})
        for field in ("seed_commitment", "keys"):
            if field in terms.stated:
                raise TermsError([Breach(field, "is added by the arbiter")])
        unknown = [name for name in terms.regions if name not in self._regions]
        if unknown:
            known = ", ".join(sorted(self._regions))
            raise TermsError([Breach("regions", f"{name} is not one of: {known}") for name in unknown])
        published_in_time(terms, now_latest_ns)
        return terms
