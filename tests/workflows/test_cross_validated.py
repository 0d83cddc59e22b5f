"""`dlrun kfold` cross-validates whatever protocol a config names, and keeps what they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlrun.config.dump import dump_config
from dlrun.config.load import load_config
from dlrun.registry.families import PROTOCOLS
from dlrun.workflows.kfold import cross_validated

CONFIG = """
dataset: {{source: sklearn, name: iris}}
architecture: {{layers: [{{Dense: 3}}]}}
loss: mse
optimizer: adam
evaluation: {evaluation}
"""


def evaluation_of(tmp_path: Path, given: str, folds: int | None, iterations: int | None) -> Any:
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG.format(evaluation=given))
    changed = cross_validated(load_config(file), folds, iterations)
    return dump_config(changed)["evaluation"]


@pytest.mark.parametrize("protocol", PROTOCOLS.names())
def test_every_protocol_becomes_k_fold(protocol: str, tmp_path: Path) -> None:
    evaluation = evaluation_of(tmp_path, f"{{protocol: {protocol}, score: loss}}", 4, None)
    wanted = "iterated_kfold" if protocol == "iterated_kfold" else "kfold"
    assert (evaluation["protocol"], evaluation["folds"]) == (wanted, 4)
    assert evaluation["score"] == "loss"
    again = evaluation_of(tmp_path, f"{{protocol: {protocol}}}", None, 2)
    assert (again["protocol"], again["iterations"]) == ("iterated_kfold", 2)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("{protocol: holdout, groups: town, validation: 0.3}", {"groups": "town", "folds": 5}),
        ("{protocol: holdout, stratify: false}", {"stratify": False}),
        ("{protocol: kfold, folds: 7, shuffle: false}", {"folds": 7, "shuffle": False}),
        ("{protocol: kfold, validation: fold}", {"validation": "fold"}),
        ("{protocol: kfold, validation: {samples: 9}}", {"validation": {"samples": 9}}),
        ("{protocol: iterated_kfold, folds: 4, iterations: 6}", {"folds": 4, "iterations": 6}),
        ("{protocol: time_series, folds: 9, gap: 2}", {"folds": 5, "shuffle": True}),
    ],
)
def test_what_they_share_is_kept(given: str, kept: dict[str, Any], tmp_path: Path) -> None:
    evaluation = evaluation_of(tmp_path, given, None, None)
    assert {key: evaluation[key] for key in kept} == kept
    assert "gap" not in evaluation
