"""The HTML report as text: well-formed, self-contained, small, and true to the run."""

from __future__ import annotations

import base64
import functools
import io
import itertools
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stored_runs import stored_run

from dlrun.store.examples import Examples
from dlrun.store.run_directory import RunDirectory
from dlrun.workflows.report import report

VOID = {"meta", "link", "img", "br", "hr"}
ENDLESS = {"path"}
SITUATIONS: dict[str, dict[str, Any]] = {
    "several classes": {"task": "multiclass"},
    "forty classes": {"task": "multiclass", "names": [f"topic {i}" for i in range(40)]},
    "a hundred classes": {
        "task": "multiclass",
        "names": [f"class {i}" for i in range(130)],
        "rows": 500,
    },
    "two classes, folds": {"task": "binary", "names": ["no", "yes"], "folds": 4},
    "a quantity": {"task": "regression", "names": ["price"]},
    "two quantities, folds": {"task": "regression", "names": ["height", "weight"], "folds": 3},
    "labels": {"task": "multilabel"},
    "texts": {"task": "binary", "names": ["bad", "good"], "features": "text"},
    "tokens": {"task": "binary", "names": ["bad", "good"], "features": "tokens"},
    "images": {"features": "images"},
    "pixels in columns": {"features": "pixels"},
    "20,000 rows, two classes": {"task": "binary", "names": ["no", "yes"], "rows": 20_000},
    "20,000 rows, quantities": {
        "task": "regression",
        "names": [f"y{i}" for i in range(8)],
        "rows": 20_000,
    },
    "500 epochs of 10 folds": {"task": "regression", "names": ["y"], "epochs": 500, "folds": 10},
    "one row": {"task": "multiclass", "rows": 1, "epochs": 1},
    "interrupted": {"status": "interrupted"},
    "failed": {"status": "failed"},
}


class Page(HTMLParser):
    """A page as its elements; fails where one is not closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> repeats an attribute"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ENDLESS
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> is out of place"

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def named(self, tag: str) -> list[dict[str, str]]:
        """Attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self) -> str:
        """All that is to be read, with single spaces."""
        read = " ".join(text for tag, text in self.texts if tag != "style")
        return " ".join(read.split())

    def headings(self) -> list[tuple[str, str]]:
        """Level and text of every heading."""
        return [(tag, text) for tag, text in self.texts if re.fullmatch(r"h\d", tag)]


def page_of(*runs: RunDirectory) -> Page:
    for run in runs:
        # Tests change files on purpose.
        run.seal()
    return Page(report([run.path for run in runs]).read_text(encoding="utf-8"))


SLOW = {
    *("20,000 rows, quantities", "20,000 rows, two classes", "500 epochs of 10 folds"),
    *("forty classes", "a hundred classes", "texts", "tokens"),
}


@pytest.fixture(scope="module")
def report_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes the report of a situation once."""

    @functools.cache
    def write(situation: str) -> Path:
        run = stored_run(tmp_path_factory.mktemp("runs"), **SITUATIONS[situation])
        return report(run.path)

    return write


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in SITUATIONS
    ],
)
def written(request: pytest.FixtureRequest, report_of: Callable[[str], Path]) -> Path:
    return report_of(request.param)


def test_every_page_is_well_formed_and_accessible(written):
    page = Page(written.read_text(encoding="utf-8"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes in page.named("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.headings()]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(image["alt"] for image in page.named("img"))
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in page.named("svg"))
    assert all(head["scope"] in ("col", "row") for head in page.named("th"))
    assert page.named("html")[0]["lang"] == "en"


def test_every_page_needs_nothing_beside_it_and_is_small(written):
    text = written.read_text(encoding="utf-8")
    assert written.stat().st_size < 2_000_000
    page = Page(text)
    assert not {"script", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.elements}
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "xlink:href")
    ]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert not [name for _, a in page.elements for name in a if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text


def test_nothing_is_drawn_outside_its_chart(written):
    for chart in re.findall(r"<svg.*?</svg>", written.read_text(encoding="utf-8"), re.DOTALL):
        box = re.search(r'viewBox="0 0 (\S+) (\S+)"', chart)
        assert box is not None
        width, height = float(box[1]), float(box[2])
        paths = " ".join(re.findall(r' d="([^"]*)"', chart))
        places = re.findall(r"(-?[\d.]+) (-?[\d.]+)", paths)
        places += re.findall(r' x\d?="(-?[\d.]+)" y\d?="(-?[\d.]+)"', chart)
        assert places
        for x, y in places:
            assert -1 <= float(x) <= width + 1
            assert -1 <= float(y) <= height + 1
        assert "nan" not in chart.lower().replace("no number (nan)", "")


@pytest.mark.parametrize(
    ("situation", "there", "absent"),
    [
        ("several classes", ["Classes", "Calibration"], ["Residuals", "Every threshold", "Folds"]),
        ("two classes, folds", ["Classes", "Every threshold", "Calibration", "Folds"], []),
        ("a quantity", ["Residuals"], ["Classes", "Calibration", "Every threshold"]),
        ("labels", ["Labels", "Calibration"], ["Classes", "Residuals"]),
        ("failed", ["Training", "Data", "Config"], ["Classes", "Most wrong", "Diagnosis"]),
    ],
)
def test_a_section_stands_where_it_applies(situation, there, absent, report_of):
    page = Page(report_of(situation).read_text(encoding="utf-8"))
    found = [text for _, text in page.headings()]
    always = ["Training", "Data", "Config", "How to repeat it"]
    assert set(there + always) <= set(found)
    assert not set(absent) & set(found)


def test_the_page_says_what_the_run_says(tmp_path):
    run = stored_run(tmp_path, names=["ant", "bee", "cat"], folds=1)
    result, text = run.read_result(), page_of(run).text()
    assert re.search(rf"\b{result['score']['value']:.2f}\d* validation accuracy", text)
    for said in (
        "validation accuracy, higher is better",
        "95% interval",
        "0.50 (always the same)",
        "0.70 (logistic regression)",
        "Beats the baseline by 0.3",
        "Overfits from epoch 5",
        "Train for 5 epochs",
        "--set training.epochs=5",
        "warning DL201 two rows are the same a copy is no new row drop: [id]",
        "Suppressed by `ignore`: 2 × DL010.",
        "800, without test rows",
        "40, sealed",
        "numpy 2.0",
        "dlrun train stored.yaml --set 'name=a b'",
        "/resolved.yaml",
    ):
        assert said in text, said
    assert text.count("two rows are the same") == 1


def test_the_confusion_matrix_is_scikit_learns(tmp_path):
    from sklearn.metrics import accuracy_score, classification_report, confusion_matrix

    run = stored_run(tmp_path, names=["ant", "bee", "cat"])
    held = run.read_predictions()
    called = held["predictions"].argmax(axis=1)
    html = report(run.path).read_text(encoding="utf-8")
    cells = re.findall(r'<td class="(?:right|wrong)"[^>]*>(\d+|·)</td>', html)
    expected = confusion_matrix(held["targets"], called)
    assert [0 if cell == "·" else int(cell) for cell in cells] == expected.reshape(-1).tolist()
    figures = classification_report(held["targets"], called, output_dict=True)["1"]
    row = re.search(r'<th scope="row">bee</th>\s*((?:<td>.*?</td>\s*)+)</tr>', html)
    assert row is not None
    shown = re.findall(r"<td>(.*?)</td>", row[1])
    names = ("precision", "recall", "f1-score")
    assert shown == [*(f"{figures[name]:.3f}" for name in names), f"{figures['support']:.0f}"]
    assert f"{100 * accuracy_score(held['targets'], called):.3g}% of 200" in html


def test_nothing_from_config_or_data_is_ever_markup(tmp_path):
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    run = stored_run(tmp_path, name=evil, names=[evil, evil + "2"], features="text", task="binary")
    resolved = run.read_resolved()
    run.config.write_text(f"name: {evil}\n# {evil}\n'{evil}': {evil}\n")
    run.data.write_text(run.data.read_text().replace("two rows are", "<script>bad()</script>"))
    run.examples.write_text(run.examples.read_text().replace("nobody", "<script>bad()</script>"))
    assert evil in resolved
    page = page_of(run, stored_run(tmp_path, name=evil + "3"))
    tags = {tag for tag, _ in page.elements}
    assert "script" not in tags
    assert not page.named("img")
    assert page.text().count("<script>alert(1)</script>") > 5
    assert "A film that <b><script>bad()</script></b> needs" in page.text()


def test_an_interrupted_and_a_failed_run_say_so(tmp_path):
    interrupted = page_of(stored_run(tmp_path, status="interrupted")).text()
    told = "This run was interrupted, and `dlrun resume` goes on with it; the page shows the"
    assert told in interrupted
    failed = page_of(stored_run(tmp_path, status="failed")).text()
    assert "This run failed" in failed
    assert "TrainingError: the loss is <NaN>" in failed


@pytest.mark.parametrize("missing", ["result", "data", "predictions", "examples", "metrics"])
@pytest.mark.parametrize("damaged", [False, True])
def test_a_file_that_is_gone_or_damaged_leaves_out_what_it_told(missing, damaged, tmp_path):
    run = stored_run(tmp_path)
    path = getattr(run, missing)
    if damaged:
        path.write_bytes(b"fold,epoch,seconds\n1,\n" if missing == "metrics" else b"{")
    else:
        path.unlink()
    page = page_of(run)
    assert len(page.headings()) > 3
    if damaged:
        assert f"{path.name} is damaged" in page.text()


def test_pictures_are_those_of_the_rows(tmp_path):
    run = stored_run(tmp_path, features="images")
    pictures = page_of(run).named("img")
    examples = run.read_examples()
    assert examples is not None
    assert len(pictures) == len(examples.rows) == 12
    for row, picture, pixels in zip(examples.rows, pictures, examples.arrays["x"], strict=True):
        assert f"row {row}" in picture["alt"]
        kind, _, data = picture["src"].partition(",")
        assert kind == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as drawn:
            assert max(drawn.size) <= 128
            small = np.asarray(drawn, float).mean(axis=(0, 1))
        assert small == pytest.approx(pixels.mean(axis=(0, 1)), abs=2)


def test_a_diverged_model_is_never_said_to_be_right(tmp_path):
    run = stored_run(tmp_path)
    held = run.read_predictions()
    for path in (run.predictions, run.examples):
        path.unlink()
    run.write_predictions({**held, "predictions": held["predictions"] * np.nan})
    run.write_examples(Examples((), {"age": []}, {}))
    page = page_of(run)
    assert "predicted correctly" not in page.text()
    assert not {"Classes", "Calibration"} & {text for _, text in page.headings()}


def test_columns_of_pixels_are_drawn_and_the_worst_row_comes_first(tmp_path):
    run = stored_run(tmp_path, features="pixels")
    examples, held = run.read_examples(), run.read_predictions()
    assert examples is not None
    first = page_of(run).named("img")[0]
    row = examples.rows[0]
    shares, true = held["predictions"][row], held["targets"][row]
    names = ["ant", "bee", "cat"]
    assert f"row {row}: {names[true]}, predicted {names[shares.argmax()]}" in first["alt"]
    others = held["predictions"].max(axis=1) - np.take_along_axis(
        held["predictions"], held["targets"][:, None], axis=1
    ).reshape(-1)
    assert others.argmax() == row
    with Image.open(io.BytesIO(base64.b64decode(first["src"].partition(",")[2]))) as drawn:
        pixels = np.array(
            [examples.columns[f"pixel_{i}_{j}"][0] for i in range(8) for j in range(8)]
        )
        assert np.asarray(drawn).reshape(-1) == pytest.approx(pixels * 255 / 16, abs=0.51)


def test_several_runs_are_compared_first(tmp_path):
    first = stored_run(tmp_path, name="one", seed=1)
    second = stored_run(tmp_path, name="two", seed=2, folds=3, epochs=3)
    page = page_of(first, second, stored_run(tmp_path, name="three", status="failed"))
    headings = page.headings()
    assert headings[0] == ("h1", "Comparison of 3 runs")
    assert headings[1] == ("h2", "Comparison")
    assert [text for tag, text in headings if tag == "h2"][1:] == ["one", "two", "three"]
    assert headings.count(("h3", "Training")) == 3
    text = page.text()
    assert text.index(f"{first.read_result()['score']['value']:.2f}") < text.index("Classes")


def test_looks_at_the_test_data_are_counted(tmp_path):
    from dlrun.store.ledger import LedgerEntry, record_evaluation

    run = stored_run(tmp_path)
    assert "The test data has not been evaluated." in page_of(run).text()
    for name, score in ((run.name, 0.71), ("another-run", 0.72)):
        record_evaluation(
            tmp_path,
            LedgerEntry("t" * 64, "f" * 64, name, "2026-11-21T10:00:00", "accuracy", score, 1),
        )
    run.add_evaluation(
        {"look": 1, "score": {"name": "accuracy", "value": 0.71}, "rows": 40, "time": "2026"}
    )
    text = page_of(run).text()
    assert "evaluated 2 times, by 2 runs" in text
    assert "another-run" in text
    assert "0.71" in text


def test_repeats_are_called_so_and_a_target_of_two_classes_is_no_number(tmp_path):
    run = stored_run(tmp_path, "binary", names=["no", "yes"], folds=3)
    result = json.loads(run.result.read_text()) | {"protocol": "repeated_holdout"}
    run.result.write_text(json.dumps(result))
    page = page_of(run)
    assert "mean ± standard deviation of 3 repeats" in page.text()
    assert "Every repeat" in page.text()
    assert ("h2", "Repeats") in page.headings()
    assert "y (‘no’ or ‘yes’)" in page.text()


def test_the_curves_of_a_run_that_was_killed_before_they_were_drawn_are_drawn_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def draw(folder: RunDirectory, facts: Any) -> None:
        drawn.append(facts.title)
        folder.save_curves(lambda path: path.write_text("drawn"))

    monkeypatch.setattr("dlrun.reports.stored_curves.draw_run_curves", draw)
    run = stored_run(tmp_path)
    page = report(run.path).read_text()
    assert drawn == []
    run.curves_svg.unlink()
    (run.path / ".curves.1a2b3c4d.svg").touch()
    assert report(run.path).read_text() == page
    assert (drawn, run.curves_svg.read_text()) == (["stored"], "drawn")
    assert run.curves_png.read_text() == "a picture"
    assert not list(run.path.glob(".curves*"))
