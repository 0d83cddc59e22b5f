"""Which engine is chosen, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlrun.training.choice import Choice, Work, choose

BOSTON = Work(
    backend="tensorflow",
    gpu=False,
    batch_callback=None,
    slow_layer=None,
    random_layer=None,
    products=5_121,
    inputs=13,
    steps=303 * 100,
)
MNIST_DENSE = replace(BOSTON, products=128 * 407_050, inputs=128 * 784, steps=5 * 469)
IMDB_DENSE = replace(BOSTON, products=512 * 160_305, inputs=512 * 10_000, steps=20 * 30)


@pytest.mark.parametrize(
    ("work", "name", "xla", "reason"),
    [
        (BOSTON, "fused", True, "XLA on: many small steps of a dense network"),
        (MNIST_DENSE, "fused", True, "XLA on: many small steps of a dense network"),
        (IMDB_DENSE, "fused", False, "XLA off: it is slow to gather inputs as large as these"),
        (
            replace(BOSTON, steps=900),
            "fused",
            False,
            "XLA off: too few steps to be worth compiling",
        ),
        (
            replace(BOSTON, products=3e8),
            "fused",
            False,
            "XLA off: steps as large as these were not shown to gain",
        ),
        (
            replace(BOSTON, slow_layer="Conv2D"),
            "keras",
            False,
            "fused epochs were not shown to be faster than fit with Conv2D",
        ),
        (
            replace(BOSTON, random_layer="Dropout"),
            "fused",
            False,
            "XLA off: Dropout would draw other numbers",
        ),
        (
            replace(BOSTON, gpu=True),
            "keras",
            False,
            "fused epochs were not measured against fit on a GPU",
        ),
        (
            replace(BOSTON, batch_callback="TerminateOnNaN"),
            "keras",
            False,
            "TerminateOnNaN looks at every batch",
        ),
        (replace(BOSTON, backend="torch"), "keras", False, "the torch backend trains with fit"),
    ],
)
def test_the_rule(work: Work, name: str, xla: bool, reason: str) -> None:
    assert choose(work) == Choice(name, xla, reason)


def test_what_is_asked_for_is_done() -> None:
    assert choose(BOSTON, engine="keras") == Choice("keras", False, "asked for")
    assert choose(BOSTON, xla=False) == Choice("fused", False, "XLA off: asked for")
    gpu = replace(BOSTON, gpu=True)
    expected = Choice("fused", False, "XLA off: it was not measured on a GPU")
    assert choose(gpu, engine="fused") == expected
    slow = replace(BOSTON, slow_layer="LSTM")
    assert choose(slow, engine="fused", xla=True) == Choice("fused", True, "XLA on: asked for")
