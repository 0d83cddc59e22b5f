"""A first config for a folder of texts."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from dlrun.config.yaml_writer import dump_yaml
from dlrun.data.reading.files import files_in, has_part, part_folder, read_class_folders
from dlrun.data.sources.text_folder import TEXT_ENDINGS, UNLABELLED
from dlrun.workflows.init.table import InitTask

MANY_TEXTS = 5_000
MOST_WORDS, FEW_WORDS = 10_000, 2_000
"""Words that a first config keeps, where there are so many texts, and of fewer."""


@dataclass(frozen=True)
class TextFacts:
    """What a folder of texts tells.

    Args:
        count: Texts that train.
        classes: Names of the classes.
        validation: Whether there is a folder `validation`.
        test: Whether there is a folder `test`.
    """

    count: int
    classes: tuple[str, ...]
    validation: bool
    test: bool

    @property
    def task(self) -> InitTask:
        """What is predicted."""
        return "binary" if len(self.classes) == 2 else "multiclass"


def words_kept(texts: int) -> int:
    """How many words the first config for so many texts keeps."""
    return MOST_WORDS if texts >= MANY_TEXTS else FEW_WORDS


def holds_texts(path: Path) -> bool:
    """Whether a path is a folder with texts in it or below."""
    return path.is_dir() and bool(files_in(path, TEXT_ENDINGS))


def text_facts(folder: Path) -> TextFacts:
    """Look at a folder with one folder of texts a class.

    Raises:
        DataError: It is none.
    """
    train = part_folder(folder, "train")
    found = read_class_folders(train, TEXT_ENDINGS, what="text", ignored=UNLABELLED)
    validation, test = has_part(folder, "validation"), has_part(folder, "test")
    return TextFacts(len(found.files), found.classes, validation, test)


def text_config(folder: Path, relative: str, path: Path, facts: TextFacts, model: str) -> str:
    """Return the commented config.

    Args:
        folder: The texts.
        relative: The same as the config names it.
        path: The config.
        facts: What the folder tells.
        model: Its lines from `architecture` on.
    """
    quoted = shlex.quote(str(path))
    shown = ", ".join(facts.classes[:6]) + (", ..." if len(facts.classes) > 6 else "")
    test = "# the texts in the folder `test` are sealed until `dlrun evaluate`"
    if not facts.test:
        test = f"{'test: {fraction: 0.2}':<30}# sealed until `dlrun evaluate`"
    if facts.validation:
        model = model.replace(
            "  validation: {fraction: 0.2}\n",
            "  # the texts in the folder `validation` are the hold-out\n",
        )
    step = f"text: {{vocabulary: {words_kept(facts.count)}, output: tf_idf}}"
    return f"""# {facts.count} texts of {folder.name}: {facts.task}, {shown}.
#
#   dlrun check {quoted} --data  what is wrong with it
#   dlrun train {quoted}         train, and score on held-out texts

seed: 0

dataset:
  source: text_folder
  {dump_yaml({"path": relative}).strip()}
  {test}

preprocess:                     # fitted on the training texts only
  - {step}   # a number for each word

{model}"""
