"""The data sets of `keras.datasets`."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from dlrun.data.samples import Array, Columns
from dlrun.data.source import Loaded, Part, Source, split_extras
from dlrun.data.stored import return_freed_memory
from dlrun.data.vocabulary import PADDING_WORD, UNKNOWN_WORD
from dlrun.errors import DataError

_STALLED_SECONDS = 60.0
_WORD_OPTIONS = (
    "num_words",
    "skip_top",
    "maxlen",
    "seed",
    "start_char",
    "oov_char",
    "index_from",
)


# Names of classes and columns, from the data sets' own pages:
# github.com/zalandoresearch/fashion-mnist, www.cs.toronto.edu/~kriz/cifar.html,
# lib.stat.cmu.edu/datasets/boston and www.dcc.fc.up.pt/~ltorgo/Regression/cal_housing.html.


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DIGITS = tuple("0123456789")

FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

CIFAR10 = _words("airplane automobile bird cat deer dog frog horse ship truck")

CIFAR100_FINE = _words(
    """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
    crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
    keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse
    mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
    porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper
    snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television
    tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"""
)

CIFAR100_COARSE = _words(
    """aquatic_mammals fish flowers food_containers fruit_and_vegetables
    household_electrical_devices household_furniture insects large_carnivores
    large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
    medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1
    vehicles_2"""
)

SENTIMENTS = ("negative", "positive")

BOSTON_COLUMNS = _words("CRIM ZN INDUS CHAS NOX RM AGE DIS RAD TAX PTRATIO B LSTAT")

CALIFORNIA_COLUMNS = (
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
)

REUTERS = _words(
    """cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves
    ship cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin
    strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem
    dlr gas silver wpi hog lead"""
)


@dataclass(frozen=True)
class _DataSet:
    """What Keras' loader of one data set reads and takes.

    Args:
        files: The files it looks for, below the folder `datasets`.
        description: One line.
        options: The loader's own options.
        classes: Names of the labels; empty for quantities.
        columns: Names of the features of a table.
        target: Name of the target.
        sequences: Whether a row is a sequence of word numbers.
    """

    files: tuple[str, ...]
    description: str
    options: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    target: str = "y"
    sequences: bool = False


_DATA_SETS = {
    "mnist": _DataSet(
        files=("mnist.npz",),
        description="handwritten digits, 28 x 28 grey pixels",
        classes=DIGITS,
    ),
    "fashion_mnist": _DataSet(
        files=(
            "fashion-mnist/train-labels-idx1-ubyte.gz",
            "fashion-mnist/train-images-idx3-ubyte.gz",
            "fashion-mnist/t10k-labels-idx1-ubyte.gz",
            "fashion-mnist/t10k-images-idx3-ubyte.gz",
        ),
        description="pictures of clothes, 28 x 28 grey pixels",
        classes=FASHION,
    ),
    "cifar10": _DataSet(
        files=("cifar-10-batches-py-target_archive",),
        description="photos of 10 kinds, 32 x 32 colour pixels",
        classes=CIFAR10,
    ),
    "cifar100": _DataSet(
        files=("cifar-100-python-target_archive",),
        description="photos of 100 kinds, 32 x 32 colour pixels",
        options=("label_mode",),
        classes=CIFAR100_FINE,
    ),
    "imdb": _DataSet(
        files=("imdb.npz",),
        description="film reviews as word numbers; negative or positive",
        options=_WORD_OPTIONS,
        classes=SENTIMENTS,
        sequences=True,
    ),
    "reuters": _DataSet(
        files=("reuters.npz",),
        description="newswires as word numbers; 46 topics",
        options=("test_split", *_WORD_OPTIONS),
        classes=REUTERS,
        sequences=True,
    ),
    "boston_housing": _DataSet(
        files=("boston_housing.npz",),
        description="suburbs of Boston; median house price in thousand dollars",
        options=("test_split", "seed"),
        columns=BOSTON_COLUMNS,
        target="MEDV",
    ),
    "california_housing": _DataSet(
        files=("california_housing.npz",),
        description="districts of California; median house price in dollars",
        options=("version", "test_split", "seed"),
        columns=CALIFORNIA_COLUMNS,
        target="median_house_value",
    ),
}
_LOADER_OPTIONS = frozenset(option for data in _DATA_SETS.values() for option in data.options)


class Keras(Source):
    """The data sets of `keras.datasets`, each with the test data that Keras splits off. They are
    downloaded once to `~/.keras/datasets`, or looked for in `$KERAS_HOME/datasets`."""

    needs_keras: ClassVar[bool] = True

    name: Literal[
        "mnist",
        "fashion_mnist",
        "cifar10",
        "cifar100",
        "imdb",
        "reuters",
        "boston_housing",
        "california_housing",
    ]
    """Which data set."""

    num_words: int | None = Field(default=None, ge=1)
    """imdb, reuters: keep only word numbers below this one; others become `oov_char`."""

    skip_top: int = Field(default=0, ge=0)
    """imdb, reuters: leave out this many of the most frequent words."""

    maxlen: int | None = Field(default=None, ge=1)
    """imdb, reuters: leave out texts of this many words or more."""

    start_char: int | None = 1
    """imdb, reuters: number that begins every text; `null`: none."""

    oov_char: int | None = 2
    """imdb, reuters: number that replaces words left out; `null`: they are removed."""

    index_from: int = Field(default=3, ge=0)
    """imdb, reuters: added to every word number, to make room for the special ones."""

    test_split: float = Field(default=0.2, gt=0, lt=1)
    """reuters, boston_housing, california_housing: share of the rows that are test rows."""

    seed: int = Field(default=113, ge=0)
    """imdb, reuters, boston_housing, california_housing: Keras' seed for the order of the rows,
    and so for which of them are test rows."""

    version: Literal["large", "small"] = "large"
    """california_housing: all 20640 rows, or the first 600."""

    label_mode: Literal["fine", "coarse"] = "fine"
    """cifar100: 100 classes, or 20 groups of them."""

    @model_validator(mode="after")
    def _options_fit(self) -> Keras:
        if self.test is not None:
            raise ValueError(f"Keras brings test data for {self.name}; leave out `test`")
        own = _DATA_SETS[self.name].options
        for option in sorted(self.model_fields_set & _LOADER_OPTIONS):
            default = type(self).model_fields[option].default
            if option not in own and getattr(self, option) != default:
                takes = f"takes {', '.join(own)}" if own else "takes none"
                raise ValueError(f"{self.name} has no option `{option}`; it {takes}")
        return self

    def own_options(self) -> list[str]:
        left_out = _LOADER_OPTIONS - set(_DATA_SETS[self.name].options)
        return [name for name in super().own_options() if name not in left_out]

    @property
    def brings_test(self) -> bool:
        return True

    def load(self, part: Part, base: Path, extra: Sequence[str] = ()) -> Loaded:
        data = _DATA_SETS[self.name]
        options = {option: getattr(self, option) for option in data.options}
        # The other part is freed at once.
        x, y = _load(self.name, data, options)[0 if part == "train" else 1]
        features = _features(data, x)
        del x
        features, extras = split_extras(features, extra, self.name)
        classes = data.classes if self.label_mode == "fine" else CIFAR100_COARSE
        return Loaded(
            features=features,
            targets={data.target: y.reshape(len(y))},
            extras=extras,
            classes={data.target: classes} if classes else {},
            regression=not classes,
            description=data.description,
        )

    def word_numbers(self) -> tuple[Mapping[str, int], Mapping[int, str]] | None:
        data = _DATA_SETS[self.name]
        if not data.sequences:
            return None
        import keras

        file = keras_folder() / f"{self.name}_word_index.json"
        try:
            index = getattr(keras.datasets, self.name).get_word_index()
        except Exception as error:  # Keras raises a bare Exception where a download fails.
            raise DataError(
                f"the words of {self.name} are not there and could not be downloaded ({error}): "
                f"they are looked for in {file}; put them there"
            ) from error
        special = {number: f"[{number}]" for number in range(self.index_from + 1)}
        special[0] = PADDING_WORD
        named = ((self.start_char, "[START]"), (self.oov_char, UNKNOWN_WORD))
        special |= {number: name for number, name in named if number is not None}
        return {word: rank + self.index_from for word, rank in index.items()}, special


def _features(data: _DataSet, x: Array) -> Columns:
    if data.columns:
        return dict(zip(data.columns, np.ascontiguousarray(x.T), strict=True))
    if not data.sequences:
        return {"x": x}
    column = np.empty(len(x), dtype=object)
    for i in range(len(x)):
        column[i] = np.asarray(x[i], dtype=np.int32)
        if x.ndim == 1:
            # A list of Python numbers takes ten times the memory of its array.
            x[i] = None
    return_freed_memory()
    return {"x": column}


def _load(name: str, data: _DataSet, options: Mapping[str, Any]) -> Any:
    """Call Keras' loader; what it prints on a download goes to standard error.

    Raises:
        DataError: A file is missing or damaged and cannot be downloaded.
    """
    import keras

    loader: Callable[..., Any] = getattr(keras.datasets, name).load_data
    folder = keras_folder()
    missing = [file for file in data.files if not (folder / file).exists()]
    try:
        with contextlib.redirect_stdout(sys.stderr), _no_endless_waiting():
            return loader(**options)
    except MemoryError:
        raise
    except Exception as error:  # Keras raises a bare Exception where a download fails.
        raise DataError(_explanation(name, data, options, folder, missing, error)) from error


def _explanation(
    name: str,
    data: _DataSet,
    options: Mapping[str, Any],
    folder: Path,
    missing: Sequence[str],
    error: Exception,
) -> str:
    gone = [file for file in data.files if not (folder / file).exists()]
    if gone:
        state = "is missing" if gone[0] in missing else "was not the file that Keras expects"
        wanted = f", which {os.environ['KERAS_HOME']} is not" if _is_sealed() else ""
        return (
            f"{gone[0]} {state}, and could not be downloaded ({error}): it is looked for in "
            f"{folder}; put it there, or set KERAS_HOME to a folder that holds it in `datasets` "
            f"and can be written to{wanted}"
        )
    if isinstance(error, ValueError) and options.get("maxlen") and "file" not in str(error):
        return f"{name}: no text is short enough; raise `maxlen`"
    if isinstance(error, ValueError) and name != "fashion_mnist":
        return f"{name}: {error}"
    return (
        f"{name}: one of {', '.join(data.files)} in {folder} is damaged ({error}): delete it, and "
        f"it is downloaded again"
    )


def keras_folder() -> Path:
    """The folder where Keras looks for data sets (see `keras.utils.get_file`)."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")).expanduser()
    if not os.access(home, os.W_OK):
        home = Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()) / ".keras"
    return home / "datasets"


def _is_sealed() -> bool:
    home = os.environ.get("KERAS_HOME")
    return home is not None and Path(home).is_dir() and not os.access(home, os.W_OK)


@contextlib.contextmanager
def _no_endless_waiting() -> Iterator[None]:
    """Let a download fail that has received nothing for a while."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALLED_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
