"""/docs and /redoc: the API in one page without a script, from /openapi.json.

FastAPI's own pages load their scripts from another host, which a service without the internet does not reach and a
strict Content-Security-Policy forbids.
"""

import json
from html import escape
from typing import Any

CSS = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { border-top: 1px solid #8886; padding-top: 1.5rem; margin-top: 2.5rem; }
.method { font: bold 0.8em monospace; padding: 0.15em 0.5em; border: 1px solid; border-radius: 0.3em; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.3em 0.8em 0.3em 0; border-bottom: 1px solid #8884; }
pre { background: #8882; padding: 0.8em; overflow: auto; border-radius: 0.3em; }
code { font-size: 0.9em; }
"""


def page(openapi: dict[str, Any]) -> str:
    """The description of an API as HTML. Its style is in /docs.css."""
    info = openapi["info"]
    routes = [(path, method, route) for path, methods in openapi["paths"].items() for method, route in methods.items()]
    contents = "".join(
        f'<li><a href="#{_anchor(path, method)}"><code>{method.upper()} {escape(path)}</code></a> '
        f"{escape(route.get('summary', ''))}</li>"
        for path, method, route in routes
    )
    sections = "".join(_route(path, method, route) for path, method, route in routes)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(info["title"])}: API</title><link rel="stylesheet" href="docs.css">'
        '<link rel="icon" href="static/icon.svg"></head><body><main>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>{_paragraphs(info.get('description', ''))}"
        f'<p>For programs: <a href="openapi.json">openapi.json</a></p><ul>{contents}</ul>{sections}'
        "</main></body></html>"
    )


def _route(path: str, method: str, route: dict[str, Any]) -> str:
    parts = [
        f'<h2 id="{_anchor(path, method)}"><span class="method">{method.upper()}</span> {escape(path)}</h2>',
        _paragraphs(route.get("description", route.get("summary", ""))),
    ]
    rows = [
        (field["name"], field["in"], field["schema"], field.get("description", ""), field.get("required", False))
        for field in route.get("parameters", [])
    ]
    for kind, body in route.get("requestBody", {}).get("content", {}).items():
        schema = body["schema"]
        rows += [
            (name, kind, field, field.get("description", ""), name in schema.get("required", []))
            for name, field in schema["properties"].items()
        ]
    if rows:
        parts.append(_table(("field", "where", "type", "required", "what"), [_field(*row) for row in rows]))
    answers = [_answer(status, answer) for status, answer in route["responses"].items()]
    return "".join([*parts, _table(("status", "what", "example"), answers)])


def _field(name: str, where: str, schema: dict[str, Any], what: str, required: bool) -> tuple[str, ...]:
    item = schema.get("items", schema)
    kind = "file" if item.get("format") == "binary" else str(schema.get("type", ""))
    limits = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "≥"), ("maximum", "≤"), ("default", "default"))
        if key in schema
    ]
    described = ", ".join([kind + ("s, many" if "items" in schema else ""), *limits])
    return f"<code>{escape(name)}</code>", escape(where), escape(described), "yes" if required else "no", escape(what)


def _answer(status: str, answer: dict[str, Any]) -> tuple[str, ...]:
    examples = [body["example"] for body in answer.get("content", {}).values() if "example" in body]
    shown = "".join(
        f"<pre>{escape(text if isinstance(text, str) else json.dumps(text, indent=1, ensure_ascii=False))}</pre>"
        for text in examples
    )
    return f"<code>{escape(status)}</code>", escape(answer.get("description", "")), shown


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<table><thead><tr>{''.join(f'<th>{word}</th>' for word in head)}</tr></thead><tbody>{cells}</tbody></table>"
    )


def _paragraphs(text: str) -> str:
    """Paragraphs are apart by empty lines; an indented one is code."""
    return "".join(
        f"<pre>{escape(part.strip())}</pre>" if part.startswith("    ") else f"<p>{escape(part)}</p>"
        for part in text.strip("\n").split("\n\n")
        if part.strip()
    )


def _anchor(path: str, method: str) -> str:
    return escape(method + path.replace("/", "-"))
