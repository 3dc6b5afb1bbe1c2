"""The HTML side of a mail: a table with styles in line, as mail programs want it; every text is escaped."""

from html import escape

from fireline.channels import plain
from fireline.engine.outward import Message

_FONT = "font-family:-apple-system,Segoe UI,Helvetica,Arial,sans-serif;font-size:14px;color:#212121"
_MONO = "font-family:Menlo,Consolas,monospace;background:#f3f3f3;padding:2px 4px"


def html(message: Message, web_url: str) -> str:
    """`message` as a page of HTML."""
    parts = [
        f'<div style="border-left:4px solid #{plain.colour(message):06x};padding-left:12px">',
        f'<h2 style="font-size:16px;margin:0 0 8px">{escape(plain.headline(message))}</h2>',
        *(f"<p>{escape(line)}</p>" for line in plain.body(message).splitlines() if line.strip()),
        _fields(message),
        _paragraph(plain.why(message)),
        *_answers(message),
        _link(message, web_url),
        *(f'<p style="color:#757575;font-size:12px;margin:2px 0">{escape(fact)}</p>' for fact in plain.facts(message)),
        "</div>",
    ]
    return f'<!DOCTYPE html><html><body style="{_FONT}">{"".join(parts)}</body></html>'


def _answers(message: Message) -> list[str]:
    shown = plain.answers(message.buttons)
    return [f'<p>{escape(label)}: <code style="{_MONO}">{escape(typed)}</code></p>' for label, typed in shown]


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def _fields(message: Message) -> str:
    rows = "".join(
        f'<tr><td style="color:#757575;padding:1px 12px 1px 0">{escape(label)}</td><td>{escape(value)}</td></tr>'
        for label, value in plain.fields(message, 60)
    )
    return f'<table style="border-collapse:collapse;{_FONT}">{rows}</table>' if rows else ""


def _link(message: Message, web_url: str) -> str:
    if not web_url or message.kind == "say":
        return ""
    return f'<p><a href="{escape(web_url, quote=True)}">Status page</a></p>'
