"""What to try next, as `--set` texts that fit the run's own config.

In the order of *Deep Learning with Python*, sections 4.4 and 4.5: more capacity until the model
overfits; then dropout, weight regularization, a smaller network, more data, and fewer epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.config.calls import MERGING
from dlrun.config.yaml_writer import in_line
from dlrun.registry import catalogue
from dlrun.text import figure

MOST = 3
"""Suggestions at most: what to try next, not everything there is."""

SIZES = {
    "Dense": "units", "LSTM": "units", "GRU": "units", "SimpleRNN": "units",
    "Conv1D": "filters", "Conv2D": "filters", "SeparableConv2D": "filters",
}  # fmt: skip
"""Layers whose size is one argument."""

FAR_ABOVE = 10.0
"""A learning rate above this many times Keras' default is set back to the default at once."""

FEWEST_EPOCHS = 20
"""More epochs are at least this many: twice a few is still a few."""

MOST_DROPOUT = 0.5
BESIDE_A_LAYER = ("name", "from", "repeat", "vectors", "use")


OF_EQUAL_SHAPES = MERGING - {"Concatenate"}
"""Layers that take inputs of equal shapes."""


@dataclass(frozen=True)
class Suggestion:
    """One change to try.

    Args:
        text: What it does, a few words.
        set: `KEY=VALUE` texts, each after a `--set`.
    """

    text: str
    set: tuple[str, ...]


@dataclass(frozen=True)
class _Layer:
    """One entry of `architecture.layers`: its index, Keras' name, the alias and the arguments."""

    index: int
    name: str
    alias: str
    arguments: Mapping[str, Any]

    def path(self, argument: str) -> str:
        return f"architecture.layers.{self.index}.{self.alias}.{argument}"

    @property
    def can_be_penalized(self) -> bool:
        known = catalogue.entry("layer", self.name)
        return known is not None and known.argument("kernel_regularizer") is not None

    @property
    def size(self) -> int | None:
        argument = SIZES.get(self.name)
        value = self.arguments.get(argument) if argument else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def suggest(
    kinds: Sequence[str], config: Mapping[str, Any], best_epoch: int | None
) -> list[Suggestion]:
    """Return at most three changes to try.

    Args:
        kinds: What the diagnosis found, the most serious first.
        config: The config as plain data, every default filled in.
        best_epoch: The epoch with the best validation score, or None.
    """
    makers = {
        "diverged": lambda: _against_divergence(config),
        "no_signal": lambda: [*_other_rate(config, 0.1), *_more_capacity(config)],
        "overfitting": lambda: _against_overfitting(config, best_epoch),
        "still_improving": lambda: _more_epochs(config),
        "underfitting": lambda: [*_more_capacity(config), *_more_epochs(config)],
        "noisy": lambda: _against_noise(config),
        "constant": list,
    }
    # While it improves, a smaller rate would only make it slower.
    slower: list[Suggestion] = []
    if "still_improving" in kinds:
        slower = [s for factor in (0.1, 0.5) for s in _other_rate(config, factor)]
    found: list[Suggestion] = []
    for kind in sorted(kinds, key=lambda kind: kind != "still_improving"):
        found += [s for s in makers[kind]() if s not in (*found, *slower)]
    return found[:MOST]


def simpler_model(result: Mapping[str, Any], config: Mapping[str, Any]) -> list[Suggestion]:
    """Return that a linear model is worth a try, where a simple model, or the last value of a
    series, is better by more than chance.

    Args:
        result: `simple_model`, `baseline` and `verdict`, as `result.json` holds them.
        config: The config as plain data, every default filled in.
    """
    simple, baseline = result.get("simple_model") or {}, result.get("baseline") or {}
    of_simple, of_baseline = simple.get("verdict") or {}, result.get("verdict") or {}
    series = config["dataset"].get("source") == "timeseries"
    if of_simple.get("beats_simple_model") is False:
        name, lost = str(simple["name"]).partition(" on ")[0], of_simple.get("difference")
    elif series and baseline.get("others") and of_baseline.get("beats_baseline") is False:
        name, lost = str(baseline["name"]), of_baseline.get("difference")
    else:
        return []
    changed = _linear(config, flat=series)
    if changed is None or not isinstance(lost, (int, float)):
        return []
    text = f"{name} is {figure(abs(lost))} better: a linear model"
    text += ", or predict the change of the series from row to row" if series else ""
    return [Suggestion(text, (changed,))]


def _linear(config: Mapping[str, Any], *, flat: bool) -> str | None:
    """The override that leaves no layer before the last one; None where that changes nothing, or
    layers refer to each other by name."""
    entries = config["architecture"].get("layers") or []
    sized = _sized(config)
    refers = any(isinstance(e, dict) and {"from", "use", "name"} & e.keys() for e in entries)
    if len(sized) < 2 or refers or config.get("blocks") or sized[-1].name != "Dense":
        return None
    if any(layer.name == "Embedding" for layer in _layers(config)) or _has_base(config):
        return None
    flatten = flat or any(layer.name != "Dense" for layer in sized)
    flatten = flatten or any(layer.name == "Flatten" for layer in _layers(config))
    last = [_without_defaults(entry) for entry in entries[sized[-1].index :]]
    return f"architecture.layers={in_line([*(['Flatten'] if flatten else []), *last])}"


def planned_epochs(config: Mapping[str, Any]) -> int:
    """Return for how many epochs a config trains, those of all phases together.

    Args:
        config: The config as plain data, every default filled in.
    """
    if phases := _phases(config):
        return sum(int(phase["epochs"]) for phase in phases)
    return int(config["training"]["epochs"])


def _phases(config: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return config["training"].get("phases") or []


def _against_overfitting(config: Mapping[str, Any], best_epoch: int | None) -> list[Suggestion]:
    found = [*_dropout(config), *_weight_penalty(config), *_smaller(config)]
    if config["dataset"].get("limit") is not None:
        found.append(Suggestion("all rows", ("dataset.limit=null",)))
    fewer = _fewer_epochs(config, best_epoch)
    return found[:MOST] if fewer is None else [*found[: MOST - 1], fewer]


def _fewer_epochs(config: Mapping[str, Any], best_epoch: int | None) -> Suggestion | None:
    """As many epochs as were best, of the phase that has the best one where there are phases."""
    phases = _phases(config)
    sections = [config["training"], *phases]
    names = [_name_of(entry) for part in sections for entry in part.get("callbacks") or []]
    if best_epoch in (None, planned_epochs(config)) or "EarlyStopping" in names:
        return None
    if not phases:
        return Suggestion("stop at the best epoch", (f"training.epochs={best_epoch}",))
    before = 0
    for number, phase in enumerate(phases):
        best, before = (best_epoch or 0) - before, before + int(phase["epochs"])
        if best < int(phase["epochs"]):
            change = f"training.phases.{number}.epochs={best}"
            return Suggestion(f"stop phase {number + 1} at its best epoch", (change,))
        if best == int(phase["epochs"]):
            return None
    return None


def _more_capacity(config: Mapping[str, Any]) -> Iterator[Suggestion]:
    hidden = _sizable(config)
    if hidden:
        bigger = tuple(_resized(layer, 2 * (layer.size or 1)) for layer in hidden)
        yield Suggestion("larger layers, until the model overfits", bigger)
    dense = {"Dense": {"units": 64, "activation": "relu"}}
    if (changed := _with_inserted(config, dense)) is not None:
        yield Suggestion("one more layer", (changed,))


def _more_epochs(config: Mapping[str, Any]) -> Iterator[Suggestion]:
    if phases := _phases(config):
        last = len(phases) - 1
        epochs = 2 * int(phases[last]["epochs"])
        change = f"training.phases.{last}.epochs={epochs}"
        yield Suggestion("more epochs in the last phase", (change,))
        return
    epochs = max(FEWEST_EPOCHS, 2 * int(config["training"]["epochs"]))
    yield Suggestion("more epochs", (f"training.epochs={epochs}",))


def _dropout(config: Mapping[str, Any]) -> Iterator[Suggestion]:
    rates = [layer for layer in _layers(config) if layer.name == "Dropout"]
    weak = [layer for layer in rates if _rate(layer) < MOST_DROPOUT]
    if weak:
        changes = tuple(
            f"{layer.path('rate')}={min(MOST_DROPOUT, round(_rate(layer) + 0.2, 2))}"
            for layer in weak
        )
        yield Suggestion("stronger dropout", changes)
    elif not rates and (_hidden(config) or _has_base(config)):
        changed = _with_inserted(config, {"Dropout": MOST_DROPOUT})
        if changed is not None:
            yield Suggestion("dropout before the last layer", (changed,))


def _weight_penalty(config: Mapping[str, Any]) -> Iterator[Suggestion]:
    free = [
        layer
        for layer in _hidden(config) or (_sized(config) if _has_base(config) else [])
        if "kernel_regularizer" not in layer.arguments and layer.can_be_penalized
    ]
    if free:
        changes = tuple(f"{layer.path('kernel_regularizer')}={{L2: 0.001}}" for layer in free)
        yield Suggestion("L2 weight regularization", changes)


def _smaller(config: Mapping[str, Any]) -> Iterator[Suggestion]:
    large = [layer for layer in _sizable(config) if (layer.size or 0) >= 8]
    if large:
        changes = tuple(_resized(layer, (layer.size or 0) // 2) for layer in large)
        yield Suggestion("a smaller network", changes)


def _against_divergence(config: Mapping[str, Any]) -> Iterator[Suggestion]:
    yield from _other_rate(config, 0.1)
    optimizer = _name_of(config["optimizer"])
    arguments = _arguments_of(config["optimizer"])
    clips = any(arguments.get(name) for name in ("clipnorm", "clipvalue", "global_clipnorm"))
    # The loop that is there to be read clips nothing.
    if not clips and config["training"].get("engine") != "naive":
        yield Suggestion("clipped gradients", (f"optimizer.{optimizer}.clipnorm=1.0",))
    steps = config.get("preprocess") or []
    names = [_name_of(step) for step in steps]
    if not names or set(names) <= {"impute", "one_hot", "ordinal", "log1p", "clip", "targets"}:
        changed = in_line([*steps, "standardize"])
        if "one_hot" in names:
            changed = in_line(_before(steps, names.index("one_hot"), "standardize"))
        yield Suggestion("standardized inputs", (f"preprocess={changed}",))


def _other_rate(config: Mapping[str, Any], factor: float) -> Iterator[Suggestion]:
    optimizer = _name_of(config["optimizer"])
    rate = _arguments_of(config["optimizer"]).get("learning_rate")
    if isinstance(rate, (int, float)) and rate > 0:
        word = "smaller" if factor < 1 else "larger"
        known = catalogue.entry("optimizer", optimizer)
        defaults = {one.name: one.default for one in known.arguments} if known else {}
        usual, changed = defaults.get("learning_rate"), rate * factor
        if isinstance(usual, (int, float)) and factor < 1 and rate > FAR_ABOVE * usual:
            changed = float(usual)
        change = f"optimizer.{optimizer}.learning_rate={changed:.3g}"
        yield Suggestion(f"a {word} learning rate", (change,))


def _against_noise(config: Mapping[str, Any]) -> Iterator[Suggestion]:
    if config["evaluation"]["protocol"] == "holdout":
        # The options of a hold-out do not fit folds: all of the section is given.
        kept = {k: v for k, v in config["evaluation"].items() if k in ("groups", "score")}
        if config["evaluation"].get("time") is None:
            changed = in_line({"protocol": "kfold", "folds": 5, **kept})
            yield Suggestion("a score on all rows, by K-fold", (f"evaluation={changed}",))
    size = 2 * int(config["training"]["batch_size"])
    yield Suggestion("larger batches", (f"training.batch_size={size}",))
    yield from _other_rate(config, 0.5)


def _layers(config: Mapping[str, Any]) -> list[_Layer]:
    found = []
    for index, entry in enumerate(config["architecture"].get("layers") or []):
        alias = _name_of(entry)
        known = catalogue.entry("layer", alias) if alias else None
        if known is not None:
            found.append(_Layer(index, known.name, alias, _arguments_of(entry)))
    return found


def _sized(config: Mapping[str, Any]) -> list[_Layer]:
    return [layer for layer in _layers(config) if layer.size is not None]


def _hidden(config: Mapping[str, Any]) -> list[_Layer]:
    """Layers of a known size, but those that give the answers: their sizes are settled."""
    sized = _sized(config)
    outputs = config["architecture"].get("outputs") or []
    outputs = [outputs] if isinstance(outputs, str) else outputs
    if not outputs:
        return sized[:-1]
    entries = config["architecture"]["layers"]
    return [layer for layer in sized if entries[layer.index].get("name") not in outputs]


def _has_base(config: Mapping[str, Any]) -> bool:
    """Whether there is a model that was trained before, or made elsewhere."""
    entries = config["architecture"].get("layers") or []
    return any(
        isinstance(entry, dict) and {"application", "run"} & entry.keys() for entry in entries
    )


def _sizable(config: Mapping[str, Any]) -> list[_Layer]:
    """Hidden layers whose size can be changed alone: none where layers of equal shapes merge, or
    where an entry is used again."""
    entries = config["architecture"].get("layers") or []
    used_again = any(isinstance(entry, dict) and "use" in entry for entry in entries)
    merging = any(layer.name in OF_EQUAL_SHAPES for layer in _layers(config))
    return [] if used_again or merging else _hidden(config)


def _with_inserted(config: Mapping[str, Any], layer: Any) -> str | None:
    """The override that puts a layer before the last one with weights; None where layers refer
    to each other by name."""
    entries = config["architecture"].get("layers") or []
    sized = _sized(config)
    refers = any(isinstance(e, dict) and {"from", "use"} & e.keys() for e in entries)
    if not sized or refers or config.get("blocks"):
        return None
    short = [_without_defaults(entry) for entry in entries]
    return f"architecture.layers={in_line(_before(short, sized[-1].index, layer))}"


def _without_defaults(entry: Any) -> Any:
    """An entry as one would write it by hand."""
    alias = _name_of(entry)
    known = catalogue.entry("layer", alias) if isinstance(entry, dict) and alias else None
    if known is None:
        return entry
    defaults = {argument.name: argument.default for argument in known.arguments}
    arguments = {
        name: value
        for name, value in _arguments_of(entry).items()
        if name not in defaults or value != defaults[name]
    }
    beside = {key: entry[key] for key in BESIDE_A_LAYER if key in entry}
    return {alias: arguments, **beside} if arguments or beside else alias


def _before(entries: Sequence[Any], index: int, entry: Any) -> list[Any]:
    return [*entries[:index], entry, *entries[index:]]


def _resized(layer: _Layer, size: int) -> str:
    return f"{layer.path(SIZES[layer.name])}={size}"


def _rate(layer: _Layer) -> float:
    rate = layer.arguments.get("rate")
    return float(rate) if isinstance(rate, (int, float)) else 1.0


def _name_of(entry: Any) -> str:
    """The name of a component in any spelling; empty where it has none."""
    if isinstance(entry, str):
        return entry
    names = [key for key in entry if key not in BESIDE_A_LAYER] if isinstance(entry, dict) else []
    return names[0] if names and isinstance(names[0], str) else ""


def _arguments_of(entry: Any) -> Mapping[str, Any]:
    value = entry.get(_name_of(entry)) if isinstance(entry, dict) else None
    return value if isinstance(value, dict) else {}
