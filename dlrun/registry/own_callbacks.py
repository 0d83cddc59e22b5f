"""dlrun's own callbacks: a file each, named in the config like a class of Keras."""

from __future__ import annotations

import importlib.util
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from dlrun.registry.keras_component import Argument, CatalogueEntry, accepted_by

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from dlrun.registry.component import Component

PACKAGE = "dlrun.training.own_callbacks"
BASE = "dlrun.training.own_callback.OwnCallback"


def own_callback_names() -> list[str]:
    """Return the names of dlrun's own callbacks as a config writes them, sorted."""
    return sorted(_files())


def own_callback(name: str) -> type[Component] | None:
    """Return the class with the options of a callback of dlrun's own, or None where it is none."""
    if (file := _files().get(name)) is None:
        return None
    # Lists of runs ask for names alone, and do without what typed options cost to import.
    from dlrun.registry.families import Family

    return Family("callback", PACKAGE, BASE).get(file)


@cache
def own_callback_entry(name: str) -> CatalogueEntry | None:
    """Return what is known of a callback of dlrun's own, or None where it is none."""
    member = own_callback(name)
    if member is None:
        return None
    arguments = tuple(_argument(*field) for field in member.model_fields.items())
    summary = (member.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return CatalogueEntry("callback", name, arguments=arguments, summary=summary)


@cache
def _files() -> dict[str, str]:
    """Each name with its file: `ActivationLogger` is in `activation_logger`."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    files = [module.name for module in pkgutil.iter_modules(spec.submodule_search_locations)]
    return {"".join(word.capitalize() for word in file.split("_")): file for file in files}


def _argument(name: str, field: FieldInfo) -> Argument:
    import annotated_types

    bounds = [bound.ge for bound in field.metadata if isinstance(bound, annotated_types.Ge)]
    extra = field.json_schema_extra
    declared = extra.get("accepts") if isinstance(extra, dict) else None
    return Argument(
        name=name,
        required=field.is_required(),
        default=None if field.is_required() else field.default,
        has_plain_default=not field.is_required(),
        accepts=tuple(str(declared).split("|")) if declared else accepted_by(field.annotation),
        minimum=float(str(bounds[0])) if bounds else None,
        choices=_choices(field.annotation),
        doc=" ".join((field.description or "").split()),
    )


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()
