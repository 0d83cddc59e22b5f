"""The table of names and directions against the installed Keras."""

from __future__ import annotations

import inspect

import pytest

from dlrun.metrics.scores import direction

NO_DIRECTION = {
    "Mean",
    "Sum",
    "Metric",
    "MeanMetricWrapper",
    "Loss",
    "LossFunctionWrapper",
    "deserialize",
    "get",
    "serialize",
}


def keras_names(kind: str) -> dict[str, object]:
    """Every name that Keras exports or accepts, with its object."""
    import keras
    from keras.src import losses, metrics

    public = keras.metrics if kind == "metric" else keras.losses
    accepted = metrics.ALL_OBJECTS_DICT if kind == "metric" else losses.ALL_OBJECTS_DICT
    names = {name: getattr(public, name) for name in dir(public) if not name.startswith("_")}
    return names | accepted


@pytest.mark.parametrize("kind", ["metric", "loss"])
def test_every_name_of_keras_has_a_direction(kind):
    missing = []
    for name, value in keras_names(kind).items():
        known = getattr(value, "__name__", name)
        if name in NO_DIRECTION or known in NO_DIRECTION:
            continue
        try:
            direction(name, kind)
        except LookupError:
            missing.append(name)
    assert not missing


def test_directions_are_those_that_keras_states():
    arguments = {"num_classes": 3, "target_class_ids": [0]}
    arguments |= {"recall": 0.5, "precision": 0.5, "specificity": 0.5, "sensitivity": 0.5}
    compared = 0
    for name, value in keras_names("metric").items():
        if not inspect.isclass(value) or value.__name__ in NO_DIRECTION:
            continue
        accepted = inspect.signature(value).parameters
        metric = value(**{key: a for key, a in arguments.items() if key in accepted})
        stated = getattr(metric, "_direction", None)
        if stated is not None:
            assert direction(name) == {"up": "max", "down": "min"}[stated], name
            compared += 1
    assert compared > 60


def test_losses_are_minimised():
    names = set(keras_names("loss")) - NO_DIRECTION
    assert {direction(name, "loss") for name in names} == {"min"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loss", "min"),
        ("acc", "max"),
        ("accuracy", "max"),
        ("ce", "min"),
        ("huber", "min"),
        ("false_positives", "min"),
        ("cosine_similarity", "max"),
        ("fbeta_score", "max"),
        ("logcosh", "min"),
    ],
)
def test_names_as_a_history_has_them(name, expected):
    assert direction(name) == expected


def test_cosine_similarity_is_minimised_as_a_loss():
    assert direction("cosine_similarity", "loss") == "min"


def test_an_unknown_name_is_met_with_the_nearest():
    with pytest.raises(LookupError) as caught:
        direction("acuracy")
    assert str(caught.value) == (
        "no direction is known for the metric 'acuracy'; did you mean 'accuracy'?"
    )


@pytest.mark.parametrize("name", ["Sum", "Mean", "get", "Metric"])
def test_what_has_no_better_or_worse_is_refused(name):
    with pytest.raises(LookupError, match=f"the metric '{name}'"):
        direction(name)


def test_every_measure_of_the_catalogue_is_in_the_table():
    from dlrun.metrics.names import NO_MEASURES, RESOLVED_BY_SHAPES
    from dlrun.metrics.table import MEASURES
    from dlrun.registry.catalogue import names

    known = {*names("metric"), *names("loss"), *RESOLVED_BY_SHAPES.values()}
    expected = known - NO_MEASURES - {"accuracy", "crossentropy"}
    assert set(MEASURES) >= expected, expected - set(MEASURES)


@pytest.mark.parametrize(
    ("name", "arguments", "form", "expected"),
    [
        ("F1Score", {}, "unit", False),
        ("F1Score", {"threshold": 0.5}, "unit", True),
        ("F1Score", {}, "classes", True),
        ("AUC", {}, "classes", False),
        ("AUC", {"multi_label": True}, "classes", True),
        ("Precision", {"class_id": 1}, "classes", True),
        ("Precision", {}, "labels", True),
        ("PearsonCorrelation", {}, "quantity", False),
        ("PearsonCorrelation", {"axis": 0}, "quantity", True),
        ("CosineSimilarity", {}, "quantities", True),
        ("BinaryAccuracy", {}, "classes", False),
        ("MeanSquaredError", {}, "unit", True),
        ("SomePlugin", {}, "unit", True),
    ],
)
def test_what_a_measure_means_depends_on_the_output(name, arguments, form, expected):
    from dlrun.metrics.table import means_something

    assert means_something(name, arguments, form) is expected
