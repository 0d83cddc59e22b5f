"""Where the boxes and lines of a model's graph stand, and the pictures made of them."""

from __future__ import annotations

import itertools
import random
import xml.etree.ElementTree as ElementTree
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from dlrun.reports.graph_drawing import build_graph, draw_graph
from dlrun.reports.graph_layout import LANE, GraphLayout, LayerBox, ModelGraph, PlacedBox, place

GRAPHS = {
    "chain": "a>b b>c c>d",
    "two inputs": "text>e1 e1>l1 question>e2 e2>l2 l1>join l2>join join>answer",
    "inception": "x>a x>b1 b1>b2 x>c1 c1>c2 x>d1 d1>d2 d2>d3 a>join b2>join c2>join d3>join",
    "residual": "x>a a>b b>add x>add add>c c>d d>out add>out",
    "siamese": "left>lstm right>lstm lstm>join join>out",
    "three outputs": "x>a a>b b>age b>income b>gender",
    "skip over all": "x>a a>b b>c c>d d>out x>out a>out",
}


def graph(text: str) -> ModelGraph:
    edges = tuple((one, other) for one, other in (edge.split(">") for edge in text.split()))
    names = dict.fromkeys(itertools.chain(*edges))
    return ModelGraph(tuple(LayerBox(name, (name, "Dense", "(8) → (4)")) for name in names), edges)


def check(layout: GraphLayout) -> None:
    """No boxes overlap, all lines lead downwards and none runs through a box."""
    for one, other in itertools.combinations(layout.boxes, 2):
        beside = one.right < other.left or other.right < one.left
        assert beside or one.bottom < other.top or other.bottom < one.top
    for points in layout.edges:
        for (_, above), (_, below) in itertools.pairwise(points):
            assert above < below
        for x, y in points[1:-1]:
            assert not any(inside(box, x, y) for box in layout.boxes)
    for box in layout.boxes:
        assert box.left >= -1e-9
        assert box.right <= layout.width + 1e-9
        assert box.bottom <= layout.height + 1e-9


def inside(box: PlacedBox, x: float, y: float) -> bool:
    near = LANE / 2
    return box.left - near < x < box.right + near and box.top < y < box.bottom


def crossed(layout: GraphLayout) -> int:
    """How often two lines change sides between the same two heights."""
    pieces = [piece for points in layout.edges for piece in itertools.pairwise(points)]
    count = 0
    for (one, to_one), (other, to_other) in itertools.combinations(pieces, 2):
        overlap = min(to_one[1], to_other[1]) - max(one[1], other[1])
        count += overlap > 0 and (one[0] - other[0]) * (to_one[0] - to_other[0]) < 0
    return count


@pytest.mark.parametrize("name", GRAPHS)
def test_what_can_be_drawn_without_crossings_is(name: str) -> None:
    layout = place(graph(GRAPHS[name]))
    check(layout)
    assert crossed(layout) == 0


def test_a_chain_is_straight() -> None:
    layout = place(graph(GRAPHS["chain"]))
    assert len({round(box.x, 9) for box in layout.boxes}) == 1


def test_an_edge_ends_where_its_boxes_are() -> None:
    drawn = graph(GRAPHS["residual"])
    layout = place(drawn)
    boxes = {box.box.name: box for box in layout.boxes}
    for (first, second), points in zip(drawn.edges, layout.edges, strict=True):
        assert points[0] == (boxes[first].x, boxes[first].bottom)
        assert points[-1] == (boxes[second].x, boxes[second].top)


@settings(max_examples=20)
@given(st.integers(2, 14), st.randoms(use_true_random=False))
def test_any_graph_without_circles_has_its_place(count: int, draw: random.Random) -> None:
    pairs = itertools.combinations(range(count), 2)
    edges = tuple((str(one), str(other)) for one, other in pairs if draw.random() < 0.3)
    boxes = tuple(LayerBox(str(n), ("x" * draw.randint(1, 30),)) for n in range(count))
    layout = place(ModelGraph(boxes, edges))
    check(layout)
    assert place(ModelGraph(boxes, edges)) == layout


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        place(graph("a>b b>c c>a"))


def test_a_box_is_as_wide_as_its_text() -> None:
    """Measured by matplotlib, which the layout does without."""
    names = ("block5_conv1", "global_average_pooling2d", "mobilenetv2_0.35_96", "MMMM")
    text = "(16, 16, 32), (16, 16, 32) → (16, 16, 32)"
    boxes = tuple(LayerBox(name, (name, text[: 4 * i], "1,234")) for i, name in enumerate(names))
    layout = place(ModelGraph(boxes, ()))
    figure = build_graph(layout, "model")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    _, *lines = figure.axes[0].texts
    for placed, texts in zip(layout.boxes, zip(*[iter(lines)] * 3, strict=True), strict=True):
        for shown in texts:
            width = shown.get_window_extent(canvas.get_renderer()).width / figure.dpi
            assert width < placed.box.width


def test_pictures_hold_every_name_and_are_always_the_same() -> None:
    drawn = graph(GRAPHS["inception"])
    svg = draw_graph(drawn, "a model", "svg")
    texts = {"".join(part.itertext()).strip() for part in ElementTree.fromstring(svg).iter()}
    assert {"a model", *(box.name for box in drawn.boxes)} <= texts
    assert draw_graph(drawn, "a model", "svg") == svg
    png = draw_graph(drawn, "a model", "png")
    assert draw_graph(drawn, "a model", "png") == png
    picture = Image.open(BytesIO(png)).convert("L")
    # A box's border is drawn, and not all is white.
    assert np.asarray(picture).min() < 120


@pytest.mark.slow
def test_a_long_model_fits_into_a_picture() -> None:
    names = [f"layer_{number}" for number in range(160)]
    edges = tuple(itertools.pairwise(names))
    png = draw_graph(
        ModelGraph(tuple(LayerBox(n, (n, "Conv2D")) for n in names), edges), "long", "png"
    )
    assert Image.open(BytesIO(png)).height <= 20_000
