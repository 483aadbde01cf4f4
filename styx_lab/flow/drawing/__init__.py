"""The drawing of a flow: text for a terminal, Mermaid for a page, SVG for a notebook."""

from styx_lab.flow.drawing.as_svg import ACCENTS, svg
from styx_lab.flow.drawing.as_text import mermaid, text

__all__ = ["ACCENTS", "mermaid", "svg", "text"]
