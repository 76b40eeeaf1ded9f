"""Teeth: the model with one thing wrong must break a sentence. Run as `python -m proofs.mutants` by whoever asks.

Every single-point mutant (`mutations.py`) of every function that some obligation rests on takes that function's place,
in its module and wherever a module of ours imported it by name; the obligations that rest on it are built anew and
asked of z3 again. A mutant is

- *killed* by a sentence of which a case has a counterexample, or whose witness or counterexample past the bound is none
  any more;
- *refused* where a solver only gives up, or where the obligation cannot be read at all: it would not be proved, so it
  could not pass, but nothing showed it to be wrong;
- a *survivor* otherwise; then `survivors.py` has to say why it is equivalent, or merely stricter.

A search (`search`) asks cheap sentences first, those about plain integers, each lemma for itself; at the second kill
nobody asks further. The sentences about whole systems rest on nearly every guard, so nearly every mutant breaks many of
them: they are asked about what no lemma kills. So a sentence kills *alone* what no other of those asked does. Examples
(`worked.py`) are asked besides, about everything that they can see: they kill alone what no sentence about all integers
does. A search takes minutes and is remembered in `killers.json`: who killed each mutant, last who takes long to ask.
That is a hint, and nothing but a hint: a sentence that it names must kill again each time, and where none does, or
nothing is remembered, the mutant is searched for. Only about survivors whose argument is written down, and about what
was not decided, nobody is asked again but by a search.

Nor is a question asked whose answer is known: a case that still has the assumptions and the claim that its proof used
is still proved; a situation that has not changed is still possible. Work is limited by z3's count of steps, and by time
only where a step takes long: the verdicts are the same on every machine.
Next: `survivors.py`, `prove.py`.
"""

import ast
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from proofs import rooms
from proofs.limited import limited
from proofs.lines import LineProcess, answer_lines
from proofs.mutations import Mutant, mutants_of
from proofs.survivors import ARGUMENTS

if TYPE_CHECKING:
    from proofs.notes import Term
    from proofs.obligations import Obligation, Question
    from proofs.prove import Report

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
FUNCTION_LIMIT_S: Final = 1200.0
"""A process that takes longer for the mutants of one function is ended, and nothing is proved."""
WORKERS: Final = 2
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


@dataclass(frozen=True, slots=True)
class Teeth:
    """What became of all of them, and what is wrong with that.

    Attributes:
        of_a_choice: not every sentence was there to bite.
        examples: the names of those that are about plain integers.
    """

    fates: tuple[Fate, ...]
    faults: tuple[str, ...]
    seconds: float
    of_a_choice: bool
    examples: frozenset[str] = frozenset()

    @property
    def ok(self) -> bool:
        return not self.faults

    def count(self, state: str) -> int:
        return sum(fate.state == state for fate in self.fates)

    def alone(self, obligation: str) -> tuple[Fate, ...]:
        """The mutants that only this sentence kills, whatever examples say; of examples, those nobody else kills."""
        others = frozenset() if obligation in self.examples else self.examples
        objecting = ((fate, fate.killers.keys() | fate.doubters.keys()) for fate in self.fates)
        return tuple(fate for fate, names in objecting if names - others == {obligation})

    def by_examples(self) -> int:
        """How many mutants examples alone kill."""
        return sum(bool(fate.killers) and fate.killers.keys() <= self.examples for fate in self.fates)


Progress = Callable[[str, int, int], None]
"""Called after each function with its name, how many functions are done, and of how many."""


def bite(report: "Report", only: str | None = None, progress: Progress | None = None, search: bool = False) -> Teeth:
    """Try every mutant of whatever the obligations of a report rest on, in processes of their own.

    Args:
        report: of these obligations, all proved; what the proofs used is taken from it.
        only: the same choice of obligations that the report was made with. What a choice lets live is no fault.
        search: look for killers anew, whatever is remembered; takes minutes.
    """
    began = time.perf_counter()
    cores = {
        result.name: {case.about: case.answers["z3"].core for case in result.cases if "z3" in case.answers}
        for result in report.results
    }
    every_one = {function for result in report.results for function in result.rests_on}
    known = remembered()
    wanted = sorted(every_one, key=lambda name: (-len(known.get(name, ())), name))
    fates: dict[str, list[Fate]] = {}
    faults = []
    processes = [LineProcess([sys.executable, "-m", "proofs.mutants"]) for _ in range(WORKERS)]
    idle = list(processes)

    def attack(function: str) -> list[Fate] | None:
        process = idle.pop()
        reply = process.exchange({"function": function, "cores": cores, "search": search}, FUNCTION_LIMIT_S)
        idle.append(process)
        return None if reply is None else [Fate(**fate) for fate in reply["fates"]]

    with ThreadPoolExecutor(max_workers=WORKERS) as queue:
        try:
            for function, found in zip(wanted, queue.map(attack, wanted), strict=True):
                if found is None:
                    faults.append(f"the mutants of {function} could not be tried: the process that did died")
                fates[function] = found or []
                if progress is not None:
                    progress(function, len(fates), len(wanted))
        finally:
            queue.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.interrupt()
            queue.shutdown(wait=True)
            for process in processes:
                process.end()
    every = tuple(fate for function in sorted(wanted) for fate in fates[function])
    faults += [] if only is not None else unargued(every)
    examples = frozenset(result.name for result in report.results if result.room == rooms.EXAMPLES)
    return Teeth(every, tuple(faults), time.perf_counter() - began, only is not None, examples)


def remembered() -> dict[str, dict[str, dict[str, str]]]:
    """By function and mutant, who killed it when a search was made, and with which question; nothing where none was."""
    try:
        found: dict[str, dict[str, dict[str, str]]] = json.loads(KILLERS.read_text())
    except FileNotFoundError:
        return {}
    return found


def remember(teeth: Teeth) -> None:
    """Write down what a search has found."""
    killers: dict[str, dict[str, dict[str, str]]] = {}
    for fate in teeth.fates:
        if fate.state != "survived":
            killers.setdefault(fate.function, {})[fate.now] = {
                name: how.partition(": ")[0] for name, how in fate.killers.items()
            }
    KILLERS.write_text(json.dumps(killers, indent=1, ensure_ascii=False) + "\n")


def unargued(fates: tuple[Fate, ...]) -> list[str]:
    """Survivors without an argument, and arguments without a survivor."""
    alive = {fate.key: fate for fate in fates if fate.state == "survived"}
    faults = [f"a mutant survives, and nobody says why: {alive[key]}" for key in alive if key not in ARGUMENTS]
    needless = (key for key in ARGUMENTS if key not in alive)
    return [*faults, *(f"survivors.py argues for what does not survive: {name}: {now}" for name, now in needless)]


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
        self, cores: Mapping[str, Mapping[str, list[str]]], killers: Mapping[str, Mapping[str, dict[str, str]]]
    ):
        self._cores = cores
        self._killers = killers
        self._built: dict[str, Obligation] = {}
        self._proofs: dict[tuple[str, str], frozenset[int]] = {}
        self._possible: set[frozenset[int]] = set()
        self._seconds: dict[str, float] = {}
        self._kept: list[Question] = []  # a term that is let go gives its number to another

    def _sound(self, name: str) -> "Obligation":
        """An obligation as it is; to be asked for before a mutant takes its place."""
        from proofs.obligations import build  # noqa: PLC0415  (needs z3)

        if name not in self._built:
            obligation = self._built[name] = build(name)
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
            solver = z3.Solver(ctx=z3.Context())
            solver.set("rlimit", STEPS_LIMIT)
            solver.set("timeout", TIME_LIMIT_MS)
            solver.from_string(smt2(terms))
            answers[numbers] = str(solver.check())
        return answers[numbers]


def _numbers(terms: "Iterable[Term]") -> frozenset[int]:
    """The numbers of terms that are still held: the same number is the same term."""
    return frozenset(term.get_id() for term in terms if not isinstance(term, bool))


def serve() -> None:
    """Answer questions from standard input until it ends."""
    rooms.load()
    attacks: dict[str, Attack] = {}

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        if not attacks:
            attacks["sound"] = Attack(question["cores"], {} if question["search"] else remembered())
        return {"fates": [asdict(fate) for fate in attacks["sound"].on(question["function"])]}

    answer_lines(answer)


if __name__ == "__main__":
    serve()
