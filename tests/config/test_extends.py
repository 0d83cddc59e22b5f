"""`extends`: what a config takes over from another one, and what it replaces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from spellings import assert_holds, canonical

from dlrun.config import extends
from dlrun.config.document import Reporter
from dlrun.config.dump import dump_config
from dlrun.config.extends import read_files
from dlrun.config.load import load_config
from dlrun.config.yaml_reader import read_yaml
from dlrun.data.reading.files import find_files
from dlrun.errors import DataError

BASE = """
name: base
seed: 7
dataset: {source: sklearn, name: digits, limit: {first: 100}}
preprocess: [{rescale: 1/16}]
architecture:
  layers: [{Dense: 64}, {Dense: 10}]
loss: mse
optimizer: {rmsprop: {learning_rate: 0.01, rho: 0.8}}
metrics: [mae, mse]
training: {epochs: 5, batch_size: 16, class_weight: {0: 1.0, 1: 2.0}}
evaluation: {protocol: kfold, folds: 4, shuffle: false, groups: patient, score: mse}
"""


def merged(folder: Path, child: str, base: str = BASE) -> dict[str, Any]:
    """The merged config as plain data."""
    (folder / "base.yaml").write_text(base, encoding="utf-8")
    (folder / "child.yaml").write_text(f"extends: base.yaml\n{child}", encoding="utf-8")
    report = Reporter()
    root, _ = read_files(folder / "child.yaml", report)
    assert report.problems() == []
    assert root is not None
    plain: dict[str, Any] = root.plain()
    return plain


def test_a_child_that_says_nothing_is_its_base_under_its_own_name(tmp_path: Path) -> None:
    base = yaml.safe_load(BASE)
    del base["name"]
    assert merged(tmp_path, "") == canonical(base)
    assert load_config(tmp_path / "child.yaml").name == "child"


@pytest.mark.parametrize(
    ("child", "section", "expected"),
    [
        # Mappings merge; plain values and lists replace.
        (
            "training: {epochs: 9, class_weight: {1: 3.0}}",
            "training",
            {"epochs": 9, "batch_size": 16, "class_weight": {0: 1.0, 1: 3.0}},
        ),
        ("training: {class_weight: balanced}", "training.class_weight", "balanced"),
        ("training:", "training.epochs", 5),
        ("metrics: [acc]", "metrics", ["acc"]),
        ("metrics:", "metrics", None),
        ("architecture: {layers: [Flatten]}", "architecture", {"layers": ["Flatten"]}),
        ("preprocess: []", "preprocess", []),
        # Another component replaces; the same one keeps the arguments that stand in the base.
        ("optimizer: adam", "optimizer", "adam"),
        ("optimizer: {adam: {learning_rate: 1.0}}", "optimizer", {"adam": {"learning_rate": 1.0}}),
        (
            "optimizer: {rmsprop: {rho: 0.5}}",
            "optimizer",
            {"rmsprop": {"learning_rate": 0.01, "rho": 0.5}},
        ),
        (
            "optimizer: {RMSprop: {rho: 0.5}}",
            "optimizer",
            {"RMSprop": {"learning_rate": 0.01, "rho": 0.5}},
        ),
        ("optimizer: {rmsprop: 0.5}", "optimizer", {"rmsprop": {"learning_rate": 0.5, "rho": 0.8}}),
        ("optimizer: rmsprop", "optimizer", "rmsprop"),
        ("loss: {Huber: 0.5}", "loss", {"Huber": 0.5}),
        # Another source replaces the whole data set; a choice takes the place of another.
        ("dataset: {source: csv, path: a.csv}", "dataset", {"source": "csv", "path": "a.csv"}),
        ("dataset: {name: iris}", "dataset.limit", {"first": 100}),
        ("dataset: {limit: {random: 9}}", "dataset.limit", {"random": 9}),
        # Options that only the other protocol has must not remain.
        (
            "evaluation: {protocol: holdout}",
            "evaluation",
            {"protocol": "holdout", "shuffle": False, "groups": "patient", "score": "mse"},
        ),
        (
            "evaluation: {protocol: time_series, gap: 2}",
            "evaluation",
            {
                "protocol": "time_series",
                "folds": 4,
                "shuffle": False,
                "groups": "patient",
                "score": "mse",
                "gap": 2,
            },
        ),
        ("evaluation: {folds: 9}", "evaluation.protocol", "kfold"),
    ],
)
def test_what_a_child_changes(tmp_path: Path, child: str, section: str, expected: object) -> None:
    config = merged(tmp_path, child)
    assert_holds(config, section.split("."), expected)


SEVERAL = """
architecture:
  layers: [{Dense: 1, name: y}, {Dense: 1, name: z}]
  outputs: [y, z]
loss: {y: {huber: {delta: 0.5}}, z: mse}
loss_weights: {y: 1.0, z: 2.0}
metrics: {y: mae, z: [mae, mse]}
"""


@pytest.mark.parametrize(
    ("child", "key", "expected"),
    [
        ("metrics: {z: [mse]}", "metrics", {"y": "mae", "z": ["mse"]}),
        ("loss: {z: mae}", "loss", {"y": {"huber": {"delta": 0.5}}, "z": "mae"}),
        (
            "loss: {y: {huber: {reduction: sum}}}",
            "loss",
            {"y": {"huber": {"delta": 0.5, "reduction": "sum"}}, "z": "mse"},
        ),
        ("loss: mae", "loss", "mae"),
        ("metrics: [mae]", "metrics", ["mae"]),
        ("loss_weights: {z: 3.0}", "loss_weights", {"y": 1.0, "z": 3.0}),
        # Outputs that there are no more take their losses with them.
        ("architecture: {outputs: [z, u]}\nloss: {u: mae}", "loss", {"z": "mse", "u": "mae"}),
    ],
)
def test_settings_by_output_merge_by_output(
    tmp_path: Path, child: str, key: str, expected: object
) -> None:
    assert_holds(merged(tmp_path, child, SEVERAL), [key], expected)


def test_the_only_output_may_be_called_like_a_loss(tmp_path: Path) -> None:
    base = "architecture: {layers: [{Dense: 1, name: mse}]}\nloss: {mse: {reduction: sum}}\n"
    assert merged(tmp_path, "loss: {huber: {delta: 0.5}}", base)["loss"] == {
        "huber": {"delta": 0.5}
    }


def test_a_schedule_of_another_name_replaces_the_one_in_the_base(tmp_path: Path) -> None:
    base = BASE.replace("0.01", "{ExponentialDecay: {decay_steps: 9, decay_rate: 0.5}}")
    child = "optimizer: {rmsprop: {learning_rate: {CosineDecay: {decay_steps: 3}}}}"
    optimizer = merged(tmp_path, child, base)["optimizer"]
    assert optimizer == {
        "rmsprop": {"learning_rate": {"CosineDecay": {"decay_steps": 3}}, "rho": 0.8}
    }
    child = "optimizer: {rmsprop: {learning_rate: {ExponentialDecay: {decay_steps: 3}}}}"
    schedule = merged(tmp_path, child, base)["optimizer"]["rmsprop"]["learning_rate"]
    assert schedule == {"ExponentialDecay": {"decay_steps": 3, "decay_rate": 0.5}}


def test_a_chain_across_folders(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data.yaml").write_text("seed: 1\nmetrics: [mae]\n", encoding="utf-8")
    (tmp_path / "shared" / "model.yaml").write_text(
        "extends: data.yaml\nseed: 2\nloss: mse\n", encoding="utf-8"
    )
    (tmp_path / "run.yaml").write_text("extends: shared/model.yaml\nloss: mae\n", encoding="utf-8")
    report = Reporter()
    root, content = read_files(tmp_path / "run.yaml", report)
    assert root is not None
    assert root.plain() == canonical({"seed": 2, "metrics": ["mae"], "loss": "mae"})
    assert content == b"extends: shared/model.yaml\nloss: mae\n"
    places = {key: root.locate((key,)).text for key in ("seed", "metrics", "loss")}
    assert places == {
        "seed": f"{tmp_path}/shared/model.yaml:2:7",
        "metrics": f"{tmp_path}/shared/data.yaml:2:10",
        "loss": f"{tmp_path}/run.yaml:2:7",
    }


REST = "architecture: {layers: [{Dense: 1}]}\nloss: mse\noptimizer: adam\n"


def test_every_path_starts_at_the_file_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("shared", "own", "here"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shared" / "base.yaml").write_text(
        "dataset: {source: csv, path: [rows.csv, ../more.csv], target: y, test: {path: t.csv}}\n"
        f"evaluation: {{validation: {{path: v.csv}}}}\n{REST}",
        encoding="utf-8",
    )
    child = tmp_path / "own" / "child.yaml"
    child.write_text(
        "extends: ../shared/base.yaml\ndataset: {test: {path: t.csv}}\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path / "here")

    def paths(*overrides: str) -> list[Any]:
        given = dump_config(load_config(Path("../own/child.yaml"), overrides, allow_outside=True))
        (tmp_path / "own" / "resolved.yaml").write_text(json.dumps(given))
        assert dump_config(load_config(tmp_path / "own" / "resolved.yaml")) == given
        dataset, held_out = given["dataset"], given["evaluation"]["validation"]
        named = [*dataset["path"], dataset["test"]["path"], held_out["path"]]
        return [str(Path(path).resolve().relative_to(tmp_path)) for path in named]

    assert paths() == ["shared/rows.csv", "more.csv", "own/t.csv", "shared/v.csv"]
    assert paths(
        "dataset.path.1=o.csv", "dataset.test.path=o.csv", "evaluation.validation.path=o.csv"
    ) == ["shared/rows.csv", "here/o.csv", "here/o.csv", "here/o.csv"]


def test_paths_that_are_given_to_blocks_start_at_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "c.yaml"
    file.write_text(
        """
dataset: {source: csv, path: rows.csv, target: y}
blocks:
  old: {parameters: [folder, units], layers: [{run: $folder}, {Dense: $units}]}
  outer:
    parameters: {from_run: runs/a, units: 3}
    layers: [{old: {folder: $from_run, units: $units}}]
  net: {parameters: [start], layers: [{application: {VGG16: {weights: $start}}}]}
architecture:
  layers:
    [{old: {folder: b, units: 2}}, outer, {outer: c}, {net: w.h5}, {net: imagenet}, {Dense: 1}]
loss: mse
optimizer: adam
""",
        encoding="utf-8",
    )
    config, own = load_config(file), tmp_path / "own"
    given = [entry.block.parameters for entry in config.architecture.layers if entry.block]
    assert given == [
        {"folder": str(own / "b"), "units": 2},
        {"from_run": str(own / "runs" / "a"), "units": 3},
        {"from_run": str(own / "c"), "units": 3},
        {"start": str(own / "w.h5")},
        {"start": "imagenet"},
    ]


def test_a_folder_whose_name_looks_like_a_glob_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "x[1]*"
    folder.mkdir()
    for name in ("a.csv", "b.csv", "c[2].csv"):
        (folder / name).write_text("y\n1\n", encoding="utf-8")
    file = folder / "c.yaml"

    def found(path: str) -> list[str]:
        file.write_text(f"dataset: {{source: csv, path: '{path}', target: y}}\n{REST}")
        given = dump_config(load_config(file))["dataset"]["path"]
        return [str(found.relative_to(folder)) for found in find_files(given, Path("/nowhere"))]

    assert found("*.csv") == ["a.csv", "b.csv", "c[2].csv"]
    assert found("[ab].csv") == ["a.csv", "b.csv"]
    assert found("c[2].csv") == ["c[2].csv"]
    assert found("a.csv") == ["a.csv"]
    assert [path.name for path in find_files("[ab].*", folder)] == ["a.csv", "b.csv"]
    with pytest.raises(DataError, match=r"aa.csv: no such file; did you mean 'a.csv'"):
        found("aa.csv")


def test_what_stands_beside_a_choice_is_kept_with_it(tmp_path: Path) -> None:
    base = "dataset: {test: {fraction: 0.2}}\n"
    assert merged(tmp_path, "dataset: {test: {shuffle: false}}", base)["dataset"]["test"] == {
        "fraction": 0.2, "shuffle": False,
    }  # fmt: skip
    base = "dataset: {test: {fraction: 0.2, shuffle: false}}\n"
    assert merged(tmp_path, "dataset: {test: {fraction: 0.3}}", base)["dataset"]["test"] == {
        "fraction": 0.3, "shuffle": False,
    }  # fmt: skip
    other = merged(tmp_path, "dataset: {test: {path: t.csv}}", base)
    assert other["dataset"]["test"] == {"path": "t.csv"}


def test_each_file_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = list[str]()

    def counting(text: str, *others: Any) -> Any:
        parsed.append(text)
        return read_yaml(text, *others)

    monkeypatch.setattr(extends, "read_yaml", counting)
    (tmp_path / "base.yaml").write_text("loss: mse\n")
    (tmp_path / "child.yaml").write_text("extends: base.yaml\nseed: 1\n")
    root, _ = read_files(tmp_path / "child.yaml", Reporter())
    assert root is not None
    assert root.plain() == {"loss": {"mse": {}}, "seed": 1}
    assert len(parsed) == 2
