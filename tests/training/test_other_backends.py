"""What runs on JAX: the same tests of training, without TensorFlow, and the same digits twice.

Keras has one backend in a process, so that these tests share one of their own for each backend.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import dlrun

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent

CONFIG = """\
dataset: {source: sklearn, name: iris}
preprocess: [standardize]
architecture:
  layers:
    - Dense: {units: 8, activation: relu}
    - Dropout: 0.2
    - Dense: {units: 3, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: rmsprop
metrics: [accuracy]
training:
  epochs: 8
  batch_size: 16
  callbacks: [{EarlyStopping: {patience: 2}}, {ModelCheckpoint: {filepath: best.keras}}]
evaluation: {protocol: kfold, folds: 3}
"""


SERVER = """
import contextlib, io, json, os, sys, traceback

for line in sys.stdin:
    folder, sys.argv, code = json.loads(line)
    os.chdir(folder)
    said, failed = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(code, "<test>", "exec"), {"__name__": "__test__"})
    except SystemExit as end:
        failed = end.code or None
    except BaseException:
        failed = traceback.format_exc()
    print(json.dumps([said.getvalue(), failed]), flush=True)
"""
COMMAND = "import sys; from dlrun.cli.main import main; main(sys.argv[1:])"

On = Callable[..., str]


@pytest.fixture(scope="module")
def on() -> Iterator[On]:
    """Runs Python, or a command of dlrun, with a backend and returns what it prints."""
    processes: dict[str, subprocess.Popen[str]] = {}

    def run(backend: str, *arguments: str, code: str = COMMAND, cwd: Path) -> str:
        if find_spec(backend) is None:
            pytest.skip(f"{backend} is not installed")
        if backend not in processes:
            processes[backend] = subprocess.Popen(
                [sys.executable, "-c", SERVER],
                env={**os.environ, "KERAS_BACKEND": backend},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        process = processes[backend]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([str(cwd), ["dlrun", *arguments], code]) + "\n")
        process.stdin.flush()
        said, failed = json.loads(process.stdout.readline())
        assert failed is None, f"{said}\n{failed}"
        return str(said)

    yield run
    for process in processes.values():
        process.communicate()


MODULES = (
    "test_engine_fuzzer.py",
    "test_folds_together.py",
    "test_fused_callbacks.py",
    "test_fused_histories.py",
    "test_naive_engine.py",
    "test_own_unit.py",
    "test_saved_fits.py",
    "test_trainer.py",
    "test_window_inputs.py",
)


@pytest.mark.timeout(1800)
@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_the_tests_of_engines_pass_on_jax() -> None:
    run_tests("jax", *MODULES, "-m", "not slow or engines")


@pytest.mark.timeout(1800)
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_the_loop_from_scratch_is_that_of_fit_on_torch() -> None:
    run_tests("torch", "test_naive_engine.py", "-m", "not slow or engines")


@pytest.mark.timeout(1800)
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_killed_runs_go_on_on_torch() -> None:
    # Dropout draws from a generator there that no layer owns.
    run_tests("torch", "../workflows/test_resume.py", "-m", "slow", "-k", "whatever and keras")


def run_tests(backend: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "pytest", *arguments]
    command += ["-q", "-p", "no:cacheprovider", "-n", "0"]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    ran = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


WHOLE_WAY = """
import sys
import dlrun

runs = [dlrun.train("iris.yaml", overrides=["backend=" + sys.argv[1]]) for _ in range(2)]
assert runs[0].history.drop(columns="seconds").equals(runs[1].history.drop(columns="seconds"))
assert len(list(runs[0].path.glob("folds/*/model.keras"))) == 3
assert "tensorflow" not in sys.modules
print(runs[0].path)
"""


@pytest.mark.parametrize(("backend", "engine"), [("jax", "fused"), ("torch", "keras")])
def test_a_run_from_config_to_saved_model_does_without_tensorflow(
    on: On, backend: str, engine: str, tmp_path: Path
) -> None:
    (tmp_path / "iris.yaml").write_text(CONFIG)
    printed = on(backend, backend, code=WHOLE_WAY, cwd=tmp_path)
    facts = json.loads((tmp_path / printed.split()[-1] / "run.json").read_text())
    assert (facts["backend"], facts["engine"]["name"]) == (backend, engine)


BOTH_ENGINES = """
import json
import dlrun

for engine in ("fused", "keras"):
    run = dlrun.train(
        "iris.yaml", overrides=["training.callbacks=[]", "training.engine=" + engine]
    )
    print(json.dumps({"score": run.score, "history": run.history.to_dict("list")}))
print((run.path.parent / sorted(p.name for p in run.path.parent.iterdir())[0]))
"""


def test_folds_on_jax_are_trained_together_and_told_in_order(on: On, tmp_path: Path) -> None:
    (tmp_path / "iris.yaml").write_text(CONFIG)
    ours, theirs, path = on("jax", code=BOTH_ENGINES, cwd=tmp_path).splitlines()
    facts = json.loads((tmp_path / path / "run.json").read_text())
    assert facts["engine"]["folds_together"] == 3
    fused, fit = json.loads(ours), json.loads(theirs)
    assert fused["history"]["fold"] == [fold for fold in range(3) for _ in range(8)]
    assert fused["history"]["epoch"] == [*range(1, 9)] * 3
    assert fused["score"] == pytest.approx(fit["score"])
    for name in fit["history"].keys() - {"seconds"}:
        np.testing.assert_allclose(fused["history"][name], fit["history"][name], rtol=1e-4)


STREAMED = """
import sys
import dlrun
import numpy as np

x = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
np.save("x.npy", x)
np.save("y.npy", (x[:, 0] > 0.7).astype(np.int64))
histories = []
for stream in ("true", "false"):
    overrides = [
        "backend=" + sys.argv[1],
        "dataset={source: npz, path: [x.npy, y.npy], stream: " + stream + "}",
        # What Dropout draws on PyTorch depends on how batches are made.
        "architecture.layers.1={Dropout: 0.0}",
        "training.engine=keras",
        "training.callbacks=[]",
        "evaluation={protocol: holdout}",
    ]
    run = dlrun.train("iris.yaml", overrides=overrides)
    histories.append(run.history.drop(columns="seconds"))
assert histories[0].equals(histories[1]), histories
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_streaming_changes_no_digit(on: On, backend: str, tmp_path: Path) -> None:
    (tmp_path / "iris.yaml").write_text(CONFIG)
    on(backend, backend, code=STREAMED, cwd=tmp_path)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_precision_is_mixed_where_there_is_no_gpu(on: On, backend: str, tmp_path: Path) -> None:
    (tmp_path / "iris.yaml").write_text(CONFIG)
    changes = ("training.mixed_precision=true", "training.callbacks=[]", f"backend={backend}")
    words = ["train", "iris.yaml", "--json"]
    printed = on(
        backend, *words, *(w for change in changes for w in ("--set", change)), cwd=tmp_path
    )
    run = json.loads(printed)["run"]
    facts = json.loads((tmp_path / run / "run.json").read_text())
    assert (facts["status"], facts["dtype_policy"]) == ("finished", "mixed_bfloat16")


def test_the_digits_on_torch_are_split_as_on_tensorflow(on: On, tmp_path: Path) -> None:
    digits = HERE.parents[1] / "configs" / "digits.yaml"
    changes = ["training.epochs=1"]
    words = ["train", str(digits), "--json", "--set", "backend=torch", "--set", *changes]
    ours = json.loads(on("torch", *words, cwd=tmp_path))
    assert ours["status"] == "finished"
    theirs = dlrun.train(digits, overrides=changes, runs_dir=tmp_path / "others")
    with (
        np.load(tmp_path / ours["run"] / "splits.npz") as left,
        np.load(theirs.path / "splits.npz") as right,
    ):
        assert set(left) == set(right)
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


SEVERAL = """\
dataset: {source: npz, path: rows.npz, inputs: [left, right], targets: [size, kind]}
preprocess: [{targets: [standardize, one_hot]}]
architecture:
  layers:
    - {Dense: {units: 4, activation: relu}, from: left, name: a}
    - {Dense: {units: 4, activation: relu}, from: right, name: b}
    - {Dense: 1, from: a, name: size}
    - {Dense: {units: 3, activation: softmax}, from: b, name: kind}
  outputs: [size, kind]
loss: {size: mse, kind: categorical_crossentropy}
loss_weights: {size: 0.5}
optimizer: adam
metrics: {size: [mae], kind: [accuracy]}
training: {epochs: 3, batch_size: 16}
evaluation: {protocol: kfold, folds: 3}
"""


def test_several_inputs_and_outputs_of_folds_together_are_those_of_fit(
    on: On, tmp_path: Path
) -> None:
    draw = np.random.default_rng(0)
    left, right = draw.normal(size=(2, 90, 2)).astype(np.float32)
    kind = draw.integers(0, 3, 90)
    np.savez(tmp_path / "rows.npz", left=left, right=right, size=left.sum(axis=1), kind=kind)
    (tmp_path / "c.yaml").write_text(SEVERAL)
    command = ["train", "c.yaml", "--set"]
    found = {}
    for engine in ("auto", "keras"):
        runs = tmp_path / engine
        on("jax", *command, f"training.engine={engine}", "--runs-dir", str(runs), cwd=tmp_path)
        (run,) = (path for path in runs.iterdir() if path.is_dir())
        chosen = json.loads((run / "run.json").read_text())["engine"]
        assert chosen["folds_together"] == (3 if engine == "auto" else 1)
        table = np.genfromtxt(run / "metrics.csv", delimiter=",", names=True)
        found[engine] = {n: table[n] for n in table.dtype.names if n != "seconds"}
    assert {"size_loss", "val_size_mae", "kind_accuracy", "val_loss"} <= found["auto"].keys()
    for name, values in found["keras"].items():
        np.testing.assert_allclose(found["auto"][name], values, rtol=1e-5, err_msg=name)


WHOLE_NUMBERS = """\
import sys, warnings
import numpy as np
import dlrun
from dlrun.errors import DataError

CONFIG = '''
dataset: {source: npz, path: rows.npz, inputs: x, targets: y}
architecture:
  layers:
    - Embedding: {input_dim: 50, output_dim: 2}
    - Flatten
    - Dense: {units: 1, activation: sigmoid}
loss: binary_crossentropy
optimizer: rmsprop
training: {epochs: 1}
'''
draw = np.random.default_rng(0)
words, classes = draw.integers(0, 50, (60, 4)), draw.integers(0, 2, 60)
open("few.yaml", "w").write(CONFIG)
np.savez("rows.npz", x=words, y=classes)
with warnings.catch_warnings():
    warnings.simplefilter("error", UserWarning)
    run = dlrun.train("few.yaml")
assert words.dtype == np.int64
np.savez("rows.npz", x=words + 2**40, y=classes)
try:
    dlrun.train("few.yaml")
except DataError as error:
    print(error)
"""


def test_whole_numbers_are_never_cut_off_on_jax(on: On, tmp_path: Path) -> None:
    said = on("jax", code=WHOLE_NUMBERS, cwd=tmp_path)
    assert said.strip().splitlines()[-1].startswith("the inputs hold the whole number 109951162")
    assert "JAX computes with 32 bits" in said


MASKED = """\
dataset: {source: npz, path: rows.npz, inputs: x, targets: y}
architecture:
  layers:
    - Embedding: {input_dim: 9, output_dim: 4, mask_zero: true}
    - Dense: {units: 3, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: {SGD: 1.0e-12}
metrics: [accuracy]
training: {epochs: 1, batch_size: 16}
"""


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_masks_count_in_the_history_on_jax(on: On, engine: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    words, tags = draw.integers(1, 9, (90, 6)), draw.integers(0, 3, (90, 6))
    words[:, 3:] = 0
    np.savez(tmp_path / "rows.npz", x=words.astype(np.int32), y=tags.astype(np.int32))
    (tmp_path / "c.yaml").write_text(MASKED)
    command = ("train", "c.yaml", "--set", f"training.engine={engine}")
    on("jax", *command, "--runs-dir", "runs", cwd=tmp_path)
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    history = np.genfromtxt(run / "metrics.csv", delimiter=",", names=True)
    splits = np.load(run / "splits.npz")
    # Weights so slow give the same answers in every batch.
    code = (
        f"import keras, numpy; model = keras.models.load_model({str(run / 'model.keras')!r}); "
        "print(model.predict(numpy.arange(9)[:, None], verbose=0)[:, 0].argmax(-1).tolist())"
    )
    chosen = np.array(json.loads(on("jax", code=code, cwd=tmp_path).strip().splitlines()[-1]))
    for part, name in (("train", "accuracy"), ("validation", "val_accuracy")):
        rows = splits[f"fold00_{part}"]
        right = (chosen[words] == tags)[rows][words[rows] > 0]
        assert history[name] == pytest.approx(right.mean(), rel=1e-5)
