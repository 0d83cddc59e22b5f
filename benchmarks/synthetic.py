"""Synthetic data of the shape of the real data, used if that is missing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

FILES = {
    "boston_housing": "boston_housing.npz",
    "imdb": "imdb.npz",
    "mnist": "mnist.npz",
    "reuters": "reuters.npz",
}
"""Keras' name of the file of each data set."""

ALWAYS = {"customers": "customers.csv", "gru": "gru.npz", "jena": "jena.csv"}
"""Data sets that are always synthetic, and the file that they are written to."""

QUANTITIES = 14
WEATHER_ROWS = 420_551
CUSTOMERS = 1_000_000


REVIEWS = Path(__file__).parents[1] / "data" / "aclImdb"
"""Where the raw reviews are, if they are there: the book's configs look for them there, too."""


PHOTOS = REVIEWS.with_name("cats_and_dogs_small")
"""Where the photos of cats and dogs are, if they are there."""


def file_name(dataset: str) -> str:
    """Return the name of the file, or folder, of synthetic rows."""
    if dataset in ("reviews", "photos"):
        return {"reviews": REVIEWS, "photos": PHOTOS}[dataset].name
    return ALWAYS.get(dataset, f"{dataset}.npz")


def is_at_hand(dataset: str) -> bool:
    """Whether a data set is found without the network: by Keras' loader, or in its folder."""
    if dataset in ALWAYS:
        return False
    if dataset in ("reviews", "photos"):
        return {"reviews": REVIEWS, "photos": PHOTOS}[dataset].is_dir()
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return (home / "datasets" / FILES[dataset]).exists()


def write(dataset: str, file: Path, words: int | None) -> None:
    """Write an npz file with `x` and `y`; rows of words are filled up to so many. Weather becomes
    a CSV file, reviews a folder in the layout of aclImdb."""
    if dataset == "reviews":
        _write_reviews(file, np.random.default_rng(0))
        return
    if dataset == "jena":
        _write_weather(file)
        return
    if dataset == "customers":
        _write_customers(file, np.random.default_rng(0))
        return
    if dataset == "photos":
        _write_photos(file, np.random.default_rng(0))
        return
    x, y = _arrays(dataset, np.random.default_rng(0))
    if words is not None:
        x = np.pad(x, ((0, 0), (words - x.shape[1], 0)))
    np.savez(file, x=x, y=y)


def settings(dataset: str, file: Path, words: int | None) -> list[str]:
    """Return the overrides with which dlrun reads the file instead of the real data.

    Args:
        dataset: Name of the data set.
        file: From `write`.
        words: Words that a row is cut to, if the config pads the rows.
    """
    if dataset == "photos":
        return [f"dataset.path={file}", f"evaluation.validation={{path: '{file}/validation'}}"]
    if dataset in ("customers", "jena", "reviews"):
        return [f"dataset.path={file}"]
    changed = [f"dataset={{source: npz, path: '{file}'}}"]
    if dataset in ("imdb", "reuters") and words is None:
        changed.append("preprocess.0={multi_hot: {num_tokens: 10000, columns: [x]}}")
    if words is not None:
        changed.append("preprocess=[]")
    return changed


def _write_reviews(folder: Path, random: np.random.Generator) -> None:
    """25,000 texts of about 240 words, of which few are frequent and most are rare."""
    words = np.array([f"word{number}" for number in range(50_000)])
    for number in range(25_000):
        label = folder / "train" / ("neg", "pos")[number % 2]
        label.mkdir(parents=True, exist_ok=True)
        drawn = random.zipf(1.3, random.integers(100, 380)) % len(words)
        (label / f"{number}.txt").write_text(" ".join(words[drawn]))


def _write_photos(folder: Path, random: np.random.Generator) -> None:
    """1,600 pictures of about 200 by 256, of soft patches with some noise, as JPEG files."""
    from PIL import Image

    for part, count in (("train", 1200), ("validation", 400)):
        for number in range(count):
            label = folder / part / ("cats", "dogs")[number % 2]
            label.mkdir(parents=True, exist_ok=True)
            size = (256, int(random.integers(170, 256)))
            patches = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
            soft = np.asarray(patches.resize(size, Image.Resampling.BICUBIC)).astype(int)
            noisy = np.clip(soft + random.integers(-9, 10, soft.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(label / f"{number:04d}.jpg", quality=90)


def _write_weather(file: Path) -> None:
    """Write a table of the size and layout of the weather of Jena, 2009 to 2016: days and years
    come round, and each quantity wanders beside them."""
    import pandas as pd

    random = np.random.default_rng(0)
    minutes = 10.0 * np.arange(WEATHER_ROWS)[:, np.newaxis]
    phase = random.uniform(0, 2 * np.pi, QUANTITIES)
    values = 4 * np.sin(minutes * 2 * np.pi / 1440 + phase)
    values += 9 * np.sin(minutes * 2 * np.pi / 525_960 + phase)
    wander = random.normal(size=(WEATHER_ROWS, QUANTITIES)).astype(np.float32)
    for row in range(1, WEATHER_ROWS):
        wander[row] += 0.999 * wander[row - 1]
    names = ["p (mbar)", "T (degC)", *(f"quantity {i}" for i in range(QUANTITIES - 2))]
    table = pd.DataFrame(np.round(values + 0.2 * wander, 2), columns=names)
    times = pd.date_range("2009-01-01 00:10", periods=WEATHER_ROWS, freq="10min")
    table.insert(0, "Date Time", times.strftime("%d.%m.%Y %H:%M:%S"))
    table.to_csv(file, index=False)


def _write_customers(file: Path, random: np.random.Generator) -> None:
    """Write a table of 18 columns: ten of numbers, one of them with gaps, a flag, five of
    categories, a date, and whether the customer left."""
    import pandas as pd

    n = CUSTOMERS
    table = {
        "age": random.integers(18, 90, n),
        "income": random.lognormal(10, 0.5, n).round(2),
        "balance": random.normal(1500, 900, n).round(2),
        "loan": random.gamma(2, 5000, n).round(2),
        "rate": random.uniform(1, 9, n).round(3),
        "tenure": random.exponential(30, n).round(1),
        "credit": random.normal(600, 80, n).round(1),
        "children": random.poisson(1, n),
        "calls": random.poisson(4, n),
        "distance": np.where(random.random(n) < 0.05, np.nan, random.exponential(12, n).round(2)),
        "owner": random.random(n) < 0.4,
        "town": _categories("town", random.zipf(1.5, n) % 150),
        "job": _categories("job", random.integers(0, 30, n)),
        "region": _categories("region", random.integers(0, 20, n)),
        "channel": _categories("channel", random.integers(0, 5, n)),
        "plan": _categories("plan", random.integers(0, 3, n)),
        "since": (np.datetime64("2015-01-01") + random.integers(0, 3600, n)).astype(str),
    }
    leaning = table["income"] / 2e4 + (table["age"] - 50) / 30 + (table["credit"] - 600) / 100
    leaning += (table["plan"] == "plan 2") - (table["calls"] - 4) / 4
    table["left"] = np.where(leaning + random.logistic(size=n) > 1, "yes", "no")
    pd.DataFrame(table).to_csv(file, index=False)


def _categories(name: str, numbers: np.ndarray) -> np.ndarray:
    return np.array([f"{name} {i}" for i in range(numbers.max() + 1)], object)[numbers]


def _arrays(dataset: str, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if dataset == "gru":
        x = random.normal(size=(5120, 120, 14)).astype(np.float32)
        return x, x[:, -1, 1] + x[:, -24:, 1].mean(axis=1)
    if dataset == "boston_housing":
        return random.normal(size=(404, 13)), random.uniform(5, 50, 404)
    if dataset == "mnist":
        return random.integers(0, 256, (60000, 28, 28), np.uint8), random.integers(0, 10, 60000)
    rows, words, classes = (25000, 240, 2) if dataset == "imdb" else (8982, 145, 46)
    return random.integers(1, 10000, (rows, words)), random.integers(0, classes, rows)
