"""Reading the sections of a config as their typed fields say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from dlrun.config.components import read_chosen, read_member
from dlrun.config.document import Reporter
from dlrun.config.grammar import MemberShape, shapes_of
from dlrun.config.keras_components import read_component
from dlrun.config.measures import check_files, check_monitor, check_score
from dlrun.config.messages import describe, found, list_of
from dlrun.config.schema import CHOSEN_PROTOCOL, Config, Evaluation, Training
from dlrun.config.shapes import Either, Entries, Items, KerasShape, Keys, OutputsShape, Shape
from dlrun.config.unknown_keys import UnknownKeys
from dlrun.config.validation import Unknown, advice, validate
from dlrun.errors import KeyPath
from dlrun.registry.component import Section
from dlrun.registry.families import PROTOCOLS, finding_codes
from dlrun.registry.keras_component import TITLES, KerasComponent
from dlrun.registry.names import did_you_mean
from dlrun.text import listed

S = TypeVar("S", bound=Section)

AUGMENTING = (
    "AugMix",
    "GaussianDropout",
    "GaussianNoise",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
)
"""Layers that change their input at random while training and give it back as it is elsewhere."""

_USUAL = ("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast")

OF_ANY_INPUT = frozenset({"GaussianDropout", "GaussianNoise"})
"""Those of them that take other inputs than pictures."""

_INSTEAD = {
    "MixUp": "it mixes targets as well, which a layer of the model does not see",
    "CutMix": "it mixes targets as well, which a layer of the model does not see",
    "RandomCrop": "it crops validation pictures too; put it first in `architecture: {layers: ...}`",
}
_EVERYWHERE = "it changes validation rows too; put it under `architecture: {layers: ...}`"


class SectionReader:
    """Reads sections, and the components in them.

    Attributes:
        components: Every component of Keras that was read, in the order of the config.
    """

    def __init__(self, report: Reporter) -> None:
        self.report = report
        self.components: list[KerasComponent] = []

    def section(
        self,
        section: type[S],
        value: Mapping[Any, Any],
        path: KeyPath,
        *,
        unknown: Unknown | None = None,
        filled_in: Mapping[str, Any] | None = None,
    ) -> S | None:
        """Read a section, or report all that is wrong with it and return None.

        Args:
            section: Its class.
            value: What the config holds there, canonical plain data.
            path: Where it is.
            unknown: Reports a key that the section does not have.
            filled_in: Values of fields that are no keys.
        """
        before, values, refused = len(self.report), dict[Any, Any](), list[str]()
        shapes = shapes_of(section)
        for key, given in value.items():
            shape = shapes.get(key)
            if shape is not None and _holds_components(shape) and given is not None:
                reported = len(self.report)
                values[key] = self.value(shape, given, (*path, key))
                if len(self.report) > reported:
                    refused.append(key)
            elif given is not None or not isinstance(shape, Items | Entries | Keys):
                # A list or mapping of which nothing is written is not given.
                values[key] = given
        if "path" in section.model_fields and "path" not in section.options():
            filled_in = {"path": path, **(filled_in or {})}
        read = validate(
            section,
            values,
            path,
            self.report,
            unknown=unknown,
            reported=refused,
            filled_in=filled_in or {},
        )
        return read if len(self.report) == before else None

    def value(self, shape: Shape, value: Any, path: KeyPath) -> Any:
        """Read a value of which `shape` is expected; wrong entries are left out of a list."""
        shape = shape.of(value)
        if isinstance(shape, Items):
            return self._items(shape, value, path)
        if isinstance(shape, KerasShape):
            component = read_component(shape.kinds[0], value, path, self.report)
            self.components += [] if component is None else [component]
            return component
        if isinstance(shape, MemberShape) and value is None and len(path) == 1:
            return None
        if isinstance(shape, MemberShape):
            return read_member(shape.family, value, path, self.report)
        if isinstance(shape, Keys) and isinstance(value, dict):
            return self.section(shape.section, value, path)
        if isinstance(shape, Keys):
            what = f"for '{path[-1]}'" if isinstance(path[-1], str) else f"in '{path[-2]}'"
            expected = describe(shape.section)
            self.report(path, f"wrong value {what}", expected=expected, found=found(value))
            return None
        if isinstance(shape, Entries) and isinstance(value, dict):
            return {k: self.value(shape.each, v, (*path, k)) for k, v in value.items()}
        return value

    def _items(self, shape: Items, value: Any, path: KeyPath) -> list[Any]:
        if not isinstance(value, list):
            self.report.wrong(path, value, list_of(_noun(shape.item)))
            return []
        read = [self.value(shape.item, each, (*path, i)) for i, each in enumerate(value)]
        return [each for each in read if each is not None]


def _holds_components(shape: Shape) -> bool:
    """Whether a value is more than pydantic reads: components, or sections with some in them."""
    if isinstance(shape, Items | Entries | OutputsShape):
        return _holds_components(shape.item if isinstance(shape, Items) else shape.each)
    if isinstance(shape, Either):
        return any(map(_holds_components, shape.options))
    if isinstance(shape, Keys):
        return any(map(_holds_components, shape.fields.values()))
    return isinstance(shape, KerasShape | MemberShape)


def _noun(shape: Shape) -> str:
    """What an entry of a list is."""
    if isinstance(shape, KerasShape):
        return TITLES[shape.kinds[0]].split(" ", 1)[1]
    if isinstance(shape, Items):
        return "list"
    if isinstance(shape, MemberShape):
        return shape.family.title
    return shape.section.__name__.lower() if isinstance(shape, Keys) else "step"


def read_training(
    value: Any, metrics: list[KerasComponent] | None, report: Reporter
) -> Training | None:
    """Read `training`; `metrics` are those of the config, None where they cannot be known
    because of problems of their own."""
    options = _options("training", value, report)
    if options is None:
        return None
    before, reader = len(report), SectionReader(report)
    if options.get("phases") and "epochs" in options:
        if options["epochs"] is not None:
            report(
                ("training", "epochs"),
                "'epochs' and 'phases' exclude each other",
                hint="give each phase its own epochs, and remove it here; `epochs: null` where "
                "another file gives it",
                on_key=True,
            )
        options = {key: option for key, option in options.items() if key != "epochs"}
    unknown = UnknownKeys(report, "training", list(Training.options()))
    training = reader.section(Training, options, ("training",), unknown=unknown)
    for callback in reader.components:
        if callback.kind == "callback":
            check_files(callback, report)
            if metrics is not None:
                check_monitor(callback, metrics, report)
    if training is not None:
        names = [phase.name for phase in training.phases]
        for number, name in enumerate(names):
            if name is not None and name in names[:number]:
                place = (*training.phases[number].path, "name")
                report(place, f"two phases are named '{name}'")
    return training if len(report) == before else None


def read_evaluation(
    value: Any, metrics: list[KerasComponent] | None, output: str | None, report: Reporter
) -> Evaluation | None:
    """Read `evaluation`; `metrics` are those of the config, None where they cannot be known
    because of problems of their own, and `output` is the name of its only output, if it has one."""
    options = _options("evaluation", value, report)
    if options is None:
        return None
    beside = [key for key in Evaluation.options() if key != CHOSEN_PROTOCOL.key]
    protocol = read_chosen(CHOSEN_PROTOCOL, "evaluation", options, report, *beside)
    if metrics is None:
        return None
    score = check_score(options.get("score"), metrics, report, output)
    given = {key: options[key] for key in beside if key in options} | {"score": score}
    if protocol is None:
        return None
    return validate(Evaluation, {**given, "protocol": protocol}, ("evaluation",), report)


def read_augment(
    value: Any, report: Reporter
) -> list[KerasComponent] | dict[str, list[KerasComponent]] | None:
    """Read `augment`: a list of layers, or a mapping from inputs to such lists."""
    if value is None:
        return None
    reader = SectionReader(report)
    read = reader.value(shapes_of(Config)["augment"], value, ("augment",))
    for layer in reader.components:
        if layer.name not in AUGMENTING:
            report(
                layer.path,
                f"{layer.alias} is not an augmentation layer",
                expected=f"a layer such as {listed(_USUAL, 'or')}",
                hint=_INSTEAD.get(layer.name, _EVERYWHERE),
                on_key=True,
            )
    augment: list[KerasComponent] | dict[str, list[KerasComponent]] = read
    return augment


def read_ignore(value: Any, report: Reporter) -> list[str]:
    """Read `ignore`: one code of a finding, or a list of them."""
    known, codes = finding_codes(), list[str]()
    for index, code in enumerate(value if isinstance(value, list) else [value]):
        path = ("ignore", index) if isinstance(value, list) else ("ignore",)
        if code in known:
            codes.append(code)
        elif isinstance(code, str):
            report(
                path,
                f"unknown finding '{code}'{did_you_mean(code, known)}",
                hint="`dlrun check` shows the code of every finding",
            )
        elif value is not None:
            expected = "codes of findings, such as [DL012]"
            report(path, "wrong value for 'ignore'", expected=expected, found=found(code))
    return codes


def _options(section: str, value: Any, report: Reporter) -> dict[Any, Any] | None:
    """The entries of a section that may be left out; None where it is no mapping."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    hint = advice(value, [dict])
    if section == "evaluation" and value in PROTOCOLS.names():
        hint = f"write `evaluation: {{protocol: {value}}}`"
    report.wrong((section,), value, "a mapping from options to values", hint)
    return None
