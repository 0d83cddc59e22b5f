"""A config names its task; learning from targets is the default."""

from __future__ import annotations

from collections.abc import Callable

from dlrun.config.schema import Config
from dlrun.registry.families import TASKS
from dlrun.tasks import LearningTask, OtherTask

CONFIG = """
    dataset: {source: sklearn, name: diabetes}
    architecture: {layers: [{Dense: 1}]}
    loss: mse
    optimizer: sgd
"""


def test_every_task_can_run() -> None:
    assert TASKS.names() == ["descent", "supervised"]
    for name in TASKS.names():
        assert issubclass(TASKS.get(name), LearningTask | OtherTask)


def test_the_default_task_is_supervised(
    config: Callable[..., Config],
) -> None:
    default, named = config(CONFIG), config(CONFIG, task="supervised")
    assert (
        LearningTask.of(default).member_name()
        == LearningTask.of(named).member_name()
        == "supervised"
    )
