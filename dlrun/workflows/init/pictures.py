"""A first config for a folder of pictures."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from dlrun.config.yaml_writer import dump_yaml
from dlrun.data.reading.files import files_in, has_part, part_folder
from dlrun.data.reading.image_files import images_in_folders, read_sizes
from dlrun.data.reading.images import IMAGE_ENDINGS, are_grayscale
from dlrun.workflows.init.table import InitTask

_MOST_SIDE = 180
_LOOKED_AT = 100
"""Pictures of which it is looked whether they have colours."""


@dataclass(frozen=True)
class PictureFacts:
    """What a folder of pictures tells.

    Args:
        count: Pictures that train.
        classes: Names of the classes.
        sizes: How many different sizes they have.
        size: Height and width that they are brought to.
        grey: Whether they have no colours.
        validation: Whether there is a folder `validation`.
        test: Whether there is a folder `test`.
    """

    count: int
    classes: tuple[str, ...]
    sizes: int
    size: tuple[int, int]
    grey: bool
    validation: bool
    test: bool

    @property
    def task(self) -> InitTask:
        """What is predicted."""
        return "binary" if len(self.classes) == 2 else "multiclass"


def holds_pictures(path: Path) -> bool:
    """Whether a path is a folder with pictures in it or below."""
    return path.is_dir() and bool(files_in(path, IMAGE_ENDINGS))


def picture_facts(folder: Path) -> PictureFacts:
    """Look at a folder with one folder of pictures a class.

    Raises:
        DataError: It is none.
    """
    listing = images_in_folders([part_folder(folder, "train")])
    (classes,) = listing.classes.values()
    sizes, _ = read_sizes(listing.files)
    sides = sorted(min(size) for size in sizes) or [_MOST_SIDE]
    side = max(32, min(_MOST_SIDE, sides[len(sides) // 2]))
    alike = len(set(sizes)) == 1 and max(sizes[0]) <= _MOST_SIDE
    every = max(1, len(listing.files) // _LOOKED_AT)
    return PictureFacts(
        count=len(listing.files),
        classes=classes,
        sizes=len(set(sizes)),
        size=sizes[0] if alike else (side, side),
        grey=are_grayscale(listing.files[::every]),
        validation=has_part(folder, "validation"),
        test=has_part(folder, "test"),
    )


def picture_config(folder: Path, relative: str, path: Path, facts: PictureFacts) -> str:
    """Return the commented config.

    Args:
        folder: The pictures.
        relative: The same as the config names it.
        path: The config.
        facts: What the folder tells.
    """
    quoted = shlex.quote(str(path))
    shown = ", ".join(facts.classes[:6]) + (", ..." if len(facts.classes) > 6 else "")
    return f"""# {facts.count} pictures of {folder.name}: {facts.task}, {shown}.
#
#   dlrun check {quoted} --data  what is wrong with it
#   dlrun train {quoted}         train, and score on held-out pictures

seed: 0

dataset:
{_dataset(relative, facts)}
preprocess:
  - rescale: 1/255              # pixels from 0 to 1

# Few pictures? Let training pictures be altered in every epoch anew:
# augment: [{{RandomFlip: horizontal}}, {{RandomRotation: 0.1}}, {{RandomZoom: 0.1}}]

{_architecture(facts)}
optimizer: {{adam: {{learning_rate: 0.001}}}}
metrics: [accuracy]

training:
  epochs: 30
  batch_size: 32
  callbacks:
    - EarlyStopping: {{monitor: val_loss, patience: 5, restore_best_weights: true}}

evaluation:
  protocol: holdout
{_validation(facts)}  score: accuracy
"""


def _dataset(relative: str, facts: PictureFacts) -> str:
    height, width = facts.size
    sizes = "one size" if facts.sizes == 1 else f"{facts.sizes} sizes"
    lines = [
        "source: image_folder",
        dump_yaml({"path": relative}).strip(),
        f"{f'size: [{height}, {width}]':<30}# height and width; the pictures are of {sizes}",
    ]
    if facts.grey:
        lines.append(f"{'color: grayscale':<30}# they have no colours")
    if facts.test:
        lines.append("# the pictures in the folder `test` are sealed until `dlrun evaluate`")
    else:
        lines.append(f"{'test: {fraction: 0.2}':<30}# sealed until `dlrun evaluate`")
    return "".join(f"  {line}\n" for line in lines)


def _validation(facts: PictureFacts) -> str:
    if facts.validation:
        return "  # the pictures in the folder `validation` are the hold-out\n"
    return "  validation: {fraction: 0.2}\n"


def _architecture(facts: PictureFacts) -> str:
    """Convolutions until a picture is about 6 pixels high, and one value for each of their
    channels."""
    count = max(1, min(4, int(math.log2(max(2, min(facts.size) / 6)))))
    layers = []
    for number in range(count):
        filters = 32 * 2 ** min(number, 2)
        layers.append(
            f"- Conv2D: {{filters: {filters}, kernel_size: 3, padding: same, activation: relu}}"
        )
        if number < count - 1:
            layers.append("- MaxPooling2D: 2")
    layers += ["- GlobalAveragePooling2D", "- Dropout: 0.3"]
    if facts.task == "binary":
        last, loss = "{units: 1, activation: sigmoid}", "binary_crossentropy"
        comment = f"one probability: that it is '{facts.classes[1]}'"
    else:
        last = f"{{units: {len(facts.classes)}, activation: softmax}}"
        loss = "sparse_categorical_crossentropy"
        comment = f"{len(facts.classes)} classes, their probabilities add up to 1"
    layers.append(f"- Dense: {last}   # {comment}")
    listed = "".join(f"    {layer}\n" for layer in layers)
    return f"architecture:\n  layers:\n{listed}\nloss: {loss}"
