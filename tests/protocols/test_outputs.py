"""What a loss and a last layer cannot do with the targets is refused before training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlrun.errors import ComponentError
from dlrun.protocols.outputs import check_metrics, check_output, output_findings
from dlrun.registry.keras_component import KerasComponent

LABELS = np.array([0, 1, 2, 1], np.int32)
YEARS = np.arange(2000, 2010, dtype=np.int32)
STEPS = np.arange(80, dtype=np.int32).reshape(4, 20) % 2
SIGNS = np.array([-1.0, 1.0], np.float32)


def loss_of(name: str) -> KerasComponent:
    return KerasComponent("loss", name, name, path=("loss",))


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "path", "message"),
    [
        *(
            (
                loss,
                1,
                LABELS,
                ("last",),
                "the last layer gives 1 value, which tells two classes apart, but the targets have "
                "3; give it 3 units with the activation softmax, and use the loss "
                "sparse_categorical_crossentropy",
            )
            for loss in ("BinaryCrossentropy", "BinaryFocalCrossentropy", "Hinge", "Dice")
        ),
        (
            "BinaryCrossentropy",
            1,
            np.array([0.0, 3.0], np.float32),
            ("loss",),
            "BinaryCrossentropy compares with targets from 0 to 1, but these go from 0 to "
            "3; a loss for quantities is mse, one for more than two classes is "
            "sparse_categorical_crossentropy",
        ),
        (
            "SquaredHinge",
            1,
            np.array([0.0, 0.5], np.float32),
            ("loss",),
            "SquaredHinge compares with targets 0 and 1, or -1 and 1, but these go from 0 to "
            "0.5; a loss for quantities is mse, one for more than two classes is "
            "sparse_categorical_crossentropy",
        ),
        (
            "SparseCategoricalCrossentropy",
            10,
            YEARS,
            ("last",),
            "the last layer gives 10 values, but the targets have classes 0 to 2009; number the "
            "classes from 0 by `targets: [label_index]` under `preprocess`",
        ),
        (
            "SparseCategoricalCrossentropy",
            5,
            YEARS,
            ("last",),
            "the last layer gives 5 values, but the targets have classes 0 to 2009; number the "
            "classes from 0 by `targets: [label_index]` under `preprocess`, and give it 10 units",
        ),
        (
            "SparseCategoricalCrossentropy",
            2,
            LABELS,
            ("last",),
            "the last layer gives 2 values, but the targets have classes 0 to 2; give it 3 units",
        ),
        (
            "CategoricalCrossentropy",
            3,
            LABELS,
            ("last",),
            "the last layer gives 3 values, but each row has 1 target for the loss "
            "CategoricalCrossentropy; use a sparse loss, or `targets: one_hot` in preprocess",
        ),
    ],
)
def test_an_output_that_cannot_be_compared(
    loss: str, outputs: int, targets: np.ndarray, path: Any, message: str
) -> None:
    with pytest.raises(ComponentError) as error:
        check_output((None, outputs), targets, loss_of(loss), ("last",))
    assert str(error.value) == message
    assert error.value.path == path


@pytest.mark.parametrize(
    ("loss", "shape", "targets"),
    [
        ("BinaryCrossentropy", (None, 1), LABELS.clip(max=1)),
        ("BinaryCrossentropy", (None, 1), np.array([0.0, 0.3], np.float32)),
        ("Hinge", (None, 1), SIGNS),
        ("Hinge", (None, 1), LABELS.clip(max=1)),
        ("CategoricalHinge", (None, 3), np.eye(3)[LABELS]),
        ("MeanSquaredError", (None, 1), YEARS.astype(np.float32)),
        ("SparseCategoricalCrossentropy", (None, 5), LABELS),
        ("Circle", (None, 64), LABELS),
        ("CTC", (None, 20, 5), np.ones((4, 6), np.float32)),
        ("BinaryCrossentropy", (None, 20, 1), STEPS),
        ("BinaryCrossentropy", (None, 20, 1), STEPS[..., None]),
        ("MeanSquaredError", (None, 20), STEPS[..., None].astype(np.float32)),
        ("SparseCategoricalCrossentropy", (None, 20, 2), STEPS),
        ("SparseCategoricalCrossentropy", (None, None, None, 2), STEPS.reshape(4, 4, 5, 1)),
        ("MeanSquaredError", (None, 8, 8, 3), np.ones((4, 8, 8, 3), np.float32)),
        ("MeanSquaredError", (None, None, None, 3), np.ones((4, 8, 8, 3), np.float32)),
    ],
)
def test_an_output_that_can_be_compared(
    loss: str, shape: tuple[int | None, ...], targets: np.ndarray
) -> None:
    check_output(shape, targets, loss_of(loss), ("last",))


FLATTEN = "put Flatten or GlobalAveragePooling{}D before it"


@pytest.mark.parametrize(
    ("loss", "shape", "targets", "message"),
    [
        (
            "BinaryCrossentropy",
            (20, 1),
            LABELS.clip(max=1),
            "gives (20, 1) a row, but one value is needed; " + FLATTEN.format(1),
        ),
        (
            "BinaryCrossentropy",
            (62, 62, 1),
            LABELS.clip(max=1),
            "gives (62, 62, 1) a row, but one value is needed; " + FLATTEN.format(2),
        ),
        (
            "CategoricalCrossentropy",
            (1, 1, 3),
            np.eye(3)[LABELS],
            "gives (1, 1, 3) a row, but 3 values are needed; " + FLATTEN.format(2),
        ),
        (
            "SparseCategoricalCrossentropy",
            (20, 3),
            LABELS,
            "gives (20, 3) a row, but each row has one class index; " + FLATTEN.format(1),
        ),
        (
            "SparseCategoricalCrossentropy",
            (2,),
            STEPS,
            "gives (2) a row, but each row has (20) class indices; for an answer at every step, "
            "say `return_sequences: true` in the layers above",
        ),
        (
            "MeanSquaredError",
            (8, 8, 1),
            np.ones((4, 8, 8, 3), np.float32),
            "gives (8, 8, 1) a row, but (8, 8, 3) is needed",
        ),
        (
            "MeanAbsoluteError",
            (24, 1),
            np.ones((4, 12), np.float32),
            "gives (24, 1) a row, but 12 values are needed; " + FLATTEN.format(1),
        ),
    ],
)
def test_outputs_with_axes_that_the_targets_lack(
    loss: str, shape: tuple[int, ...], targets: np.ndarray, message: str
) -> None:
    with pytest.raises(ComponentError) as error:
        check_output((None, *shape), targets, loss_of(loss), ("last",))
    assert str(error.value) == f"the last layer {message}"
    assert error.value.path == ("last",)


def test_a_loss_of_the_users_own_compares_what_it_likes() -> None:
    own = KerasComponent("loss", "boxes", "boxes", implementation=len)
    check_output((None, 7, 7, 5), np.ones((4, 3, 4), np.float32), own, ("last",))


def test_a_metric_of_one_hot_rows_needs_them() -> None:
    metrics = [KerasComponent("metric", "F1Score", "F1Score", path=("metrics", 0))]
    with pytest.raises(ComponentError) as error:
        check_metrics((None, 3), LABELS, metrics)
    assert str(error.value) == (
        "the metric F1Score needs one target for each of the 3 outputs, but the "
        "targets are class indices; say `targets: one_hot` in preprocess and use a categorical "
        "loss, or choose a sparse metric"
    )
    assert error.value.path == ("metrics", 0)
    check_metrics((None, 3), np.eye(3)[LABELS], metrics)
    check_metrics((None, 1), LABELS.clip(max=1), metrics)


def findings(shape: tuple[int | None, ...], task: Any, names: Any, loss: str, metric: str) -> Any:
    measured = KerasComponent("metric", metric, metric)
    config = SimpleNamespace(loss=loss_of(loss), metrics=[measured])
    return output_findings(shape, config, task, names)


def test_units_beyond_the_classes_are_pointed_out() -> None:
    sparse, names = "SparseCategoricalCrossentropy", ("low", "mid", "high")
    found = findings((None, 10), "multiclass", names, sparse, "accuracy")
    assert found == ["the last layer gives 10 values for 3 classes"]
    assert not findings((None, 3), "multiclass", names, sparse, "accuracy")
    assert not findings((None, 10), "multiclass", (), sparse, "accuracy")
    assert not findings((None, 64), "multiclass", names, "Circle", "accuracy")


def test_accuracy_of_several_labels_is_pointed_out() -> None:
    found = findings((None, 4), "multilabel", (), "BinaryCrossentropy", "accuracy")
    assert found == ["accuracy compares only the largest output of each row; use binary_accuracy"]
    assert not findings((None, 4), "multilabel", (), "BinaryCrossentropy", "BinaryAccuracy")


def test_tokens_are_not_numbered_again() -> None:
    # 0 is padding and 1 an unknown word, and neither need occur.
    tokens = np.array([[2, 3, 4], [4, 3, 6]], np.int32)
    sparse = loss_of("SparseCategoricalCrossentropy")
    with pytest.raises(ComponentError, match=r"classes 0 to 6; give it 7 units$"):
        check_output((None, 3, 5), tokens, sparse, ("last",), tokens=True)
    with pytest.raises(ComponentError, match="give the inputs and the targets the same number of"):
        check_output((None, 4, 9), tokens, sparse, ("last",), sequences=True)
