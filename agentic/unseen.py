"""Characters that do not show, or make a text read other than it is written: one list for all who look for them."""

from __future__ import annotations

import re

CONTROLS = r"\u0000-\u001f\u007f-\u009f"
"""Parts of a character class, also fit for the patterns of a JSON Schema."""
CONTROLS_BUT_TAB_AND_NEWLINE = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f"
CONTROLS_BUT_WHITE_SPACE = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
DIRECTION_MARKS = r"\u200e\u200f\u202a-\u202e\u2066-\u2069"
INVISIBLE = rf"{CONTROLS}\u2028\u2029{DIRECTION_MARKS}\ufeff"
"""What no single line for people may hold."""
SURROGATES = r"\ud800-\udfff"

_UNFIT = re.compile(f"[{CONTROLS_BUT_TAB_AND_NEWLINE}\\u2028\\u2029{DIRECTION_MARKS}\\ufeff{SURROGATES}]")


def visible_text(text: str) -> str:
    """Return a text without what does not show; tabs and line ends stay."""
    return _UNFIT.sub("", text.replace("\r\n", "\n"))
