"""Labels of a drawing: any text as one printable line, cut to a width.

Law: a label is one line and no wider than was asked; nothing in it can end the line, the tag or the terminal's state.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, combining, east_asian_width

__all__ = ["counted", "cut", "one_line", "padded", "width"]

_SPACE: Final = re.compile(r"\s+")


def one_line(text: str) -> str:
    r"""The text on one line; control characters, also those that turn the writing direction, become a mark.

    >>> one_line("amount > 1\n  and risk < 2")
    'amount > 1 and risk < 2'
    """
    line = _SPACE.sub(" ", text).strip()
    return "".join("\ufffd" if category(sign) in {"Cc", "Cf", "Cs", "Cn", "Co"} else sign for sign in line)


def width(text: str) -> int:
    """How many columns of a terminal a line takes; a wide (Chinese, Japanese, Korean) sign takes two.

    >>> width("fraud"), width("詐欺")
    (5, 4)
    """
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def cut(text: str, most: int) -> str:
    """The text as one line of at most `most` columns, with an ellipsis where something was left out.

    >>> cut("status = 'declined'", 10)
    'status =…'
    """
    line = one_line(text)
    if width(line) <= most:
        return line
    kept = ""
    for sign in line:
        if width(kept + sign) > most - 1:
            break
        kept += sign
    return kept.rstrip() + "…" if most > 0 else ""


def padded(text: str, columns: int) -> str:
    """The line filled up with spaces to a number of columns."""
    return text + " " * (columns - width(text))


def counted(number: int, thing: str) -> str:
    """A number with its thing.

    >>> counted(1, "step"), counted(2, "step")
    ('1 step', '2 steps')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
