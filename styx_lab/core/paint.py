"""What drawings in SVG share: fonts, numbers, and colours that follow a page's light and dark.

Law: the same drawing has the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["MONO", "SANS", "Paint", "number", "style"]

SANS: Final = "ui-sans-serif, system-ui, 'Segoe UI', Roboto, Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO: Final = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

Paint = tuple[str, str, str, str]
"""What a class paints: the attribute; JupyterLab's own colour, for its pages; a light and a dark one for all others."""


def style(space: str, paints: Mapping[str, Paint]) -> str:
    r"""The style sheet of the classes of a drawing, inside one class of its own.

    >>> print(style("d", {"text": ("fill", "--jp-font", "#000", "#fff")}).replace("}.", "}\n."))
    <style>.d{--styx-text:#000}@media(prefers-color-scheme:dark){.d{--styx-text:#fff}}
    .d .text{fill:var(--jp-font,var(--styx-text))}</style>
    """
    rules = "".join(
        f".{space} .{name}{{{what}:var({variable},var(--styx-{name}))}}"
        for name, (what, variable, _, _) in paints.items()
    )
    light = ";".join(f"--styx-{name}:{paint[2]}" for name, paint in paints.items())
    dark = ";".join(f"--styx-{name}:{paint[3]}" for name, paint in paints.items())
    return f"<style>.{space}{{{light}}}@media(prefers-color-scheme:dark){{.{space}{{{dark}}}}}{rules}</style>"


def number(value: float) -> str:
    """A place or length, to a tenth.

    >>> number(2.0), number(2.25)
    ('2', '2.2')
    """
    return f"{value:.1f}".removesuffix(".0")
