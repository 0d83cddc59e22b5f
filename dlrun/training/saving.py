"""A fit that is saved between two calls, and goes on from there to the same digits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.errors import TrainingError
from dlrun.models.objects import reason
from dlrun.training.checkpoint import Checkpoints, by_path, packed, unpacked
from dlrun.training.engine import FitRequest
from dlrun.training.interrupt import Interrupt
from dlrun.training.state import LastFiniteState, layer_variables, optimizer_variables

if TYPE_CHECKING:
    from dlrun.training.reporting import EpochReport

State = Mapping[str, Any]

KEPT: dict[str, tuple[str, ...]] = {
    "BackupAndRestore": (
        "_batches_seen_since_last_saving",
        "_current_epoch",
        "_last_batch_seen",
    ),
    "CSVLogger": ("keys",),
    "EarlyStopping": ("best", "best_epoch", "best_weights", "stopped_epoch", "wait"),
    "History": ("epoch", "history"),
    "LearningRateScheduler": (),
    "ModelCheckpoint": (
        "_batches_seen_since_last_saving",
        "_current_epoch",
        "_last_batch_seen",
        "best",
    ),
    "OrbaxCheckpoint": (
        "_batches_seen_since_last_saving",
        "_current_epoch",
        "_last_batch_seen",
        "_total_batches_seen",
        "best",
    ),
    "ReduceLROnPlateau": ("best", "cooldown_counter", "wait"),
    "SwapEMAWeights": ("_ema_weights_in_model",),
    "TensorBoard": (
        "_global_test_batch",
        "_global_train_batch",
        "_previous_epoch_iterations",
        "_train_accumulated_time",
    ),
    "TerminateOnNaN": (),
}
"""What Keras' callbacks know of the epochs so far. What their arguments say is built anew."""


class FitSaving:
    """Saves a fit between two calls, and brings a fresh one to where it was saved.

    Args:
        request: The fit.
        report: Its history.
        finite: What is kept of it for a training that diverges.
        interrupt: Whether the user has asked to stop.

    Attributes:
        callbacks: Those of the fit, in order, and Keras' history.
        done: Epochs that were trained before the fit goes on; 0 if it begins.
        logs: The metrics of the last of them, as callbacks see them.
        ended: Whether nothing is left to train.
    """

    def __init__(
        self,
        request: FitRequest,
        report: EpochReport,
        finite: LastFiniteState,
        interrupt: Interrupt,
    ) -> None:
        import keras

        history = keras.callbacks.History
        has_history = any(isinstance(one, history) for one in request.callbacks)
        self.callbacks = [*request.callbacks, *([] if has_history else [history()])]
        self._request, self._report, self._finite = request, report, finite
        self._interrupt = interrupt
        self._checkpoints = request.checkpoints
        saved = None if self._checkpoints is None else self._checkpoints.saved()
        self._saved = None if saved is None else unpacked(saved)
        self._position: State | None = None
        self.done, self.logs, self.ended = 0, None, False
        if self._saved is not None:
            self.done, self.logs = self._saved["done"], self._saved["logs"]
            self.ended = self._saved["stopped"] or self.done == request.epochs
            self._position = self._saved["position"]
            report.epoch = self.done + (not self.ended)
            self._let_callbacks_go_on()

    @property
    def within_epoch(self) -> bool:
        """Whether the fit goes on in the middle of an epoch."""
        return self._position is not None

    def take_position(self) -> State:
        """Return where in its first epoch the fit goes on, once; empty at its beginning."""
        position, self._position = self._position or {}, None
        return position

    def restore(self) -> None:
        """Bring the fit to where it was saved, or all generators to where the fit begins, whatever
        was drawn before; called when callbacks know that training begins.

        Raises:
            TrainingError: The state of a plugin's callback cannot be saved.
        """
        if (saved := self._saved) is None:
            self._refuse_unsavable()
            _seed_generators(self._request.seed + self._request.epochs_before)
            return
        model = self._request.model
        self._saved = None
        put_values(saved["variables"], _variables(model, with_metrics=self.within_epoch))
        model.stop_training = saved["stopped"]
        self._report.history.update(saved["history"])
        self._finite.restore(saved["finite"])
        self._restore_callbacks(saved["callbacks"])
        _restore_generators(saved["generators"])

    def epoch_ended(self, done: int, logs: Mapping[str, Any]) -> None:
        """Save the fit after an epoch if that is due, and stop here if the user has asked to.

        Args:
            done: Epochs that are done.
            logs: The metrics of the last one, as callbacks saw them.

        Raises:
            KeyboardInterrupt: The user has asked to stop, and there is more to train.
        """
        ended = done == self._request.epochs or self._request.model.stop_training
        self._step_ended(done, dict(logs), None, ended=ended)

    def call_ended(self, done: int, position: State) -> None:
        """Save the fit in the middle of an epoch; else like `epoch_ended`.

        Args:
            done: Epochs that are done.
            position: What the engine needs to go on with this epoch.
        """
        self._step_ended(done, None, position, ended=False)

    def _step_ended(
        self, done: int, logs: dict[str, Any] | None, position: State | None, *, ended: bool
    ) -> None:
        checkpoints = self._checkpoints
        if checkpoints is not None and not checkpoints.ready():
            # What was trained would be lost, again in each job that is queued for the rest.
            self._interrupt.begin()
            self._interrupt.check_signals()
            return
        # Asked once, so that a fit that ends here is saved.
        cause = self._interrupt.step_ended()
        # Once weights are not finite, the training is about to diverge.
        if (
            checkpoints is not None
            and done <= self._finite.epoch
            and (cause is not None or checkpoints.due())
        ):
            self._save(checkpoints, done, logs, position)
        if cause is not None and not ended:
            self._interrupt.end(cause)

    def _refuse_unsavable(self) -> None:
        if self._checkpoints is None:
            return
        for callback in self.callbacks:
            if problem := _unsavable(callback):
                raise TrainingError(
                    f"{problem}; return a dictionary of numbers, text, lists, arrays, and "
                    "dictionaries with text as keys, or set `training: {checkpoint: false}`"
                )

    def _save(
        self,
        checkpoints: Checkpoints,
        done: int,
        logs: dict[str, Any] | None,
        position: State | None,
    ) -> None:
        if problems := [text for one in self.callbacks if (text := _unsavable(one))]:
            self._checkpoints = None
            self._request.on_note(f"{problems[0]}; no checkpoint is written from here on")
            return
        model = self._request.model
        variables = _variables(model, with_metrics=position is not None)
        state = {
            "epochs": self._request.epochs_before + done,
            "done": done,
            "position": position,
            "logs": logs,
            "stopped": bool(model.stop_training),
            "history": self._report.history,
            "variables": {name: value_of(variable) for name, variable in variables.items()},
            "finite": self._finite.state(),
            "callbacks": [
                {"name": type(one).__name__, "state": _state_of(one)} for one in self.callbacks
            ],
            "generators": _generators(),
        }
        checkpoints.write(packed(state))

    def _let_callbacks_go_on(self) -> None:
        """Keep callbacks from beginning their files again."""
        import keras

        for callback in self.callbacks:
            if isinstance(callback, keras.callbacks.CSVLogger):
                callback.append = True
            elif isinstance(callback, keras.callbacks.BackupAndRestore):
                # It would load its own backup, of another epoch.
                callback.on_train_begin = _do_nothing

    def _restore_callbacks(self, saved: Sequence[State]) -> None:
        names = [type(callback).__name__ for callback in self.callbacks]
        if (theirs := [one["name"] for one in saved]) != names:
            raise TrainingError(
                f"the checkpoint is of a training with the callbacks {', '.join(theirs)}, and this "
                f"one has {', '.join(names)}"
            )
        for callback, one in zip(self.callbacks, saved, strict=True):
            if _declares_state(callback):
                callback.restore(one["state"])
                continue
            for name, value in one["state"].items():
                setattr(callback, name, value)
            if not type(callback).__module__.startswith("keras."):
                self._request.on_note(
                    f"the callback {type(callback).__name__} has no methods `state()` and "
                    "`restore(state)`, so it begins again where the training goes on"
                )


def _do_nothing(logs: Any = None) -> None:
    pass


def _declares_state(callback: Any) -> bool:
    return all(callable(getattr(callback, name, None)) for name in ("state", "restore"))


def _state_of(callback: Any) -> State:
    """What a callback says of itself, or what is known of Keras' own."""
    if _declares_state(callback):
        return dict(callback.state())
    names = (name for base in type(callback).__mro__ for name in KEPT.get(base.__name__, ()))
    return {name: getattr(callback, name) for name in names if hasattr(callback, name)}


def _unsavable(callback: Any) -> str | None:
    """Return why the state that a plugin's callback declares cannot be saved, or None."""
    name, module = type(callback).__name__, type(callback).__module__
    if not _declares_state(callback) or module.startswith(("keras.", "dlrun.")):
        return None
    try:
        packed({"state()": _state_of(callback)})
    # Whatever a plugin raises.
    except Exception as error:
        return f"the callback {name} cannot be saved: {reason(error)}"
    return None


def _variables(model: Any, *, with_metrics: bool) -> dict[str, Any]:
    """The variables that a fit depends on, by path; metrics are reset where an epoch begins."""
    optimizer = model.optimizer
    return {
        **{f"layers/{path}": one for path, one in by_path(layer_variables(model)).items()},
        **{
            # How an optimizer is called depends on those that were made before it.
            f"optimizer/{path.removeprefix(optimizer.name + '/')}": one
            for path, one in by_path(optimizer_variables(model)).items()
        },
        **{
            f"metrics/{path}": one
            for path, one in by_path(model.metrics_variables if with_metrics else ()).items()
        },
    }


def value_of(variable: Any) -> np.ndarray:
    """Return the value of a `keras.Variable`."""
    import keras

    return np.asarray(keras.ops.convert_to_numpy(variable))


def put_values(values: State, variables: Mapping[str, Any]) -> None:
    """Give variables their values.

    Raises:
        TrainingError: They are others, or of other shapes.
    """
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    theirs = {name: np.shape(value) for name, value in values.items()}
    if shapes != theirs:
        odd = next(name for name in [*shapes, *theirs] if shapes.get(name) != theirs.get(name))
        raise TrainingError(
            f"the checkpoint is of another model: its {odd} has the shape {theirs.get(odd)}, that "
            f"of this one {shapes.get(odd)}"
        )
    for name, value in values.items():
        variables[name].assign(value)


def _generators() -> dict[str, Any]:
    """The state of every generator that no layer owns."""
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    unseeded = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "keras": None if unseeded is None else value_of(unseeded.state),
        "torch": [np.asarray(get().cpu()) for get, _ in _torch_generators()],
    }


def _seed_generators(seed: int) -> None:
    """Seed what no layer owns: PyTorch draws dropout from it, and a plugin may draw from Python's
    and NumPy's."""
    import keras

    random.seed(seed)
    np.random.seed(seed % 2**32)
    if keras.backend.backend() == "torch":
        import torch

        torch.manual_seed(seed)


def _restore_generators(states: State) -> None:
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR, global_seed_generator

    if states["keras"] is None:
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
    else:
        global_seed_generator().state.assign(states["keras"])
    for (_, put), state in zip(_torch_generators(), states["torch"], strict=True):
        import torch

        put(torch.from_numpy(np.array(state)))
    np.random.set_state(states["numpy"])
    random.setstate(states["python"])


def _torch_generators() -> Iterator[tuple[Callable[[], Any], Callable[[Any], None]]]:
    """How the state of each of PyTorch's own generators is read and set."""
    import keras

    if keras.backend.backend() != "torch":
        return
    import torch

    yield torch.get_rng_state, torch.set_rng_state
    for device in range(torch.cuda.device_count()):
        get, put = torch.cuda.get_rng_state, torch.cuda.set_rng_state
        yield partial(get, device), partial(put, device=device)
