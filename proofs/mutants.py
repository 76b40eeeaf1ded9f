"""Teeth: the model with one thing wrong must break a sentence.

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

Next: `attack.py`, one mutant in the model's place; `survivors.py`.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proofs import rooms
from proofs.attack import KILLERS, Attack, Fate, answering, remembered
from proofs.lines import CopiedProcess
from proofs.survivors import ARGUMENTS

if TYPE_CHECKING:
    from proofs.prove import Report

FUNCTION_LIMIT_S: Final = 1200.0
"""A process that takes longer for the mutants of one function is ended, and nothing is proved."""
WORKERS: Final = 2


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
    """Try every mutant of whatever the obligations of a report rest on, in copies of this process.

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
    answer = answering(Attack(cores, {} if search else known, report.built))
    processes = [CopiedProcess(answer) for _ in range(WORKERS)]
    for process in processes:
        process.begin()
    idle = list(processes)

    def attack(function: str) -> list[Fate] | None:
        process = idle.pop()
        reply = process.exchange({"function": function}, FUNCTION_LIMIT_S)
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
