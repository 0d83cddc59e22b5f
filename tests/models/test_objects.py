"""Checked components become the Keras objects that they describe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml

from dlrun.config.document import Reporter
from dlrun.config.keras_components import dump_component, metric_names, read_component
from dlrun.errors import ComponentError
from dlrun.models.compiling import compile_model
from dlrun.models.objects import build_object
from dlrun.registry.keras_component import KerasComponent, KerasKind

keras = pytest.importorskip("keras")

VALID: dict[KerasKind, str] = {
    "layer": """
        - Dense: {units: 512, activation: relu}
        - Dense: 10
        - Dense: {units: 16, activation: relu, kernel_regularizer: {L2: 0.001}}
        - Dense: {units: 16, kernel_regularizer: {L1L2: {l1: 0.001, l2: 0.001}}}
        - Dense: {units: 16, kernel_regularizer: l1, use_bias: no}
        - Dense: {units: 1, activation: null, kernel_initializer: {HeNormal: {seed: 3}}}
        - Dense: {units: 1, kernel_initializer: he_uniform, bias_initializer: {Constant: 0.1}}
        - Dense: {units: 8, activation: selu, kernel_initializer: lecun_normal}
        - Dense: {units: 8, activation: {LeakyReLU: {negative_slope: 0.2}}}
        - Dense: {units: 8, kernel_constraint: {MaxNorm: 3}, dtype: float32, trainable: false}
        - Dense: {units: 8, name: head}
        - Conv2D: {filters: 32, kernel_size: 3, activation: relu}
        - Conv2D: {filters: 32, kernel_size: [3, 3], strides: 2, padding: same}
        - Conv2D: {filters: 32, kernel_size: [3, 3], padding: SAME, data_format: channels_last}
        - Conv2D: {filters: 8, kernel_size: 3, dilation_rate: [2, 2], use_bias: false}
        - SeparableConv2D: {filters: 64, kernel_size: 3, activation: relu}
        - Conv1D: {filters: 32, kernel_size: 7, activation: relu}
        - Conv1D: {filters: 32, kernel_size: 5, padding: causal}
        - Conv3D: {filters: 4, kernel_size: 3}
        - MaxPooling2D
        - MaxPooling2D: 2
        - MaxPooling2D: [2, 2]
        - MaxPooling2D: {pool_size: [3, 3], strides: 2}
        - MaxPooling1D: 5
        - AveragePooling2D: {pool_size: 3, strides: 1, padding: same}
        - GlobalMaxPooling1D
        - GlobalAveragePooling2D
        - Flatten
        - Reshape: [28, 28, 1]
        - Reshape: {target_shape: [-1, 4]}
        - Permute: [2, 1]
        - RepeatVector: 3
        - Dropout: 0.5
        - Dropout: {rate: 0, noise_shape: null, seed: 1}
        - Dropout: {rate: 0.2, noise_shape: [null, 1, 8]}
        - SpatialDropout1D: 0.2
        - GaussianNoise: 0.1
        - AlphaDropout: 0.1
        - BatchNormalization
        - BatchNormalization: {momentum: 0.9, axis: -1}
        - LayerNormalization: {axis: [1, 2]}
        - Embedding: {input_dim: 10000, output_dim: 8}
        - Embedding: {input_dim: 10000, output_dim: 8, mask_zero: true}
        - Masking: -1
        - SimpleRNN: 32
        - SimpleRNN: {units: 32, return_sequences: true}
        - LSTM: {units: 32, dropout: 0.2, recurrent_dropout: 0.2, activation: tanh}
        - GRU: {units: 32, dropout: 0.1, recurrent_dropout: 0.5, return_sequences: true, seed: 1}
        - Bidirectional: {LSTM: 32}
        - Bidirectional: {layer: {GRU: {units: 32, return_sequences: true}}, merge_mode: sum}
        - Bidirectional: {layer: {LSTM: 4}, merge_mode: null}
        - TimeDistributed: {Dense: 8}
        - TimeDistributed: Flatten
        - RNN: {LSTMCell: 4}
        - RNN: [{LSTMCell: 4}, {GRUCell: 3}]
        - RNN: {cell: {StackedRNNCells: [{LSTMCell: 4}]}, return_sequences: true}
        - ConvLSTM2D: {filters: 4, kernel_size: 3}
        - Concatenate
        - Concatenate: {axis: -1}
        - Concatenate: 1
        - Add
        - Multiply
        - Dot: [1, 1]
        - Activation: softmax
        - LeakyReLU: 0.1
        - PReLU: {shared_axes: [1, 2]}
        - Softmax: {axis: [1, 2]}
        - ZeroPadding2D: 1
        - ZeroPadding2D: [[1, 0], [1, 0]]
        - ZeroPadding1D: [1, 2]
        - Cropping2D: [[2, 2], [2, 2]]
        - UpSampling2D: {size: [2, 2], interpolation: bilinear}
        - Rescaling: 0.00392156862745098
        - Rescaling: {scale: 0.0078, offset: -1}
        - Resizing: {height: 150, width: 150, interpolation: bicubic}
        - RandomFlip: horizontal
        - RandomRotation: 0.1
        - RandomRotation: [-0.1, 0.1]
        - RandomZoom: {height_factor: [-0.2, 0.2], fill_mode: nearest}
        - RandomTranslation: {height_factor: 0.2, width_factor: 0.2}
        - RandomContrast: 0.2
        - Pipeline: [{RandomFlip: horizontal}, {RandomRotation: 0.1}]
        - MultiHeadAttention: {num_heads: 2, key_dim: 16}
        - SpectralNormalization: {Dense: 3}
        - Normalization: {axis: -1, mean: 0.5, variance: 1}
        - Discretization: {bin_boundaries: [0, 1.5, 2]}
        - CategoryEncoding: {num_tokens: 5, output_mode: one_hot}
        - EinsumDense: {equation: "abc,cd->abd", output_shape: [null, 64], bias_axes: d}
    """,
    "optimizer": """
        - rmsprop
        - adam
        - sgd: 0.01
        - SGD: {learning_rate: 0.01, momentum: 0.9, nesterov: true}
        - RMSprop: {learning_rate: 1.0e-4, clipnorm: 1}
        - AdamW: {weight_decay: 0.004}
        - Adam: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: 100}}
        - Adam: {learning_rate: {ExponentialDecay: {initial_learning_rate: 0.1,
            decay_steps: 100, decay_rate: 0.96, staircase: true}}, epsilon: 1}
        - Adam: {learning_rate: {PiecewiseConstantDecay: {boundaries: [10], values: [0.1, 0.01]}}}
        - LossScaleOptimizer: adam
        - Lamb
    """,
    "loss": """
        - mse
        - binary_crossentropy
        - categorical_crossentropy
        - sparse_categorical_crossentropy
        - crossentropy
        - MeanSquaredError
        - CategoricalGeneralizedCrossEntropy
        - BinaryCrossentropy: {from_logits: true, label_smoothing: 0.1}
        - Huber: 0.5
        - mse: {reduction: none}
    """,
    "metric": """
        - mae
        - accuracy
        - acc
        - AUC
        - AUC: {curve: PR, num_thresholds: 50}
        - Precision: {thresholds: [0.2, 0.8]}
        - Recall: {class_id: 1, top_k: 1}
        - TopKCategoricalAccuracy: 3
        - F1Score: macro
        - RootMeanSquaredError
        - MeanIoU: 3
        - R2Score
    """,
    "callback": """
        - EarlyStopping: {monitor: val_loss, patience: 10, restore_best_weights: true, verbose: 1}
        - EarlyStopping: val_mae
        - ReduceLROnPlateau: {monitor: val_loss, factor: 0.1, patience: 10}
        - ModelCheckpoint: {filepath: best.keras, save_best_only: true, monitor: val_loss}
        - ModelCheckpoint: {filepath: best.keras, save_freq: 100}
        - TensorBoard: {log_dir: logs, histogram_freq: 1, update_freq: 100}
        - CSVLogger: log.csv
        - TerminateOnNaN
    """,
}
"""What the book's configs and their readers write."""

EXAMPLES = [(kind, value) for kind, text in VALID.items() for value in yaml.safe_load(text)]


def read(kind: KerasKind, value: Any) -> KerasComponent:
    report = Reporter()
    component = read_component(kind, value, ("place",), report)
    assert report.problems() == []
    assert component is not None
    return component


@pytest.mark.parametrize(("kind", "value"), EXAMPLES, ids=lambda value: str(value)[:60])
def test_what_keras_takes_is_not_refused(kind: KerasKind, value: Any) -> None:
    component = read(kind, value)
    built = build_object(component)
    if not isinstance(built, str):
        assert type(built).__name__ == component.name
    build_object(read(kind, dump_component(component)))


def test_arguments_reach_the_object() -> None:
    layer = build_object(read("layer", {"Dense": {
        "units": 7, "activation": "tanh", "kernel_regularizer": {"L2": 0.25},
        "bias_initializer": {"Constant": 3.0}, "kernel_constraint": "non_neg"}}))  # fmt: skip
    assert layer.units == 7
    assert layer.activation is keras.activations.tanh
    assert float(layer.kernel_regularizer.l2) == 0.25
    assert isinstance(layer.kernel_constraint, keras.constraints.NonNeg)
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.get_weights()[1], np.full(7, 3.0))

    optimizer = build_object(read("optimizer", {"rmsprop": {"ExponentialDecay": {
        "initial_learning_rate": 0.5, "decay_steps": 1, "decay_rate": 0.5}}}))  # fmt: skip
    assert isinstance(optimizer, keras.optimizers.RMSprop)
    assert float(keras.ops.convert_to_numpy(optimizer.learning_rate)) == 0.5


def test_a_refusal_by_keras_names_the_component() -> None:
    component = read("layer", {"Bidirectional": {"Dense": 3}})
    with pytest.raises(ComponentError) as caught:
        build_object(component)
    assert str(caught.value) == (
        "Keras refused Bidirectional: Unrecognized keyword arguments passed to Dense: "
        "{'go_backwards': True}"
    )
    assert caught.value.path == ("place", "Bidirectional")
    inner = read("layer", {"TimeDistributed": {"CenterCrop": {"height": 3, "width": 3}}})
    inner.arguments["layer"].arguments["height"] = "three"
    inner.arguments["layer"].arguments["data_format"] = "sideways"
    with pytest.raises(ComponentError) as caught:
        build_object(inner)
    assert caught.value.path == ("place", "TimeDistributed", "layer", "CenterCrop")
    assert "data_format" in str(caught.value)


@pytest.mark.slow
def test_metrics_are_named_in_the_history_as_the_config_says() -> None:
    given = ["accuracy", "acc", "mse", "MeanAbsoluteError", {"AUC": {"curve": "PR"}},
             {"AUC": {"num_thresholds": 50}}, {"Precision": {"thresholds": 0.3}},
             {"BinaryAccuracy": {"name": "agreement"}}, {"LogCoshError": {"dtype": "float32"}},
             {"FBetaScore": {"beta": 2.0, "threshold": 0.5}}]  # fmt: skip
    metrics = [read("metric", value) for value in given]
    x, y = np.zeros((4, 2), "float32"), np.array([[0.0], [1.0], [0.0], [1.0]], "float32")
    # Twice, because Keras counts the objects of a process: auc, then auc_1 in the next fold.
    for _ in range(2):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
        compile_model(model, read("loss", "mse"), read("optimizer", "sgd"), metrics)
        history = model.fit(x, y, epochs=1, verbose=0).history
        assert set(history) == {
            "loss",
            *metric_names(metrics),
        }
