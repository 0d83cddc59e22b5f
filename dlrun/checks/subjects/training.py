"""Learning rate, batches, order, score and the callbacks that act between epochs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress

from dlrun.checks.check import BOOK, check
from dlrun.checks.finding import Finding, argument_of, put
from dlrun.checks.views import ConfigView
from dlrun.config.keras_components import metric_names
from dlrun.config.schema import Config
from dlrun.metrics.names import direction
from dlrun.registry import catalogue
from dlrun.registry.keras_component import KerasComponent
from dlrun.registry.names import closest
from dlrun.training.callbacks import CHECKPOINTS, DEFAULT_MONITOR, MONITORING


def monitoring_callbacks(config: Config) -> list[KerasComponent]:
    """Return the callbacks that stop, change the learning rate, or keep the best model."""
    return [
        callback
        for callback in config.training.every_callback
        if callback.name in MONITORING
        or (callback.name in CHECKPOINTS and callback.arguments.get("save_best_only"))
    ]


def monitor_of(callback: KerasComponent) -> str:
    """Return the metric that a callback monitors."""
    return str(callback.arguments.get("monitor", DEFAULT_MONITOR))


def holds_nothing_out(config: Config) -> bool:
    """Whether every row before the test is trained on."""
    return bool(getattr(config.evaluation.protocol, "holds_nothing_out", False))


_USUAL_RATES = {
    "SGD": (1e-4, 1.0),
    "Adadelta": (1e-3, 2.0),
    "Adagrad": (1e-4, 1.0),
    "Ftrl": (1e-4, 1.0),
}

_ADAPTIVE_RATES = (1e-6, 0.05)


@check(
    "DL016",
    why="too large a step overshoots and diverges; too small a one never arrives",
    source=BOOK + "2.4.3",
    instead="start with the optimizer's default",
    fault="""
    optimizer: {adam: {learning_rate: 1.0}}
    """,
    fix="""
    optimizer: {adam: {learning_rate: 0.001}}
    """,
)
def learning_rate(view: ConfigView) -> Iterator[Finding]:
    """A learning rate outside the usual range of its optimizer."""
    optimizer = view.config.optimizer
    rate = optimizer.arguments.get("learning_rate")
    if not isinstance(rate, int | float):
        return
    low, high = _USUAL_RATES.get(optimizer.name, _ADAPTIVE_RATES)
    if low <= rate <= high:
        return
    known = catalogue.entry("optimizer", optimizer.name)
    argument = known.argument("learning_rate") if known else None
    usual = argument.default if argument else None
    path = ("optimizer", optimizer.alias, "learning_rate")
    yield Finding(
        f"a learning rate of {rate:g} is too {'large' if rate > high else 'small'} for "
        f"{optimizer.alias}: {low:g} to {high:g} is usual",
        path,
        None if usual is None else put(path, usual),
    )


@check(
    "DL031",
    why="on the rows it is trained on a model keeps improving, however little it has learnt about "
    "new ones",
    source=BOOK + "7.2.1",
    instead="monitor the same metric on validation data: `val_...`",
    fault="""
    training: {epochs: 50, callbacks: [{EarlyStopping: {monitor: loss, patience: 5}}]}
    """,
    fix="""
    training: {epochs: 50, callbacks: [{EarlyStopping: {monitor: val_loss, patience: 5}}]}
    """,
)
def monitors_training(view: ConfigView) -> Iterator[Finding]:
    """A callback that decides by a metric of the training rows."""
    for callback in monitoring_callbacks(view.config):
        monitor = monitor_of(callback)
        if monitor.startswith("val_") or monitor == "learning_rate":
            continue
        path = argument_of(callback, "monitor")
        message = f"{callback.alias} monitors '{monitor}', which is measured on the training rows"
        yield Finding(message, path, put(path, f"val_{monitor}"))


@check(
    "DL032",
    why="a callback that picks the best epoch on the scored rows makes the score optimistic",
    source=BOOK + "4.2.1",
    instead="remove `validation: fold`: a fifth of each fold's training rows is then monitored "
    "instead",
    fault="""
    training: {epochs: 50, callbacks: [{EarlyStopping: {patience: 5}}]}
    evaluation: {protocol: kfold, folds: 5, validation: fold}
    """,
    fix="""
    evaluation: {protocol: kfold, folds: 5}
    """,
)
def monitors_scored_rows(view: ConfigView) -> Iterator[Finding]:
    """Callbacks monitor the rows that give each fold's score."""
    if getattr(view.config.evaluation.protocol, "validation", None) != "fold":
        return
    watching = [c for c in monitoring_callbacks(view.config) if monitor_of(c).startswith("val_")]
    if watching:
        path = ("evaluation", "validation")
        message = f"{watching[0].alias} monitors the rows that give the fold's score"
        yield Finding(message, path, put(path, 0.2))


@check(
    "DL033",
    why="training ends before the callback can act",
    source="Keras, keras.io/api/callbacks/early_stopping",
    instead="set patience to about a tenth of the epochs",
    fault="""
    training: {epochs: 10, callbacks: [{EarlyStopping: {patience: 10}}]}
    """,
    fix="""
    training: {epochs: 10, callbacks: [{EarlyStopping: {patience: 2}}]}
    """,
)
def patience_too_long(view: ConfigView) -> Iterator[Finding]:
    """A callback whose patience is longer than the training."""
    for callback in monitoring_callbacks(view.config):
        epochs = _epochs_of(view.config, callback)
        patience = callback.arguments.get("patience")
        if patience is None and callback.name == "ReduceLROnPlateau":
            patience = 10
        if not isinstance(patience, int) or patience < epochs:
            continue
        path = argument_of(callback, "patience")
        message = f"patience of {callback.alias} is {patience} epochs but training runs {epochs}"
        yield Finding(message, path, put(path, max(1, epochs // 10)))


def _epochs_of(config: Config, callback: KerasComponent) -> int:
    """Epochs of the longest training that a callback acts in: of all, or of a phase."""
    training = config.training
    phases = [
        phase.epochs
        for phase in training.phases
        if callback in (training.callbacks if phase.callbacks is None else phase.callbacks)
    ]
    return max(phases, default=training.epochs)


@check(
    "DL034",
    severity="error",
    why="with the wrong direction it stops while the model improves, and keeps the worst weights",
    source="Keras, keras.io/api/callbacks/early_stopping",
    instead="remove `mode`: Keras knows the direction of its metrics",
    fault="""
    training: {epochs: 20, callbacks: [{EarlyStopping: {monitor: val_accuracy, mode: min}}]}
    """,
    fix="""
    training: {epochs: 20, callbacks: [{EarlyStopping: {monitor: val_accuracy}}]}
    """,
)
def wrong_mode(view: ConfigView) -> Iterator[Finding]:
    """A callback that takes the worst epoch for the best one."""
    metrics = view.config.metrics
    named = dict(zip(metric_names(metrics), (m.name for m in metrics), strict=True))
    for callback in monitoring_callbacks(view.config):
        mode, word = callback.arguments.get("mode"), monitor_of(callback).removeprefix("val_")
        name = "loss" if word == "loss" else named.get(word)
        if mode not in ("min", "max") or name is None:
            continue
        with suppress(LookupError):
            better = direction(name)
            if better != mode:
                path = argument_of(callback, "mode")
                which = "higher" if better == "max" else "lower"
                message = f"mode is {mode}, but a {which} {word} is better"
                yield Finding(message, path, put(path, better))


@check(
    "DL035",
    severity="error",
    why="without held-out rows there is nothing to measure after an epoch",
    source=BOOK + "4.2.1",
    instead="remove the callback, or hold out rows",
    fault="""
    training: {epochs: 20, callbacks: [{EarlyStopping: {patience: 5}}]}
    evaluation: {validation: null}
    """,
    fix="""
    evaluation: {validation: 0.2}
    """,
)
def nothing_to_monitor(view: ConfigView) -> Iterator[Finding]:
    """A callback monitors validation data, but no rows are held out."""
    if not holds_nothing_out(view.config):
        return
    for callback in monitoring_callbacks(view.config):
        if monitor_of(callback).startswith("val_"):
            yield Finding(
                f"{callback.alias} monitors '{monitor_of(callback)}', but no rows are held out",
                callback.path,
                put(("evaluation", "validation"), 0.2),
            )


@check(
    "DL036",
    why="with all rows in one batch an epoch is a single step, and smaller batches help a model "
    "to generalize",
    source=BOOK + "2.4.3",
    instead="use batches of 16 to 128 rows",
    fault="""
    dataset: {source: sklearn, name: digits}   # 1,797 rows
    training: {batch_size: 4096}
    """,
    fix="""
    training: {batch_size: 128}
    """,
)
def batch_larger_than_data(view: ConfigView) -> Iterator[Finding]:
    """A batch larger than the number of training rows."""
    rows, size = view.known.rows, view.config.training.batch_size
    if rows is not None and size > rows:
        path = ("training", "batch_size")
        message = f"the batch size is {size:,}, but there are only {rows:,} training rows"
        # A power of 2 of at most 128.
        most = max(rows / 8, min(16, rows - 1), 1)
        yield Finding(message, path, put(path, int(min(128, 2 ** math.floor(math.log2(most))))))


@check(
    "DL037",
    severity="note",
    why="in a fixed order the same rows share a batch in every epoch, and the last rows are "
    "always learnt last",
    source=BOOK + "4.2.2",
    instead="remove `shuffle: false` under training",
    fault="""
    training: {shuffle: false}
    """,
    fix="""
    training: {shuffle: true}
    """,
)
def fixed_order(view: ConfigView) -> Iterator[Finding]:
    """Training rows are never shuffled."""
    protocol = view.config.evaluation.protocol
    in_time = getattr(protocol, "in_time_order", False) or getattr(protocol, "time", None)
    stateful = any(e.layer.arguments.get("stateful") for e in view.layers)
    if view.config.training.shuffle or in_time or stateful:
        return
    path = ("training", "shuffle")
    yield Finding("the training rows keep the same order in every epoch", path, put(path, True))


@check(
    "DL038",
    severity="note",
    why="regularization adds to the loss, so the losses of two models cannot be compared",
    source=BOOK + "4.4.2",
    instead="choose a metric as the score",
    fault="""
    architecture:
      layers:
        - Dense: {units: 10, activation: softmax, kernel_regularizer: {L2: 0.01}}
    metrics: [accuracy]
    evaluation: {score: loss}
    """,
    fix="""
    evaluation: {score: accuracy}
    """,
)
def loss_as_score(view: ConfigView) -> Iterator[Finding]:
    """The loss is the score, although it includes penalties and a metric is available."""
    config = view.config
    regularized = any(
        value is not None
        for entry in view.layers
        for name, value in entry.layer.arguments.items()
        if name.endswith("_regularizer")
    )
    if regularized and config.evaluation.score == "loss" and config.metrics:
        path = ("evaluation", "score")
        message = "the score is the loss, which includes the penalties on weights"
        yield Finding(message, path, put(path, config.metrics[0].alias))


@check(
    "DL039",
    severity="error",
    why="the name is filled in when an epoch ends, so that training fails after it",
    source="Keras, keras.io/api/callbacks/model_checkpoint",
    instead="name `epoch` and what an epoch measures: `model-{epoch:02d}-{val_loss:.2f}.keras`",
    fault="""
    metrics: [accuracy]
    training:
      epochs: 5
      callbacks: [{ModelCheckpoint: {filepath: "model-{epoch:02d}-{val_auc:.2f}.keras"}}]
    """,
    fix="""
    training:
      epochs: 5
      callbacks: [{ModelCheckpoint: {filepath: "model-{epoch:02d}-{val_accuracy:.2f}.keras"}}]
    """,
)
def file_name_of_unknown_metric(view: ConfigView) -> Iterator[Finding]:
    """A file name of ModelCheckpoint that is to hold something that is not measured."""
    if view.output_name is not None:
        # Of several outputs, each with names of its own.
        return
    measured = ["loss", *metric_names(view.config.metrics)]
    for callback in view.config.training.every_callback:
        given = callback.arguments.get("filepath")
        if callback.name not in CHECKPOINTS or not isinstance(given, str):
            continue
        known: dict[str, float] = {"epoch": 1, **dict.fromkeys(measured, 0.5)}
        if callback.arguments.get("save_freq", "epoch") != "epoch":
            known["batch"] = 1
        elif not holds_nothing_out(view.config):
            known |= {f"val_{name}": 0.5 for name in measured}
        path = argument_of(callback, "filepath")
        try:
            given.format(**known, learning_rate=0.5)
        except KeyError as error:
            name = str(error.args[0])
            near = closest(name, known)
            change = put(path, given.replace(f"{{{name}", f"{{{near}")) if near else None
            message = f"the file name asks for '{name}', which is not measured"
            yield Finding(message, path, change)
        except (IndexError, ValueError, AttributeError) as error:
            yield Finding(f"the file name cannot be filled in: {error}", path)


@check(
    "DL040",
    why="every run has a folder of its own, so a later run finds no backup there",
    source="Keras, keras.io/api/callbacks/backup_and_restore",
    instead="remove it: `dlrun resume` goes on with a run that was killed",
    fault="""
    training: {epochs: 5, callbacks: [{BackupAndRestore: {backup_dir: backup}}]}
    """,
    fix="""
    training: {epochs: 5}
    """,
)
def backup_without_restore(view: ConfigView) -> Iterator[Finding]:
    """A callback that backs training up for a later run, which cannot find it."""
    for callback in view.config.training.every_callback:
        if callback.name == "BackupAndRestore":
            yield Finding(f"{callback.alias} can never restore", callback.path, on_key=True)
