"""Trained bases, the phases that freeze them, and pictures in the range that they expect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from dlrun.checks.check import BOOK, check
from dlrun.checks.finding import Finding, put
from dlrun.checks.views import ConfigView
from dlrun.config.graph import layer_graph
from dlrun.config.layer_calls import LayerCall
from dlrun.config.schema import Config, Phase
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent


def pretrained(config: Config) -> list[LayerCall]:
    """Return the models with trained weights that are layers of the config's model."""
    return [
        node
        for node in layer_graph(config.architecture, config.blocks).nodes
        if node.calls == node.name and _has_weights(node)
    ]


def touches(patterns: Sequence[str], model: str) -> bool:
    """Whether one of the patterns may mean a nested model or a layer of it."""
    return any(
        pattern == model
        or pattern.startswith(f"{model}.")
        or fnmatchcase(model, pattern)
        or fnmatchcase(f"{model}.layer", pattern)
        for pattern in patterns
    )


@dataclass(frozen=True)
class RatedPhase:
    """A phase with the optimizer that it is trained with.

    Args:
        phase: The phase.
        number: Counted from 0.
        optimizer: Its optimizer, learning rate included.
        rate: The learning rate, or None where it follows a schedule.
    """

    phase: Phase
    number: int
    optimizer: KerasComponent
    rate: float | None


def rated_phases(config: Config) -> Iterator[RatedPhase]:
    """Yield each phase with its optimizer and learning rate."""
    for number, phase in enumerate(config.training.phases):
        optimizer = phase.optimizer or config.optimizer
        if phase.learning_rate is not None:
            given = {**optimizer.arguments, "learning_rate": phase.learning_rate}
            optimizer = replace(optimizer, arguments=given)
        known = catalogue.entry("optimizer", optimizer.name)
        argument = known.argument("learning_rate") if known else None
        rate = optimizer.arguments.get("learning_rate", argument.default if argument else None)
        yield RatedPhase(
            phase, number, optimizer, float(rate) if isinstance(rate, int | float) else None
        )


def _has_weights(node: LayerCall) -> bool:
    model = node.entry.application
    if model is not None:
        return model.arguments.get("weights", "imagenet") is not None
    return node.entry.run is not None


_SCALING_STEPS = frozenset({"rescale", "standardize", "minmax"})

_SCALING_LAYERS = frozenset({"Rescaling", "Normalization", "BatchNormalization"})


@check(
    "DL019",
    severity="error",
    why="the model expects pixels from 0 to 255; from 0 to 1 every picture looks almost black to "
    "it",
    source=BOOK + "5.3",
    instead="remove the rescaling, or set `preprocess_input: false` in the application",
    fault="""
    dataset: {source: keras, name: cifar10}
    preprocess: [{rescale: 1/255}]
    architecture:
      layers:
        - application: {MobileNetV2: {include_top: false, pooling: avg}}
        - Dense: {units: 10, activation: softmax}
    """,
    fix="""
    preprocess: []
    """,
)
def pixels_scaled_twice(view: ConfigView) -> Iterator[Finding]:
    """Pixels are rescaled before a model of `keras.applications` that prepares them itself."""
    graph = layer_graph(view.config.architecture, view.config.blocks)
    scaled = next(
        (s.member_name() for s in view.config.preprocess if s.member_name() in _SCALING_STEPS),
        None,
    )
    for node in graph.nodes:
        model = node.entry.application
        if model is None or model.arguments.get("preprocess_input", True) is False:
            continue
        above = graph.node(node.sources[0]) if node.sources else None
        layer = above.entry.layer if above else None
        by = layer.alias if layer and layer.name in _SCALING_LAYERS else None
        if above is None and scaled is not None:
            by = f"the step {scaled}"
        if by is not None:
            message = f"{by} scales the pixels, and {model.alias} scales them again"
            yield Finding(message, node.entry.path)


@check(
    "DL041",
    why="the large errors of a random head flow back and destroy what the base had learnt",
    source=BOOK + "5.3.2",
    instead="freeze the base in a first phase, until the head is trained",
    fault="""
    architecture:
      layers:
        - application: {MobileNetV2: {include_top: false, pooling: avg}}
        - Dense: {units: 10, activation: softmax}
    training: {epochs: 5}
    """,
    fix="""
    training: {phases: [{epochs: 5, freeze: mobilenetv2}]}
    """,
)
def random_head(view: ConfigView) -> Iterator[Finding]:
    """A pretrained base is trained together with a head of random weights."""
    config = view.config
    graph = layer_graph(config.architecture, config.blocks)
    first = config.training.all_phases[0]
    arguments = [getattr(node.entry.layer, "arguments", {}) for node in graph.nodes]
    if not any({"units", "filters"} & given.keys() for given in arguments):
        return
    for node in pretrained(config):
        if not touches([*first.freeze, *first.unfreeze], node.name):
            epochs = config.training.epochs
            advice = (
                f"training: {{phases: [{{epochs: {epochs}, freeze: {node.name}}}]}}"
                if not config.training.phases
                else f"freeze: {node.name} (in the first phase)"
            )
            yield Finding(
                f"'{node.name}' comes with trained weights, and is trained together with "
                "layers that begin at random",
                node.entry.path,
                advice=advice,
            )


_MOST_TUNING = {"SGD": 1e-2, "Adadelta": 1e-1, "Adagrad": 1e-2, "Ftrl": 1e-2}

_MOST_TUNING_ADAPTIVE = 1e-4
"""The book uses 1e-5 with RMSprop."""


@check(
    "DL042",
    why="large updates damage the representations that fine-tuning should only adjust",
    source=BOOK + "5.3.2",
    instead="use a learning rate of 1e-5",
    fault="""
    architecture:
      layers:
        - application: {MobileNetV2: {include_top: false, pooling: avg}}
        - Dense: {units: 10, activation: softmax}
    training:
      phases:
        - {epochs: 5, freeze: mobilenetv2}
        - {epochs: 5, unfreeze: mobilenetv2, learning_rate: 0.01}
    """,
    fix="""
    training:
      phases:
        - {epochs: 5, freeze: mobilenetv2}
        - {epochs: 5, unfreeze: mobilenetv2, learning_rate: 1.0e-5}
    """,
)
def fine_tuning_rate(view: ConfigView) -> Iterator[Finding]:
    """Fine-tuning with a learning rate meant for fresh weights."""
    names = [node.name for node in pretrained(view.config)]
    for each in rated_phases(view.config):
        tuned = [name for name in names if touches(each.phase.unfreeze, name)]
        most = _MOST_TUNING.get(each.optimizer.name, _MOST_TUNING_ADAPTIVE)
        if not tuned or each.rate is None or each.rate <= most:
            continue
        path = each.phase.path
        if each.phase.learning_rate is not None:
            path = (*path, "learning_rate")
        yield Finding(
            f"'{tuned[0]}' is fine-tuned with a learning rate of {each.rate:g}; at most "
            f"{most:g} is usual with {each.optimizer.alias}",
            path,
            advice=f"learning_rate: {most / 10:.10f}".rstrip("0"),
        )


@check(
    "DL043",
    why="the phase trains the same layers as the one before it",
    source="Keras, keras.io/guides/transfer_learning",
    instead="freeze in an earlier phase what a later one unfreezes",
    fault="""
    architecture:
      layers:
        - {Dense: {units: 64, activation: relu}, name: first}
        - Dense: {units: 10, activation: softmax}
    training: {phases: [{epochs: 5}, {epochs: 5, unfreeze: first}]}
    """,
    fix="""
    training: {phases: [{epochs: 5, freeze: first}, {epochs: 5, unfreeze: first}]}
    """,
)
def phase_without_effect(view: ConfigView) -> Iterator[Finding]:
    """A phase that freezes what is already frozen, or unfreezes what is not."""
    frozen: list[str] = []
    anything = _frozen_by_arguments(view)
    for phase in view.config.training.phases:
        for number, pattern in enumerate(phase.freeze):
            if pattern in frozen:
                message = f"an earlier phase has already frozen '{pattern}'"
                yield Finding(message, (*phase.path, "freeze", number))
            frozen.append(pattern)
        anything = anything or bool(frozen)
        for number, pattern in enumerate(phase.unfreeze):
            if not anything:
                message = f"'{pattern}' is unfrozen, but nothing was frozen before"
                yield Finding(message, (*phase.path, "unfreeze", number))
        if phase.unfreeze:
            # What is left of a pattern that is partly unfrozen can be frozen again.
            frozen.clear()


def _frozen_by_arguments(view: ConfigView) -> bool:
    """Whether a layer may be frozen before the first phase."""
    graph = layer_graph(view.config.architecture, view.config.blocks)
    for node in graph.nodes:
        model = node.entry.layer or node.entry.application
        if node.entry.run is not None or node.entry.block is not None:
            return True
        if model is not None and model.arguments.get("trainable", True) is False:
            return True
    return False


_SCALING_STEPS = frozenset({"rescale", "standardize", "minmax"})

_RANGE = "value_range"


@check(
    "DL044",
    why="its strength is a share of `value_range`, by default 0 to 255, so it swamps pictures "
    "with pixels from 0 to 1",
    source="Keras, keras.io/api/layers/preprocessing_layers",
    instead="set the range of the pixels: `value_range: [0, 1]`",
    fault="""
    dataset: {source: keras, name: cifar10}
    preprocess: [{rescale: 1/255}]
    augment: [{RandomBrightness: 0.2}]
    architecture: {layers: [Flatten, {Dense: {units: 10, activation: softmax}}]}
    """,
    fix="""
    augment: [{RandomBrightness: {factor: 0.2, value_range: [0, 1]}}]
    """,
)
def augmentation_expects_other_pixels(view: ConfigView) -> Iterator[Finding]:
    """An augmentation of brightness or colour that expects pixels of another range."""
    steps = [step.member_name() for step in view.config.preprocess]
    scaling = next((step for step in steps if step in _SCALING_STEPS), None)
    augment = view.config.augment
    lists = [augment] if isinstance(augment, list) else augment.values()
    if scaling is None:
        return
    for layer in (layer for layers in lists for layer in layers):
        known = catalogue.entry("layer", layer.name)
        argument = known.argument(_RANGE) if known and _RANGE not in layer.arguments else None
        if argument is not None and list(argument.default or ()) == [0, 255]:
            yield Finding(
                f"{layer.alias} expects pixels from 0 to 255, but the step {scaling} changes "
                "their scale",
                layer.path,
            )


@check(
    "DL045",
    why="frozen weights never change, and random weights pass on next to nothing",
    source=BOOK + "5.3.1",
    instead="load pretrained weights, or do not freeze the base",
    fault="""
    architecture:
      layers:
        - application: {MobileNetV2: {weights: null, include_top: false, pooling: avg}}
        - Dense: {units: 10, activation: softmax}
    training: {phases: [{epochs: 5, freeze: mobilenetv2}]}
    """,
    fix="""
    architecture:
      layers:
        - application: {MobileNetV2: {include_top: false, pooling: avg}}
        - Dense: {units: 10, activation: softmax}
    """,
)
def frozen_random_base(view: ConfigView) -> Iterator[Finding]:
    """A base without pretrained weights that is frozen."""
    config = view.config
    first = config.training.all_phases[0]
    for node in layer_graph(config.architecture, config.blocks).nodes:
        model = node.entry.application
        if model is None or model.arguments.get("weights", "imagenet") is not None:
            continue
        if not touches(first.freeze, node.name):
            continue
        path = (*node.entry.path, "application", model.alias, "weights")
        yield Finding(
            f"'{node.name}' starts with random weights (`weights: null`), and the first phase "
            "freezes them",
            path,
            put(path, "imagenet"),
        )
