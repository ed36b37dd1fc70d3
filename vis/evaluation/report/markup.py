"""HTML and SVG elements as text; what comes from files is escaped, whatever it holds."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is HTML already; plain text becomes it by `text` alone."""

    __slots__ = ()


def text(value: object) -> Markup:
    """`value` as it shall be read: escaped, control characters left out."""
    if isinstance(value, Markup):
        return value
    return Markup(escape("".join(c for c in str(value) if c.isprintable() or c == "\n")))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element; `class_` is the attribute `class`, `stroke_width` is `stroke-width`.

    Attributes that are None are left out, numbers lose useless digits.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Children one after the other."""
    return Markup("".join(text(child) for child in children))


_EMPTY = ("img", "meta", "br")


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
