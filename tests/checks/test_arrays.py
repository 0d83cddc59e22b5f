"""What is said of pictures as targets, of autoencoders and of indices, in arrays of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlrun.checks.check import data_findings
from dlrun.checks.finding import Findings
from dlrun.config.load import load_config
from dlrun.workflows.loading import load_rows

DENSE = (
    "{layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 64, activation: sigmoid}}]}"
)
N = 120


@pytest.fixture(autouse=True)
def arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (N, 8, 8, 1), dtype=np.uint8)
    np.savez(
        "rows.npz",
        x=pixels,
        flag=(pixels[..., 0] > 120).astype("u1"),
        kind=(pixels[..., 0] // 64).astype("i4"),
        one_hot=np.eye(4, dtype="f4")[pixels[..., 0] // 64],
        flat=pixels.reshape(N, 64).astype("i4"),
        share=pixels.reshape(N, 64).astype("f4") / 255,
        words=rng.integers(0, 50, (N, 12)),
        begun=np.hstack([np.ones((N, 1), int), rng.integers(0, 50, (N, 11))]),
        size=rng.normal(0, 300, (N, 3)).astype("f4"),
        y=(rng.random(N) > 0.5).astype("i4"),
    )


def found(
    dataset: str, architecture: str, loss: str, metric: str, preprocess: str = "[]"
) -> Findings:
    Path("c.yaml").write_text(
        f"dataset: {{source: npz, path: rows.npz, {dataset}}}\npreprocess: {preprocess}\n"
        f"architecture: {architecture}\nloss: {loss}\noptimizer: adam\nmetrics: [{metric}]\n"
        "ignore: [DL113]\n"
    )
    config = load_config("c.yaml")
    return data_findings(config, load_rows(config))


def pixelwise(units: int, activation: str) -> str:
    last = f"{{Conv2D: {{filters: {units}, kernel_size: 1, activation: {activation}}}}}"
    first = "{Conv2D: {filters: 4, kernel_size: 3, padding: same, activation: relu}}"
    return f"{{layers: [{first}, {last}]}}"


@pytest.mark.parametrize(
    ("target", "units", "activation", "loss"),
    [
        ("flag", 1, "sigmoid", "binary_crossentropy"),
        ("flag", 2, "softmax", "sparse_categorical_crossentropy"),
        ("kind", 4, "softmax", "sparse_categorical_crossentropy"),
        ("one_hot", 4, "softmax", "categorical_crossentropy"),
    ],
)
def test_sound_masks(target: str, units: int, activation: str, loss: str) -> None:
    """A hundred masks of 64 pixels each are many answers, whatever DL113 counts."""
    said = found(
        f"inputs: x, targets: {target}",
        pixelwise(units, activation),
        loss,
        "accuracy",
        "[{rescale: 1/255}]",
    )
    assert said == Findings()


def test_one_sigmoid_for_a_mask_of_four_classes() -> None:
    said = found(
        "inputs: x, targets: kind",
        pixelwise(1, "sigmoid"),
        "binary_crossentropy",
        "accuracy",
        "[{rescale: 1/255}]",
    )
    (fault,) = said.shown
    assert fault.code == "DL007"
    assert "the targets are 0 to 3" in fault.problem.message
    config = load_config("c.yaml", fault.overrides)
    assert data_findings(config, load_rows(config)).shown == ()


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
def test_an_autoencoder_of_unscaled_pixels_is_led_to_a_sound_config(loss: str) -> None:
    said = found("inputs: flat, targets: flat", DENSE, loss, "mae")
    codes = []
    overrides: tuple[str, ...] = ()
    while said.shown:
        fault = said.shown[0]
        codes.append(fault.code)
        overrides += fault.overrides
        config = load_config("c.yaml", overrides)
        said = data_findings(config, load_rows(config))
    assert codes == (["DL118", "DL118"] if loss == "mse" else ["DL007", "DL102"])
    assert overrides == ("dataset.targets=input", "preprocess=[minmax]")


def test_an_autoencoder_of_shares() -> None:
    assert found("inputs: share, targets: share", DENSE, "binary_crossentropy", "mae").shown == ()


EMBEDDING = "{Embedding: {input_dim: 50, output_dim: 4}}"
LAST = "Flatten, {Dense: {units: 1, activation: sigmoid}}"


@pytest.mark.parametrize(
    "layers",
    [
        f"{EMBEDDING}, {LAST}",
        f"{{Reshape: [12]}}, {EMBEDDING}, {LAST}",
        f"{{CategoryEncoding: {{num_tokens: 50}}}}, {LAST}",
    ],
)
def test_indices_are_not_to_be_scaled(layers: str) -> None:
    layers = f"{{layers: [{layers}]}}"
    said = found("inputs: words, targets: y", layers, "binary_crossentropy", "accuracy")
    assert said.shown == ()


def test_of_several_inputs_the_one_that_is_taken_as_it_is_is_scaled() -> None:
    branches = (
        "{layers: [{Embedding: {input_dim: 50, output_dim: 4}, from: words}, "
        "{Flatten: {}, name: flat}, {Concatenate: {}, from: [flat, size]}, "
        "{Dense: {units: 1, activation: sigmoid}}]}"
    )
    said = found("inputs: [words, size], targets: y", branches, "binary_crossentropy", "accuracy")
    (fault,) = said.shown
    assert fault.code == "DL102"
    assert fault.overrides == ("preprocess=[{standardize: {columns: [size]}}]",)
    config = load_config("c.yaml", fault.overrides)
    assert data_findings(config, load_rows(config)).shown == ()


def test_words_are_rebuilt_from_a_narrow_code() -> None:
    layers = (
        f"{{layers: [{EMBEDDING}, {{LSTM: {{units: 16, return_sequences: true}}}}, "
        "{Dense: {units: 50, activation: softmax}}]}"
    )
    said = found(
        "inputs: words, targets: words", layers, "sparse_categorical_crossentropy", "accuracy"
    )
    assert said.shown == ()


@pytest.mark.parametrize(
    ("first", "told"),
    [(EMBEDDING, False), ("{Rescaling: 0.1}", True)],
)
def test_a_word_that_begins_every_sequence_is_no_constant_column(first: str, *, told: bool) -> None:
    said = found(
        "inputs: begun, targets: y", f"{{layers: [{first}, {LAST}]}}", "binary_crossentropy", "auc"
    )
    assert ("begun[0] has the same value in all training rows" in str(said)) is told
