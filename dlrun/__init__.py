"""dlrun: run Keras experiments from one YAML file, and get a result you can trust.

>>> import dlrun
>>> run = dlrun.train("configs/digits.yaml")
>>> run.score, run.path
>>> dlrun.runs()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dlrun.workflows.compare import compare as compare
    from dlrun.workflows.evaluate import evaluate as evaluate
    from dlrun.workflows.finalize import finalize as finalize
    from dlrun.workflows.kfold import kfold as kfold
    from dlrun.workflows.look import look as look
    from dlrun.workflows.predict import predict as predict
    from dlrun.workflows.resume import resume as resume
    from dlrun.workflows.run import Run as Run
    from dlrun.workflows.runs import runs as runs
    from dlrun.workflows.search import search as search
    from dlrun.workflows.train import train as train

__all__ = [
    "Run",
    "__version__",
    "compare",
    "evaluate",
    "finalize",
    "kfold",
    "look",
    "predict",
    "resume",
    "runs",
    "search",
    "train",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    # Imported when asked for, so that `import dlrun` and `dlrun --help` stay quick.
    if name in __all__:
        from importlib import import_module

        module = import_module(f"dlrun.workflows.{name.lower()}")
        return getattr(module, name)
    raise AttributeError(f"module 'dlrun' has no attribute '{name}'")
