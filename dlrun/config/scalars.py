"""What plain YAML text means: the YAML 1.2 core schema, and nothing else.

PyYAML reads YAML 1.1, where `no` is false, `1e-3` is text, `012` is octal, `12:30` is a
number in base 60 and `2024-01-01` is a date. In a config they are text, a number, 12, text
and text.
"""

from __future__ import annotations

import math
import re

from dlrun.config.document import Scalar

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# More digits than any option needs; Python itself refuses to read thousands of them.
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}\Z", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,400}\Z")
_OCTAL = re.compile(r"0o[0-7]{1,400}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")


def scalar(text: str) -> Scalar:
    """Return the value of unquoted YAML text (YAML 1.2.2, section 10.3.2).

    A number too large to be held stays text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _HEXADECIMAL.match(text):
        return int(text, 16)
    if _OCTAL.match(text):
        return int(text, 8)
    if _FLOAT.match(text) and math.isfinite(number := float(text)):
        return number
    if _NOT_FINITE.match(text):
        return float(text.lower().replace(".", ""))
    return text
