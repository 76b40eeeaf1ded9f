"""The report as one page for a browser: nothing fetched, no script, light or dark as the reader likes. Decides nothing.

From top to bottom: the verdict and whatever is wrong, what was proved with what, each room with its sentences (what the
proof used, a situation in which it matters, what breaks one step past its bound, with timelines and the shipped
functions run on both), then which sentences read which function, and what became of the mutants.
"""

from html import escape
from typing import TYPE_CHECKING, Final

from proofs import record, rooms
from proofs.attack import Fate
from proofs.drawing import timeline
from proofs.mutants import Teeth
from proofs.prove import SOLVER_NAMES, Check, Report, Result
from proofs.report import index, summary

if TYPE_CHECKING:
    from proofs.examples import Example, Table

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#5b6570;--line:#d4d9df;--bar:#9ec5e8;--dot:#0b5cad;
--tick:#a34700;--good:#176b35;--bad:#b3201f;--panel:#f5f7f9}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--paper:#14171a;--soft:#a2acb6;--line:#3a424a;--bar:#2c5a82;
--dot:#7fbdf5;--tick:#f0a868;--good:#6fce8f;--bad:#ff8d85;--panel:#1d2226}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:0 auto;
padding:1.5rem}
h1{line-height:1.2}h2{border-bottom:1px solid var(--line);padding-bottom:.2rem;margin-top:3rem}
article{border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;margin:1rem 0}
article h3{margin:0 0 .2rem}code,.mono{font:14px/1.45 ui-monospace,monospace}.soft{color:var(--soft)}
.good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
code,.mono,td,li{overflow-wrap:anywhere}
table{border-collapse:collapse;font-size:14px;display:block;overflow-x:auto}td:first-child{min-width:12rem}
th,td{border:1px solid var(--line);padding:.2rem .5rem;text-align:left}th{background:var(--panel)}
td.number{text-align:right;white-space:nowrap;overflow-wrap:normal}details{margin:.4rem 0}summary{cursor:pointer}
svg{width:100%;max-width:40rem;height:auto;background:var(--panel);border-radius:6px;margin:.4rem 0}
svg text{font:12px ui-monospace,monospace;fill:var(--ink)}svg .number{fill:var(--soft);font-size:11px}
.rail{stroke:var(--line)}.bar{fill:var(--bar)}.dot{fill:var(--dot)}.tick{stroke:var(--tick);stroke-width:3}
ul.plain{list-style:none;padding-left:0}a{color:var(--dot)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem .8rem}dt{font-weight:600}dd{margin:0}
@media(max-width:40rem){body{padding:.8rem}dl{display:block}dd{margin:0 0 .5rem}article{padding:.6rem .7rem}}
"""


HOW_TO_READ: Final = """<details open><summary>How to read this page</summary><dl>
<dt>a sentence</dt><dd>is a function in <code>proofs/</code> that builds z3 terms. Every comparison in them that the
service makes, too, is made by calling the shipped function of <code>model/</code> on terms: nothing is transcribed.
The <a href="#functions">index by function</a> says what is proved about which.</dd>
<dt>proved</dt><dd>Each of its cases, assumptions and negated claim, is <code>unsat</code> for both solvers, asked the
same SMT-LIB text; its assumptions, its witness and what breaks past its bound are <code>sat</code>. Anything else is
red.</dd>
<dt>assumptions used</dt><dd>stand in an unsat core. An invariant is assumed by its own name.</dd>
<dt>a situation</dt><dd>in plain integers, nanoseconds or counts, in which the sentence matters. The shipped functions
were run on it. In pictures points are stamps, places and marks, strokes are true arrivals, bars are bounds and
windows.</dd>
<dt>past the bound</dt><dd>one step past the bound of the sentence, this happens: so the bound is tight.</dd>
<dt>mutants</dt><dd>The model with <a href="#mutants">one thing wrong</a> must break a sentence. Those that one sentence
alone kills are listed with it.</dd></dl>
<p>What is assumed, what is not proved and which files to read to believe it: <code>proofs/README.md</code>. Every
question as a file for other solvers: <code>firstcome prove --smt2 DIR</code>.</p></details>
"""


def page(report: Report, teeth: Teeth | None = None) -> str:
    """The whole page."""
    ok = report.ok and (teeth is None or teeth.ok)
    said = summary(report, teeth)
    verdict = (
        f'<p class="{"good" if ok else "bad"}">{"Everything is proved." if ok else "NOT everything is proved."}</p>'
    )
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Firstcome: what is proved</title><style>{STYLE}</style></head><body>",
        "<header><h1>What is proved about Firstcome</h1>",
        verdict,
        "".join(f"<p>{escape(line)}</p>" for line in said),
        f"<p class=soft>{escape(', '.join(f'{name} {number}' for name, number in record.versions().items()))}</p>",
        HOW_TO_READ,
        "</header><main>",
        _contents(report),
    ]
    for room in dict.fromkeys(result.room for result in report.results):
        of_room = [result for result in report.results if result.room == room]
        parts.append(f'<section><h2 id="room-{room}">{_room(room)}</h2><p class=soft><code>proofs/{room}.py</code></p>')
        parts += [_article(result, teeth) for result in of_room]
        parts.append("</section>")
    parts.append(_index(report))
    parts.append(_mutants(teeth) if teeth else "")
    parts.append(_files())
    return "".join((*parts, "</main></body></html>\n"))


def _contents(report: Report) -> str:
    rows, room = "", ""
    for result in report.results:
        if result.room != room:
            room = result.room
            title = f'<a href="#room-{room}">{_room(room)}</a>'
            rows += f'<tr><th colspan="{len(SOLVER_NAMES) + 2}" scope="rowgroup">{title}</th></tr>'
        rows += (
            f'<tr><td><a href="#{result.name}">{escape(result.sentence)}</a></td>'
            f"{''.join(f'<td class=number>{result.ms(solver):.0f}</td>' for solver in SOLVER_NAMES)}"
            f"<td>{_verdict(result)}</td></tr>"
        )
    heads = "".join(f'<th scope="col">{solver} ms</th>' for solver in SOLVER_NAMES)
    return (
        '<details open><summary>All sentences</summary><table><thead><tr><th scope="col">sentence</th>'
        f'{heads}<th scope="col">verdict</th></tr></thead><tbody>{rows}</tbody></table></details>'
    )


def _room(room: str) -> str:
    """The title of a room, as it is written in its first line, with code as code."""
    pieces = [escape(piece) for piece in rooms.title(room).split("`")]
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))


def _verdict(result: Result) -> str:
    return '<span class="good">proved</span>' if result.proved else '<span class="bad">not proved</span>'


def _article(result: Result, teeth: Teeth | None) -> str:
    times = ", ".join(f"{solver} {result.ms(solver):.0f} ms" for solver in SOLVER_NAMES)
    failures = "".join(f"<li class=bad>{escape(failure)}</li>" for failure in result.failures)
    parts = [
        f'<article id="{result.name}"><h3>{escape(result.sentence)}</h3>',
        f"<p><code>{result.name}</code> {_verdict(result)} "
        f"<span class=soft>in {len(result.cases)} case{'s' if len(result.cases) > 1 else ''}: {times}</span></p>",
        f"<ul class=plain>{failures}</ul>" if failures else "",
        f"<p class=soft>Reads {_codes(sorted(result.reads))}</p>" if result.reads else "",
        _labels("Assumptions that the proof used", result.used),
        _labels("Assumptions that it did not need", result.unused),
        *(
            _situation(f"Counterexample to: {case.about}", case.example, open_=True)
            for case in result.cases
            if case.example
        ),
        _situation("A situation in which it matters", result.witness.example),
        _situation("What breaks one step past the bound", result.beyond.example) if result.beyond else "",
        _alone(teeth.alone(result.name)) if teeth else "",
        _questions(result.checks),
    ]
    return "".join((*parts, "</article>"))


def _codes(names: list[str]) -> str:
    return ", ".join(f"<code>{escape(name)}</code>" for name in names)


def _labels(what: str, labels: tuple[str, ...]) -> str:
    if not labels:
        return ""
    items = "".join(
        f"<li>{escape(label.replace('_', ' ')) if label.isidentifier() else f'<code>{escape(label)}</code>'}</li>"
        for label in labels
    )
    return f"<details><summary>{what} ({len(labels)})</summary><ul>{items}</ul></details>"


def _situation(what: str, example: "Example | None", open_: bool = False) -> str:
    if example is None:
        return ""
    values = ", ".join(f"{name} = {value}" for name, value in example.values.items())
    calls = "".join(
        f'<li class="{"" if replay.agrees else "bad"}"><code>{escape(str(replay))}</code></li>'
        for replay in example.replays
    )
    return (
        f"<details{' open' if open_ else ''}><summary>{escape(what)}</summary>{timeline(example, what)}"
        f"<p class=mono>{escape(values)}</p>{''.join(_table(table) for table in example.tables)}"
        f"{f'<p>The shipped functions in it:</p><ul class=plain>{calls}</ul>' if calls else ''}</details>"
    )


def _table(table: "Table") -> str:
    columns = [name for name in table.columns if not (name.endswith("+") and name[:-1] in table.columns)]
    heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)

    def cell(column: str, member: str) -> str:
        before = table.columns[column][member]
        after = table.columns.get(f"{column}+", table.columns[column])[member]
        return escape(str(before) if before == after else f"{before} → {after}")

    rows = "".join(
        f'<tr><th scope="row">{escape(member)}</th>'
        f"{''.join(f'<td>{cell(column, member)}</td>' for column in columns)}</tr>"
        for member in table.members
    )
    return (
        f'<table><thead><tr><th scope="col">{escape(table.sort)}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _alone(fates: tuple[Fate, ...]) -> str:
    if not fates:
        return ""
    items = "".join(f"<li><code>{escape(str(fate))}</code></li>" for fate in fates)
    return f"<details><summary>Mutants that it alone kills ({len(fates)})</summary><ul>{items}</ul></details>"


def _questions(checks: tuple[Check, ...]) -> str:
    rows = "".join(
        f"<tr><td>{escape(check.about)}</td><td>{check.expected}</td>"
        + "".join(
            f"<td>{escape(answer.verdict)}, {answer.ms:.0f} ms</td>"
            for answer in (check.answers[name] for name in SOLVER_NAMES if name in check.answers)
        )
        + "</tr>"
        for check in checks
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in SOLVER_NAMES)
    return (
        '<details><summary>What was asked</summary><table><thead><tr><th scope="col">question</th>'
        f'<th scope="col">expected</th>{heads}</tr></thead><tbody>{rows}</tbody></table></details>'
    )


def _index(report: Report) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(function)}</code></td><td>"
        + ", ".join(f'<a href="#{name}">{escape(name.replace("_", " "))}</a>' for name in names)
        + "</td></tr>"
        for function, names in index(report).items()
    )
    return (
        '<section><h2 id="functions">Which sentences read which function</h2><table><thead><tr>'
        '<th scope="col">function of '
        f'model/</th><th scope="col">sentences</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _mutants(teeth: Teeth) -> str:
    from proofs.survivors import ARGUMENTS  # noqa: PLC0415  (only a page with mutants needs it)

    def items(state: str) -> str:
        return "".join(
            f"<li><code>{escape(str(fate))}</code> "
            f"{escape(ARGUMENTS.get(fate.key, '') or str(fate.doubters or ''))}</li>"
            for fate in teeth.fates
            if fate.state == state
        )

    return (
        '<section><h2 id="mutants">Teeth: the model with one thing wrong</h2>'
        f"<p>{teeth.count('killed')} of {len(teeth.fates)} mutants are killed, "
        f"{teeth.by_examples()} of them by examples alone.</p>"
        f"<h3>Survivors, and why that is right</h3><ul>{items('survived') or '<li>none</li>'}</ul>"
        f"<h3>Could not be read or decided</h3><ul>{items('refused') or '<li>none</li>'}</ul></section>"
    )


def _files() -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td><code>{digest}</code></td></tr>"
        for name, digest in record.files().items()
    )
    return (
        '<section><h2 id="files">The files that this is about</h2><table><thead><tr><th scope="col">file</th>'
        f'<th scope="col">SHA-256</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )
