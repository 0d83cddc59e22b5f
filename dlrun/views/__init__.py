"""Views of data, layers, and what a model has learnt. A new view is one file in this package, found
by its name; what several share is in `dlrun.views.parts`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from dlrun.config.fields import FilePath
from dlrun.registry.component import Component, Section

if TYPE_CHECKING:
    import numpy as np

    from dlrun.reports.sheets import AnySheet
    from dlrun.views.parts.subject import Subject


@dataclass(frozen=True)
class ViewResult:
    """What a view shows.

    Args:
        lines: The result in plain words, a sentence each.
        facts: What `look.json` holds beside them.
        arrays: The numbers, for `arrays.npz`.
        sheets: The pictures; none where there is nothing to show, which `lines` explains.
    """

    lines: Sequence[str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    sheets: Sequence[AnySheet] = ()


class View(Component):
    """Base of all views. A config names its views, so import Keras and scikit-learn inside `look`
    only."""

    needs_model: ClassVar[bool] = True
    """Whether it shows what a model has learnt; others show the data of a config that was never
    trained."""

    @abstractmethod
    def look(self, subject: Subject) -> ViewResult:
        """Return what the view shows of a run, or of a config.

        Raises:
            ComponentError: An option does not suit the model, such as the name of a layer.
            DataError: An option does not suit the data.
        """


class SomeRows(Section):
    """Rows by the part of the data that they come from. Exactly one of the two."""

    alternatives = frozenset({"validation", "training"})

    validation: int | None = Field(default=None, ge=1)
    """That many validation rows, spread evenly over all of them."""

    training: int | None = Field(default=None, ge=1)
    """That many training rows, spread evenly over all of them."""

    @model_validator(mode="after")
    def _exactly_one(self) -> SomeRows:
        if (self.validation is None) == (self.training is None):
            raise ValueError("give either `validation` or `training`")
        return self


RowChoice = (
    Annotated[int, Field(ge=1)]
    | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    | FilePath
    | SomeRows
)


class ViewOfRows(View):
    """A view of some rows."""

    rows: RowChoice = 4
    """Which rows: how many validation rows, `{validation: 8}` or `{training: 8}`, a list of row
    numbers, or a file of new rows, such as a picture. Test rows are shown only if you name their
    file."""
