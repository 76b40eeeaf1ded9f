"""One mutant in the model's place: who notices? `mutants.py` asks, in copies of its own process.

A mutant takes its function's place, in its module and wherever a module of ours imported it by name; the obligations
that rest on it are built anew and asked of z3 again, as they are now. A question whose answer is known is not asked: a
case that still has the assumptions and the claim that its proof used is still proved; a situation that has not changed
is still possible. Work is limited by z3's count of steps, and by time only where a step takes long: the verdicts are
the same on every machine.
Next: `mutants.py`, what is made of it.
"""

import ast
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from proofs import rooms
from proofs.limited import limited
from proofs.lines import Answering
from proofs.mutations import Mutant, mutants_of
from proofs.survivors import ARGUMENTS

if TYPE_CHECKING:
    from proofs.notes import Term
    from proofs.obligations import Obligation, Question

STEPS_LIMIT: Final = 1_000_000
"""z3's `rlimit` for one question: about a second. What is not decided then is not decided."""
TIME_LIMIT_MS: Final = 20_000
"""Some of z3's steps are long ones, where integers are multiplied."""
BUILD_LIMIT_S: Final = 10
"""A mutant that loops for ever cannot be read."""
MOST_CASES: Final = 12
"""A sentence with more is not cheap."""
LONG_S: Final = 0.03
"""A sentence that takes longer to build and to ask is remembered after those that do not."""
KILLERS: Final = Path(__file__).with_name("killers.json")


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant.

    Attributes:
        killers: the sentences that it makes false, at most two and an example, and how; whoever took long last.
        doubters: the sentences that could not be asked or decided, and why, where nothing kills it twice.
        asked: how many sentences were asked.
        argued: nobody was asked, since `survivors.py` has the argument why it survives.
    """

    function: str
    was: str
    now: str
    killers: dict[str, str]
    doubters: dict[str, str]
    asked: int
    argued: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.function, self.now

    @property
    def state(self) -> str:
        """`killed`, `refused` or `survived`."""
        return "killed" if self.killers else "refused" if self.doubters else "survived"

    def __str__(self) -> str:
        return f"{self.function}: {self.was} → {self.now}"


def remembered() -> dict[str, dict[str, dict[str, str]]]:
    """By function and mutant, who killed it when a search was made, and with which question; nothing where none was."""
    try:
        found: dict[str, dict[str, dict[str, str]]] = json.loads(KILLERS.read_text())
    except FileNotFoundError:
        return {}
    return found


@contextmanager
def in_place(name: str, source: str) -> Iterator[None]:
    """A function of the model replaced by a mutant, in every module of ours that has it, for as long as this lasts."""
    from proofs.notes import functions  # noqa: PLC0415  (needs z3)

    original = functions()[name]
    made: dict[str, FunctionType] = {}
    exec(compile(ast.parse(source), f"<mutant of {name}>", "exec"), original.__globals__, made)
    [mutant] = made.values()
    bound = [
        (module, each)
        for module_name, module in sorted(sys.modules.items())
        if module_name.startswith(("model.", "proofs."))
        for each, value in vars(module).items()
        if value is original
    ]
    try:
        for module, each in bound:
            setattr(module, each, mutant)
        yield
    finally:
        for module, each in bound:
            setattr(module, each, original)


class Attack:
    """The obligations as they are, with what their proofs used, and what becomes of them under a mutant."""

    def __init__(
        self,
        cores: Mapping[str, Mapping[str, Sequence[str]]],
        killers: Mapping[str, Mapping[str, dict[str, str]]],
        built: "Iterable[Obligation]" = (),
    ):
        self._cores = cores
        self._killers = killers
        self._ready = {obligation.name: obligation for obligation in built}
        self._built: dict[str, Obligation] = {}
        self._proofs: dict[tuple[str, str], frozenset[int]] = {}
        self._possible: set[frozenset[int]] = set()
        self._seconds: dict[str, float] = {}
        self._kept: list[Question] = []  # a term that is let go gives its number to another
        self._context: Any = None
        """Where z3 keeps what it is asked about: made anew for each function, so that nothing hangs on their order."""

    def _sound(self, name: str) -> "Obligation":
        """An obligation as it is; to be asked for before a mutant takes its place."""
        from proofs.obligations import build  # noqa: PLC0415  (needs z3)

        if name not in self._built:
            obligation = self._built[name] = self._ready.get(name) or build(name)
            for question in obligation.questions():
                core = self._cores[name].get(question.about, ())
                if question.case is None:
                    self._possible.add(_numbers(question.terms))
                elif core:
                    self._proofs[name, question.about] = _numbers(question.named(core))
                self._kept.append(question)
        return self._built[name]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Those that there are to ask."""
        return tuple(self._cores)

    def asked_of(self, mutant: Mutant, names: list[str], first: Mapping[str, str] = MappingProxyType({})) -> Fate:
        """What these sentences, and no others, say of a mutant; of each the question named first, then the others."""
        for name in names:
            self._sound(name)
        with in_place(mutant.function, mutant.source):
            return self._fate(mutant, names, enough=1, first=first)

    def on(self, function: str) -> list[Fate]:
        """Every mutant of a function."""
        from proofs.notes import functions  # noqa: PLC0415  (needs z3)

        self._context = None
        kills: Counter[str] = Counter()
        fates = []
        for mutant in mutants_of(function, functions()[function]):
            fate = self._remembered(mutant)
            if fate is None:
                readers = [name for name in self._cores if function in self._sound(name).rests_on]
                readers.sort(key=lambda name: (self._is_slow(name), -kills[name]))
                with in_place(function, mutant.source):
                    fate = self._searched(mutant, readers)
                kills.update(fate.killers.keys())
            fates.append(fate)
        return fates

    def _remembered(self, mutant: Mutant) -> Fate | None:
        """What its killers say today; None where nothing is remembered, or it is not so any more."""
        if not self._killers:
            return None
        if (mutant.function, mutant.now) in ARGUMENTS:
            return Fate(mutant.function, mutant.was, mutant.now, {}, {}, 0, argued=True)
        names = self._killers.get(mutant.function, {}).get(mutant.now)
        if names is None:
            return None
        if not names:
            return Fate(mutant.function, mutant.was, mutant.now, {}, {"": "not decided when last searched for"}, 0)
        for name in names:
            fate = self.asked_of(mutant, [name], names) if name in self._cores else None
            if fate is not None and fate.killers:
                return replace(fate, killers=dict.fromkeys(names, "when last searched for") | fate.killers)
        return None

    def _is_slow(self, name: str) -> bool:
        """Whether it is about more than plain integers, or about so many cases that it costs like that."""
        argument = self._sound(name).argument
        return bool(argument.small) or len(argument.cases) > MOST_CASES

    def _searched(self, mutant: Mutant, readers: list[str]) -> Fate:
        """What sentences say, and examples besides; killers in the order in which they should be asked again."""
        examples = [name for name in readers if self._sound(name).room == rooms.EXAMPLES]
        fate = self._fate(mutant, [name for name in readers if name not in examples])
        seen = self._fate(mutant, examples, enough=1)
        killers = fate.killers | seen.killers
        seconds = {name: self._seconds[name] if self._seconds[name] > LONG_S else 0 for name in killers}
        return replace(
            fate,
            killers={name: killers[name] for name in sorted(killers, key=lambda name: seconds[name])},
            doubters=fate.doubters | seen.doubters,
            asked=fate.asked + seen.asked,
        )

    def _fate(
        self, mutant: Mutant, readers: list[str], enough: int = 2, first: Mapping[str, str] = MappingProxyType({})
    ) -> Fate:
        """Ask the readers until so many kill; of each the question that is named first, then the others."""
        killers: dict[str, str] = {}
        doubters: dict[str, str] = {}
        answers: dict[frozenset[int], str] = {}
        asked = 0
        for name in readers:
            if killers and self._is_slow(name):
                break
            asked += 1
            began = time.process_time()
            killed, doubted = self._judge(name, answers, first.get(name, ""))
            self._seconds[name] = time.process_time() - began
            if killed:
                killers[name] = killed
            elif doubted:
                doubters[name] = doubted
            if len(killers) == enough:
                break
        return Fate(mutant.function, mutant.was, mutant.now, killers, doubters, asked)

    def _judge(self, name: str, answers: dict[frozenset[int], str], first: str) -> tuple[str, str]:
        """How the sentence fails, or why it could not be decided; nothing where it is as true as before."""
        from proofs.obligations import build  # noqa: PLC0415  (needs z3)

        try:
            with limited(BUILD_LIMIT_S):
                obligation = build(name)
                questions = sorted(obligation.questions(), key=lambda question: question.about != first)
        except Exception as error:  # noqa: BLE001  (a mutant may raise whatever it likes)
            return "", f"cannot be read: {type(error).__name__}"
        doubted = ""
        for question in questions:
            numbers = _numbers(question.terms)
            if question.case is None:
                verdict = "sat" if numbers in self._possible else self._ask(question.terms, answers)
            elif self._proofs.get((name, question.about), {-1}) <= numbers:
                continue
            else:
                verdict = self._refute(obligation, question, answers)
            if verdict not in (question.expected, "unknown"):
                return f"{question.about}: {'a counterexample' if question.case else 'not possible'}", ""
            if verdict == "unknown":
                doubted = doubted or f"{question.about}: z3 gives up"
        return "", doubted

    def _refute(self, obligation: "Obligation", question: "Question", answers: dict[frozenset[int], str]) -> str:
        """The answer to a case; first looked for at plain points, and where the world has no size, in a small one."""
        from proofs.examples import breaking  # noqa: PLC0415  (needs z3)

        if any(self._ask((*question.terms, *point), answers) == "sat" for point in obligation.argument.points):
            return "sat"
        if obligation.argument.small and self._ask(breaking(obligation, question), answers) == "sat":
            return "sat"
        return self._ask(question.terms, answers)

    def _ask(self, terms: "tuple[Term, ...]", answers: dict[frozenset[int], str]) -> str:
        import z3  # noqa: PLC0415  (each process loads its own)

        from proofs.texts import smt2  # noqa: PLC0415

        numbers = _numbers(terms)
        if numbers not in answers:
            self._context = self._context or z3.Context()
            solver = z3.Solver(ctx=self._context)
            solver.set("rlimit", STEPS_LIMIT)
            solver.set("timeout", TIME_LIMIT_MS)
            solver.from_string(smt2(terms))
            answers[numbers] = str(solver.check())
        return answers[numbers]


def _numbers(terms: "Iterable[Term]") -> frozenset[int]:
    """The numbers of terms that are still held: the same number is the same term."""
    return frozenset(term.get_id() for term in terms if not isinstance(term, bool))


def answering(attack: Attack) -> Answering:
    """What a process makes of the name of a function: the fates of its mutants."""
    return lambda question: {"fates": [asdict(fate) for fate in attack.on(question["function"])]}
