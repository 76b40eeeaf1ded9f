"""What a report keeps for later: which code was proved, with which texts, by which solvers; and what changed since.

A report carries the SHA-256 of every file of the model and of this folder that states something, of every question as
it is exported, and of every obligation as a whole. So a proof names the code that it is about, `--check` says whether
it still is, and whoever has other solvers runs them on the same files. Decides nothing.
"""

import hashlib
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import model
from proofs.prove import Check, Report, Result, names_of
from proofs.solvers import SolverProcess

FORMAT: Final = "firstcome-proofs/1"
CERTIFICATE_LIMIT_MS: Final = 60_000
_MODEL: Final = Path(model.__file__).parent
_PROOFS: Final = Path(__file__).parent


class NoReportError(ValueError):
    """A file that is not a report of ours; the message is one line."""


def sha256(text: str) -> str:
    """Of a text in UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def files() -> dict[str, str]:
    """The SHA-256 of each file of the model, and of each file here."""
    paths = [*sorted(_MODEL.glob("*.py")), *sorted(_PROOFS.glob("*.py"))]
    return {f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def versions() -> dict[str, str]:
    """Of the solvers and of Python."""
    packages = {"z3": "z3-solver", "cvc5": "cvc5"}
    return {
        **{name: metadata.version(package) for name, package in packages.items()},
        "python": platform.python_version(),
    }


def fingerprint(sentence: str, texts: list[str]) -> str:
    """One number for all that an obligation says."""
    return sha256("\n".join((sentence, *texts)))


def exported(result: Result) -> dict[str, str]:
    """Every question of an obligation as a file of its own, by file name; in the order of `result.checks`."""
    return {
        _file_name(result, number, check): _file_text(result, check) for number, check in enumerate(result.checks, 1)
    }


def _file_name(result: Result, number: int, check: Check) -> str:
    about = re.sub(r"[^a-z0-9]+", "-", check.about.lower()).strip("-")
    return f"{result.room}.{result.name}.{number:02}-{about}.{check.expected}.smt2"


def _file_text(result: Result, check: Check) -> str:
    comments = f"; {result.sentence}\n; {check.about}: {result.room}.{result.name}\n"
    return f"{comments}(set-info :status {check.expected})\n{check.text}"


def write_questions(report: Report, folder: Path) -> int:
    """Every question as a file. Returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: text for result in report.results for name, text in exported(result).items()}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return len(texts)


def write_certificates(report: Report, folder: Path) -> tuple[int, list[str]]:
    """cvc5's proof of each case, in the CPC format, beside the name of its question.

    Returns: how many, and which could not be had or rest on a step that cvc5 asks to be trusted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, wanting = 0, []
    with SolverProcess("cvc5") as cvc5:
        for result in report.results:
            for number, case in enumerate(result.cases, 1):
                name = _file_name(result, number, case).removesuffix(".unsat.smt2")
                answer = cvc5.ask(case.text, "unsat", CERTIFICATE_LIMIT_MS, certificate=True)
                if not answer.certificate:
                    wanting.append(f"{name}: cvc5 says {answer.verdict}")
                    continue
                (folder / f"{name}.cpc").write_text(answer.certificate + "\n")
                written += 1
                if re.search(r":rule trust\b", answer.certificate):
                    wanting.append(f"{name}: rests on a step to be trusted")
    return written, wanting


def changes(recorded: Any, only: str | None = None) -> list[str]:
    """What is not as it was when a report was made: files, and obligations in what they say.

    Raises:
        NoReportError: this is not a report.
        ImportError: z3 is missing, so that nothing can be stated.
        ValueError: no obligation is called `only`.
    """
    if not isinstance(recorded, dict) or recorded.get("format") != FORMAT:
        raise NoReportError(f"not a report of proofs: no format {FORMAT}")
    try:
        files_then = {str(name): str(digest) for name, digest in recorded["files"].items()}
        said_then = {str(each["name"]): str(each["fingerprint"]) for each in recorded["obligations"]}
        chosen = recorded["only"]
    except (KeyError, TypeError, AttributeError) as error:
        raise NoReportError(f"not a report of proofs: {error!r}") from error
    names = names_of(only)
    if chosen is not None:
        names = [name for name in names if chosen in name]
    if only is not None:
        said_then = {name: digest for name, digest in said_then.items() if only in name}
    from proofs.obligations import build  # noqa: PLC0415  (needs z3, which may be missing)

    said_now = {}
    for name in names:
        obligation = build(name)
        said_now[name] = fingerprint(obligation.sentence, [question.text for question in obligation.questions()])
    return [*_differences("", files_then, files()), *_differences("obligation ", said_then, said_now)]


def _differences(kind: str, then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [f"{kind}{name} has changed" for name in sorted(then.keys() & now.keys()) if then[name] != now[name]]
    new = [f"{kind}{name} is new" for name in sorted(now.keys() - then.keys())]
    gone = [f"{kind}{name} is gone" for name in sorted(then.keys() - now.keys())]
    return [*changed, *new, *gone]
