"""The API's reference for people, made from its description alone: `docs/api.md`, and the same as a page at `/docs`.

The page is whole: no script, nothing fetched, so it reads the same where no other network is. Both it and
`/openapi.json` are made once a process, off the event loop, when somebody first asks.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Final

from fastapi import FastAPI
from starlette.responses import Response

from service.gateway.answers import JSON, TYPE_PREFIX, encode
from service.gateway.tokens import SCOPES

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#5a5a5a;--line:#d8d8d8;--panel:#f5f6f7;--link:#0b5cad}
@media (prefers-color-scheme:dark){:root{--ink:#ececec;--paper:#161616;--soft:#b0b0b0;--line:#3a3a3a;--panel:#202326;
--link:#7fbdf5}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;margin:0 auto;
padding:1.5rem}h1{line-height:1.2}h2{border-bottom:1px solid var(--line);padding-bottom:.2rem;margin-top:3rem}
h3{margin-top:2.4rem}h4{margin-bottom:.3rem}a{color:var(--link)}
code{font:14px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}
pre{background:var(--panel);border-radius:6px;padding:.7rem 1rem;overflow-x:auto}pre code{overflow-wrap:normal}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:15px;margin:.6rem 0}
th,td{border:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}th{background:var(--panel)}
@media(max-width:40rem){body{padding:.8rem}}
"""
_NAMED: Final = "#/components/schemas/"


def add_reference(app: FastAPI) -> None:
    """Serve the description and the page. They say nothing that is secret, and so ask for no token."""

    @cache
    def description() -> bytes:
        return encode(app.openapi())

    @cache
    def shown() -> str:
        return page(markdown(app.openapi()))

    @app.get("/openapi.json", include_in_schema=False)
    def describe_the_api() -> Response:
        return Response(description(), media_type=JSON)

    @app.get("/docs", include_in_schema=False)
    def show_the_reference() -> Response:
        return Response(shown(), media_type="text/html")


def markdown(description: Mapping[str, Any]) -> str:
    """The whole reference as Markdown."""
    calls = [
        (method.upper(), path, operation)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    ]
    lines = [
        f"# The {description['info']['title']} API",
        description["info"]["description"],
        "## Calls",
        _table(
            ("call", "", "scope"),
            ((_call(method, path), _link(told["summary"]), _scopes(told)) for method, path, told in calls),
        ),
    ]
    for method, path, operation in calls:
        lines += _operation(method, path, operation)
    lines.append("## Objects")
    for name, schema in description["components"]["schemas"].items():
        lines += [f"### {name} object", schema.get("description", ""), _fields(schema)]
    lines += ["## Problems", _PROBLEMS_TOLD]
    types = description["x-problem-types"].items()
    lines.append(
        _table(
            ("type", "status", "title", "what it means, and what to do"),
            ((f"`{slug}`", str(told["status"]), told["title"], told["meaning"]) for slug, told in types),
        )
    )
    return "\n\n".join(line for line in lines if line) + "\n"


_PROBLEMS_TOLD: Final = f"""Every error is a problem document (RFC 9457, `application/problem+json`). Its `type` is \
`{TYPE_PREFIX}` and one of these words; it is stable, so a program may rely on it. What stands in braces differs from \
answer to answer."""


def page(text: str) -> str:
    """A reference in Markdown as one HTML page."""
    from markdown_it import MarkdownIt  # noqa: PLC0415  # only who reads the page needs it

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", _anchor(inline.content))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The Firstcome API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><main>{parser.renderer.render(tokens, parser.options, {})}"
        "</main></body></html>\n"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {operation['summary']}"
    yield f"{_call(method, path)} · scope: {_scopes(operation)}"
    yield operation.get("description", "")
    parameters = [
        (f"`{told['name']}`", told["in"], _form(told["schema"]), _about(told))
        for told in operation.get("parameters", ())
    ]
    if parameters:
        yield _table(("parameter", "in", "form", "meaning"), parameters)
    if "requestBody" in operation:
        content = operation["requestBody"]["content"][JSON]
        yield "#### Body"
        yield content["schema"].get("description", "")
        yield _fields(content["schema"])
        yield _example(content)
    yield "#### Answers"
    answers = sorted(operation["responses"].items())
    yield _table(
        ("status", "meaning", "holds"), ((status, told["description"], _holds(told)) for status, told in answers)
    )
    for status, told in answers:
        for content in told.get("content", {}).values():
            if "example" in content:
                yield f"A {status}:"
                yield _example(content)


def _holds(answer: Mapping[str, Any]) -> str:
    """What an answer's body is, and which headers come with it."""
    parts = []
    for form, content in answer.get("content", {}).items():
        schema = content.get("schema", {})
        if schema.get("$ref") == f"{_NAMED}Problem":
            types = schema.get("properties", {}).get("type", {}).get("enum", ())
            parts.append(", ".join(f"`{told.removeprefix(TYPE_PREFIX)}`" for told in types) or "a problem")
        elif form == JSON:
            parts.append(_form(schema) if "$ref" in schema else _flat(schema))
        else:
            parts.append(f"`{form}`")
    headers = ", ".join(f"`{name}` ({told['description']})" for name, told in answer.get("headers", {}).items())
    return "; ".join(filter(None, [*parts, headers and f"headers {headers}"]))


def _flat(schema: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name, _, _ in _rows(schema)) or "an object"


def _fields(schema: Mapping[str, Any]) -> str:
    return _table(
        ("field", "form", "meaning"),
        ((f"`{name}`{needed}", _form(told), _about(told)) for name, told, needed in _rows(schema)),
    )


def _rows(schema: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Fields with those of the objects inside them; whether each is required."""
    for name, told in schema.get("properties", {}).items():
        yield before + name, told, "" if name in schema.get("required", ()) else " (optional)"
        inside, path = (told["items"], "[]") if "items" in told else (told, "")
        if "$ref" not in inside:
            yield from _rows(inside, f"{before}{name}{path}.")


def _about(told: Mapping[str, Any]) -> str:
    """What a field or a parameter means."""
    return str(told.get("description") or told.get("schema", {}).get("description", ""))


def _form(schema: Mapping[str, Any]) -> str:
    """What a value looks like."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_NAMED)
        return f"[{name}](#{_anchor(name + ' object')})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_form(one) for one in schema["anyOf"] if one != {"type": "null"})
    if "items" in schema:
        return f"list of {_form(schema['items'])}{_range(schema, 'Items', '')}"
    kinds = schema.get("type", "anything")
    named = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if schema.get("format") == "rfc9557":
        return "time"
    if "pattern" in schema:
        return f"{named} `{schema['pattern']}`"
    return named + _range(schema, "imum", "") + _range(schema, "Length", " characters")


def _range(schema: Mapping[str, Any], what: str, unit: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is None and most is None:
        return ""
    return f", {least}{unit} or more" if most is None else f", {least or 0} to {most}{unit}"


def _scopes(operation: Mapping[str, Any]) -> str:
    named = [scope for one in operation["security"] for scope in one["token"]]
    return "any" if len(named) == len(SCOPES) else " or ".join(f"`{scope}`" for scope in named) or "no token"


def _call(method: str, path: str) -> str:
    return f"`{method} {path}`"


def _link(summary: str) -> str:
    return f"[{summary}](#{_anchor(summary)})"


def _anchor(heading: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _example(content: Mapping[str, Any]) -> str:
    if "example" not in content:
        return ""
    return f"```json\n{json.dumps(content['example'], indent=2, ensure_ascii=False)}\n```"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    told = [tuple(re.sub(r"\s*\n\s*", " ", cell).replace("|", "\\|") for cell in row) for row in rows]
    if not told:
        return ""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, tuple("---" for _ in head), *told])
