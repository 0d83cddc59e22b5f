"""What the wording of Keras' documentation says of an argument, where it leaves no doubt."""

from __future__ import annotations

import re
from typing import Any

from dlrun.registry.catalogue import Argument

PYTHON_ARGUMENTS = {
    ("Lambda", "function"),
    ("Lambda", "mask"),
    ("JaxLayer", "call_fn"),
    ("JaxLayer", "init_fn"),
    ("FlaxLayer", "module"),
    ("FlaxLayer", "method"),
    ("TorchModuleWrapper", "module"),
    ("MultiOptimizer", "optimizer_map"),
    ("MeanMetricWrapper", "fn"),
    ("LearningRateScheduler", "schedule"),
    ("LambdaCallback", "on_epoch_begin"),
    ("LambdaCallback", "on_epoch_end"),
    ("LambdaCallback", "on_train_begin"),
    ("LambdaCallback", "on_train_end"),
    ("LambdaCallback", "on_train_batch_begin"),
    ("LambdaCallback", "on_train_batch_end"),
}

COUNTS = {
    "units", "filters", "input_dim", "output_dim", "n", "height", "width", "num_heads", "key_dim",
    "head_dim", "num_query_heads", "num_key_value_heads", "num_classes", "max_number",
}  # fmt: skip
"""Required arguments that are whole numbers of at least 1, however the documentation words it."""

WINDOWS = {"kernel_size", "pool_size", "strides", "dilation_rate", "size", "output_size"}
"""A whole number of at least 1, or one for each axis."""

LISTS_TOO = {"axis", "scale", "offset"}
"""Keras' code takes a list here in more classes than document it."""

TEXTS = {
    "name",
    "monitor",
    "filepath",
    "filename",
    "directory",
    "backup_dir",
    "log_dir",
    "equation",
}
"""Arguments that are text."""

REDUCTIONS = ["mean", "mean_with_sample_weight", "none", "sum", "sum_over_batch_size"]
SHARE = {"accepts": "number", "minimum": 0, "maximum": 1}
CORRECTED: dict[str, dict[str, Any]] = {
    "rate": SHARE,
    "dropout": SHARE,
    "recurrent_dropout": SHARE,
    "lora_alpha": {"accepts": "number|null"},
    "reduction": {"accepts": "string|null", "choices": REDUCTIONS},
    "verbose": {},
}
"""Where Keras' code says otherwise than its documentation does."""


def accepted(owner: str, argument: Argument, doc: str) -> dict[str, Any]:
    """Return `accepts`, `minimum`, `maximum` and `choices` as far as they are beyond doubt.

    Args:
        owner: The class's name.
        argument: The argument as the signature shows it.
        doc: Keras' documentation of it.
    """
    if (owner, argument.name) in PYTHON_ARGUMENTS:
        return {"accepts": "python"}
    if argument.name in CORRECTED:
        return CORRECTED[argument.name]
    if argument.accepts:
        return {"accepts": "|".join(argument.accepts)}
    if isinstance(argument.default, bool):
        return {"accepts": "boolean"}
    if argument.required and argument.name in COUNTS:
        return {"accepts": "integer", "minimum": 1}
    lead = re.split(r"(?<=[^.\d])\. ", doc)[0].removeprefix("(Optional) ").strip()
    nullable = argument.has_plain_default and argument.default is None
    null = "|null" if nullable or "None" in doc else ""
    if choices := _choices(argument, doc):
        return {"accepts": f"string{null}", "choices": choices}
    if (type_ := _type(argument, lead, doc)) is not None:
        return {"accepts": type_ + null, **_bounds(argument, lead, doc)}
    return {}


def _type(argument: Argument, lead: str, doc: str) -> str | None:
    if argument.name in TEXTS and isinstance(argument.default, str | None):
        return "string"
    if not isinstance(argument.default, str | dict):
        return _list_type(argument, lead) or _number_type(argument, lead, doc)
    return None


def _list_type(argument: Argument, lead: str) -> str | None:
    if not isinstance(argument.default, list | None):
        return None
    is_list = re.match(r"(an? )?(optional )?(tuple|list)( or list)? of\b", lead.lower())
    return "list" if is_list and " or a " not in lead.lower() else None


def _number_type(argument: Argument, lead: str, doc: str) -> str | None:
    text = lead.lower().removeprefix("optional ").removeprefix("a python ")
    many = argument.name in LISTS_TOO or re.search(r"\b(tuple|list|array|matrix|axes)\b", text)
    if "dictionary" in text:
        return None
    if argument.name in WINDOWS and (many or text.startswith(("int", "an int"))):
        return "integer|list"
    if re.match(r"(an? )?(positive )?int(eger)?s?\b", text):
        if re.search(r"\bor [\"`'a-z]*(false|epoch|instance)", text):
            return None
        return "integer|list" if many else "integer"
    is_count = re.match(r"(the )?((total|possible) )?(integer )?number of\b", text)
    if is_count and not many and isinstance(argument.default, int | None):
        return "integer"
    if re.match(r"(an? )?(single )?(small )?(float\b|floating point\b|scalar value)", text):
        return "number|list" if many else "number"
    # A number by default, and nothing in the documentation that speaks of anything else.
    other = r"\b(tuple|list|array|axis|axes|dimension|dictionary|string|instance)\b"
    plain_number = isinstance(argument.default, int | float) and doc
    return "number" if plain_number and not re.search(other, doc.lower()) else None


def _bounds(argument: Argument, lead: str, doc: str) -> dict[str, float]:
    if argument.name in WINDOWS or re.match(r"(A |Optional )?[Pp]ositive int", doc):
        return {"minimum": 1}
    if "Must be positive" in doc and "integer" in lead:
        return {"minimum": 1}
    if re.search(r"between 0 and 1\b|in (the )?(range )?[`\[(]*0, 1[`\])]", lead):
        return {"minimum": 0, "maximum": 1}
    if re.search(r"Float >= 0|\(positive float\)|greater than or equal to zero", doc):
        return {"minimum": 0}
    return {}


def _choices(argument: Argument, doc: str) -> list[str]:
    """The strings that the documentation lists as the only ones, where it does so plainly."""
    if argument.name == "data_format":
        return ["channels_first", "channels_last"]
    if not isinstance(argument.default, str | None):
        return []
    if re.search(r"[Cc]allable|tensor|array_like|`?\"?(batch|epoch)\"?`? or|, integer", doc):
        return []
    listed = re.finditer(
        r"(?:[Oo]ne of|[Ee]ither|[Cc]an be|Supports|Supported options are|Supported values:"
        r"|Available methods are|Acceptable values are|configuring|^String,|^string,|curve to be)"
        r"(?P<list>[^.]*)",
        doc,
    )
    for match in listed:
        found = set(re.findall(r"[\"'](\w+)`?[\"']", match["list"]))
        if len(found) > 1 and (argument.default is None or argument.default in found):
            return sorted(found)
    return []


def argument_docs(doc: str) -> dict[str, str]:
    """Return the text of each argument under `Args:` of a docstring in Keras' style."""
    found: dict[str, str] = {}
    current, level, inside = None, None, None
    for line in doc.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() in ("Args:", "Arguments:"):
            inside, level, current = indent, None, None
        elif inside is not None and line.strip():
            if indent <= inside:
                inside = None
                continue
            level = indent if level is None else level
            start = re.match(r"\s*\**`?(\w+)`?(?:\s*\([^)]*\))?\s*:\s*(.*)", line)
            if start and indent == level:
                current = start[1]
                found.setdefault(current, start[2])
            elif current is not None:
                found[current] += " " + line.strip()
    return found


def first_sentence(text: str) -> str:
    """Return the first sentence of an argument's text, short enough for a line or two."""
    text = re.sub(r"\{\{\w+\}\}", "", re.sub(r"\s+", " ", text)).strip()
    # A type alone ("Integer.") says too little: take the next sentence too.
    parts = re.split(r"(?<=[^.\d][.])\s+(?=[A-Z`\"])", text)
    sentence = parts[0]
    if len(sentence) < 25 and len(parts) > 1:
        sentence = f"{sentence} {parts[1]}"
    return sentence if len(sentence) <= 200 else sentence[:197].rsplit(" ", 1)[0] + "..."
