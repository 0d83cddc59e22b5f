"""A column of sentences that is encoded as categories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from dlrun.checks.check import BOOK, DataCheck
from dlrun.checks.columns import preprocess_place, text_columns
from dlrun.checks.finding import Seen
from dlrun.checks.views import DataView
from dlrun.data.sentences import are_sentences
from dlrun.text import first_few

_OF_CATEGORIES = ("one_hot", "ordinal")


class TextAsCategories(DataCheck):
    """A column of sentences that is encoded as categories."""

    why: ClassVar[str] = (
        "nearly every text is a category of its own, so that nothing is learnt from its words"
    )
    source: ClassVar[str] = BOOK + "6.1"
    instead: ClassVar[str] = "let the step `text` make word numbers or vectors of it"

    def look(self, view: DataView) -> Iterator[Seen]:
        sentences = {
            name for name, texts in text_columns(view.dataset.samples) if are_sentences(texts)
        }
        for step in view.config.preprocess:
            columns = getattr(step, "columns", None)
            if step.member_name() == "text":
                sentences -= sentences if columns is None else set(columns)
            if step.member_name() in _OF_CATEGORIES:
                found = [n for n in sorted(sentences) if columns is None or n in columns]
                if found:
                    hold = "holds" if len(found) == 1 else "hold"
                    yield Seen(
                        f"{first_few(found)} {hold} sentences, which {step.member_name()} takes "
                        "for categories",
                        preprocess_place(view.config),
                        on_key=True,
                    )
                sentences -= set(found)
