"""What the benchmark trains: by a hand-written script, and by dlrun with the equivalent config."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CONFIGS = HERE.parent / "configs"
BOOK = CONFIGS / "book"


@dataclass(frozen=True)
class Workload:
    """One experiment, both ways.

    Args:
        script: Name of the hand-written Keras script.
        config: The equivalent config.
        epochs: Epochs of each.
        metric: What both report of the last epoch, as the history names it.
        dataset: What Keras calls the data, `gru` and `jena` for synthetic rows, `reviews` for
            the folder of raw reviews that the config names, `photos` for its photos; None if it
            comes with scikit-learn.
        words: Words that the config pads each row to, if it does.
        command: The command of dlrun.
        variant: Which of its experiments the script runs, if it holds several.
    """

    script: str
    config: Path
    epochs: int
    metric: str
    dataset: str | None = None
    words: int | None = None
    command: str = "train"
    variant: str | None = None


BOSTON = Workload(
    "boston_kfold",
    BOOK / "boston_kfold.yaml",
    500,
    "val_mae",
    "boston_housing",
    command="kfold",
)


def of_book(script: str, variant: str, epochs: int, metric: str = "val_accuracy") -> Workload:
    """Return one of the book's networks on the reviews or the newswires."""
    config = BOOK / f"{script}_{variant}.yaml"
    return Workload(script, config, epochs, metric, script, variant=variant)


def own(script: str, epochs: int, metric: str, dataset: str | None, **options: Any) -> Workload:
    """Return an experiment whose config was written for the benchmark."""
    return Workload(script, HERE / "configs" / f"{script}.yaml", epochs, metric, dataset, **options)


WORKLOADS = {
    "boston-500": BOSTON,
    "boston-100": replace(BOSTON, epochs=100),
    "boston-final": Workload(
        "boston_final", BOOK / "boston_final.yaml", 80, "mae", "boston_housing"
    ),
    "digits": Workload("digits", CONFIGS / "digits.yaml", 30, "val_accuracy"),
    "digits-20": own("digits_20", 10, "val_accuracy", None),
    "mnist-dense": Workload("mnist_dense", BOOK / "mnist_dense.yaml", 5, "accuracy", "mnist"),
    "mnist-convnet": own("mnist_convnet", 3, "accuracy", "mnist"),
    **{
        f"imdb-{variant}": of_book("imdb", variant, 20)
        for variant in ("dense", "smaller", "bigger", "l1", "l2", "dropout")
    },
    "imdb-final": of_book("imdb", "final", 4, "accuracy"),
    "reuters-dense": of_book("reuters", "dense", 20),
    "reuters-bottleneck": of_book("reuters", "bottleneck", 20),
    "imdb-raw": Workload("imdb_raw", BOOK / "imdb_raw_one_hot.yaml", 4, "val_accuracy", "reviews"),
    "imdb-lstm": own("imdb_lstm", 5, "val_accuracy", "imdb", words=500),
    "imdb-conv1d": own("imdb_conv1d", 4, "val_accuracy", "imdb", words=500),
    "customers": own("customers", 3, "val_accuracy", "customers"),
    "jena-gru": own("jena_gru", 3, "val_mae", "jena"),
    "photos": own("photos", 10, "val_accuracy", "photos"),
    "gru": own("gru", 10, "val_loss", "gru"),
}
