"""The HTML report in a real browser: quiet, alone, and as wide as a phone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import Chromium, find_chromium
from PIL import Image
from stored_runs import stored_run

from dlrun.workflows.report import report

pytestmark = pytest.mark.slow

PHONE, DESKTOP = 390, 1280
NARROW = "document.documentElement.scrollWidth <= window.innerWidth"
OUTSIDE = """
[...document.querySelectorAll('h1, h2, h3, p, dl, figure, img, svg, pre, .scroll, nav')]
  .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)
  .map(e => e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40))
"""
SPILT = """
[...document.querySelectorAll('svg text')].filter(t => {
  const [text, chart] = [t, t.ownerSVGElement].map(e => e.getBoundingClientRect());
  return text.left < chart.left - 3 || text.right > chart.right + 3
    || text.top < chart.top - 3 || text.bottom > chart.bottom + 3;
}).map(t => t.textContent)
"""
COVERED = """
[...document.querySelectorAll('svg')].flatMap(chart => {
  const texts = [...chart.querySelectorAll('text')];
  const boxes = texts.map(t => t.getBoundingClientRect());
  return texts.flatMap((t, i) => texts.slice(i + 1).filter((_, j) => {
    const [a, b] = [boxes[i], boxes[i + 1 + j]];
    return a.left < b.right - 1 && b.left < a.right - 1
      && a.top < b.bottom - 4 && b.top < a.bottom - 4;
  }).map(other => t.textContent + ' / ' + other.textContent));
})
"""
CONTRAST = """
(() => {
  const parts = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = c => {
    const [r, g, b] = parts(c).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const ratio = c => {
    const ink = light(c);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  };
  const words = [...document.querySelectorAll('p, dt, dd, h1, h2, a, th, caption, figcaption')]
    .map(e => ratio(getComputedStyle(e).color));
  const labels = [...document.querySelectorAll('svg text')]
    .map(e => ratio(getComputedStyle(e).fill));
  const drawn = /stroke: var\\(--(blue|orange|good|bad|violet)/;
  const lines = [...document.querySelectorAll('svg path')]
    .filter(e => drawn.test(e.getAttribute('style')))
    .map(e => ratio(getComputedStyle(e).stroke));
  return [Math.min(...words), Math.min(...labels), Math.min(...lines)];
})()
"""
"""The least contrast of text, of labels in charts, and of what charts draw, with the page."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = find_chromium()
    if program is None or os.name != "posix":
        pytest.skip("there is no Chromium here: the report is not opened in a browser")
    with Chromium(program, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(
    scope="module",
    params=["classes", "binary", "quantities", "labels", "texts", "several", "series"],
)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    long = "a name that is much longer than anybody would think and_has_no_place_to_break_" * 2
    if request.param == "several":
        made = [stored_run(runs, name=f"{long}{i}", seed=i) for i in range(3)]
        return report([run.path for run in made], runs / "page.html")
    situation = {
        "classes": {"features": "images", "names": [f"class {i} {long}" for i in range(10)]},
        "binary": {"task": "binary", "names": ["no", "yes"], "folds": 4},
        "quantities": {"task": "regression", "names": ["price", long], "folds": 3},
        "labels": {"task": "multilabel", "names": [f"label {i}" for i in range(20)]},
        "texts": {"task": "binary", "names": ["bad", "good"], "features": "tokens"},
        "series": {
            "task": "regression",
            "names": [long, "load"],
            "rows": 1500,
            "dataset": "{source: timeseries, lookback: 10, delay: 3, target: [a, b]}",
        },
    }[request.param]
    return report(stored_run(runs, name=long, **situation).path)


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("dark", [False, True])
def test_it_opens_quietly_alone_and_fits(browser, page, width, dark):
    opened = browser.open(page, width=width, dark=dark)
    assert browser.evaluate("window.innerWidth") == width
    assert browser.evaluate(NARROW), browser.evaluate(OUTSIDE)
    assert browser.evaluate(OUTSIDE) == []
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [page.resolve().as_uri()]


BESIDE = """
[...document.querySelectorAll('.pictures li')].filter(card => {
  const range = document.createRange();
  range.selectNodeContents(card);
  return range.getBoundingClientRect().right > card.getBoundingClientRect().right + 1;
}).map(card => card.textContent)
"""


def test_long_names_of_pictures_stay_in_their_place(browser, tmp_path):
    run = stored_run(tmp_path, "binary", names=["cats", "dogs"], features="images")
    facts = json.loads(run.examples.read_text())
    facts["names"] = [f"cats/cat_with_a_long_name.{i}.jpg" for i in facts["rows"]]
    run.examples.write_text(json.dumps(facts))
    run.seal()
    browser.open(report(run.path), width=1000)
    assert browser.evaluate("document.querySelectorAll('.pictures li').length") > 1
    assert browser.evaluate(BESIDE) == []


MATRIX_BELOW = """
(() => {
  const caption = text => [...document.querySelectorAll('caption')]
    .find(c => c.textContent.startsWith(text)).getBoundingClientRect();
  const [matrix, classes] = [caption('Confusion matrix'), caption('Figures for each')];
  const sentence = [...document.querySelectorAll('.body > p')]
    .find(p => p.textContent.includes('rows are correct')).getBoundingClientRect();
  return [sentence.bottom, matrix.top, classes.top, sentence.left, matrix.left];
})()
"""


def test_the_confusion_matrix_stands_below_its_sentence_beside_the_classes(browser, tmp_path):
    run = stored_run(tmp_path, "binary", names=["no", "yes"])
    browser.open(report(run.path), width=DESKTOP)
    sentence, matrix, classes, left, matrix_left = browser.evaluate(MATRIX_BELOW)
    assert sentence <= matrix
    assert matrix == pytest.approx(classes, abs=2)
    assert matrix_left == pytest.approx(left, abs=2)


WIDE_TABLE = """
(() => {
  const wide = [...document.querySelectorAll('.scroll')]
    .find(e => e.scrollWidth > e.clientWidth + 20 && !e.querySelector('.matrix'));
  if (%s) wide.scrollLeft = wide.scrollWidth;
  const box = wide.getBoundingClientRect();
  return {x: box.right - 4 + window.scrollX, y: box.top + window.scrollY, width: 4, height: 16};
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_a_table_with_more_at_its_side_shows_it(browser, tmp_path, dark):
    run = stored_run(tmp_path, "binary", names=["no", "yes"], folds=3)
    browser.open(report(run.path), width=PHONE, dark=dark)
    shades = []
    for at_end in ("false", "true"):
        edge = tmp_path / f"{at_end}.png"
        browser.screenshot(edge, browser.evaluate(WIDE_TABLE % at_end))
        with Image.open(edge) as picture:
            shades.append(np.asarray(picture.convert("L"), float).mean())
    paper = 24 if dark else 252
    assert abs(shades[0] - paper) > 20
    assert abs(shades[1] - paper) < 5


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_legible_in_light_and_dark(browser, page, dark):
    browser.open(page, width=DESKTOP, dark=dark)
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    darkness = sum(int(part) for part in background[4:-1].split(",")) / 3
    assert (darkness < 60) == dark
    words, labels, lines = browser.evaluate(CONTRAST)
    # WCAG 2.2, 1.4.3 and 1.4.11.
    assert words >= 4.5
    assert labels >= 4.5
    assert lines >= 3


def test_labels_of_charts_are_legible_on_a_phone(browser, page):
    browser.open(page, width=PHONE)
    assert browser.evaluate(SPILT) == []
    assert browser.evaluate(COVERED) == []
    sizes = browser.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map(t => "
        "parseFloat(getComputedStyle(t).fontSize) "
        "* t.ownerSVGElement.getBoundingClientRect().width "
        "/ t.ownerSVGElement.viewBox.baseVal.width)"
    )
    assert min(sizes) >= 9


def test_it_prints(browser, page, tmp_path):
    browser.open(page, width=DESKTOP, dark=True)
    browser.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    browser.open(page, width=DESKTOP, dark=True, media="print")
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_a_browser_that_is_asked_for_more_says_so(browser, tmp_path):
    """What the tests above would see if the report did what it must not."""
    bad = tmp_path / "bad.html"
    (tmp_path / "there.css").write_text("p { color: red }")
    bad.write_text(
        "<!DOCTYPE html><title>x</title><link rel=stylesheet href=there.css>"
        "<script>console.error('oh')</script><p style='width: 3000px'>x"
    )
    opened = browser.open(bad, width=PHONE)
    assert any("oh" in text for text in opened.said)
    assert (tmp_path / "there.css").as_uri() in opened.asked
    assert browser.evaluate(OUTSIDE) != []
