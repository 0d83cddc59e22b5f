"""Components of Keras as a config names them: what is read, and what is written again."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dlrun.config.document import Reporter
from dlrun.config.keras_components import dump_component, metric_names, read_component
from dlrun.registry import catalogue
from dlrun.registry.catalogue import Argument
from dlrun.registry.keras_component import KerasComponent, KerasKind


def read(kind: KerasKind, value: Any) -> KerasComponent:
    report = Reporter()
    component = read_component(kind, value, (), report)
    assert report.problems() == []
    assert component is not None
    return component


def test_three_spellings_mean_the_same() -> None:
    assert read("layer", {"Dense": 64}).arguments == {"units": 64}
    assert read("layer", {"Dense": {"units": 64}}).arguments == {"units": 64}
    assert read("layer", "Flatten").arguments == {}
    assert read("layer", {"Flatten": None}).arguments == {}
    assert read("layer", {"Flatten": {}}).arguments == {}


def test_names_and_places() -> None:
    component = read("optimizer", {"rmsprop": {"learning_rate": {"ExponentialDecay": {
        "initial_learning_rate": 0.1, "decay_steps": 100, "decay_rate": 0.9}}}})  # fmt: skip
    assert (component.kind, component.name, component.alias) == ("optimizer", "RMSprop", "rmsprop")
    assert component.path == ("rmsprop",)
    schedule = component.arguments["learning_rate"]
    assert (schedule.kind, schedule.name) == ("schedule", "ExponentialDecay")
    assert schedule.path == ("rmsprop", "learning_rate", "ExponentialDecay")
    assert read("metric", "mae").path == ("mae",)


def test_a_component_alone_is_the_first_argument_where_that_takes_one() -> None:
    wrapped = read("layer", {"Bidirectional": {"LSTM": 32}})
    assert wrapped.arguments["layer"].name == "LSTM"
    assert wrapped.arguments["layer"].path == ("Bidirectional", "layer", "LSTM")
    assert read("layer", {"Bidirectional": {"layer": {"LSTM": 32}}}).arguments.keys() == {"layer"}
    decayed = read("optimizer", {"sgd": {"PiecewiseConstantDecay": {
        "boundaries": [10], "values": [0.1, 0.01]}}})  # fmt: skip
    assert decayed.arguments["learning_rate"].name == "PiecewiseConstantDecay"
    activated = read("layer", {"Activation": {"LeakyReLU": 0.1}})
    assert activated.arguments["activation"].arguments == {"negative_slope": 0.1}


def test_a_list_is_the_first_argument() -> None:
    assert read("layer", {"Reshape": [28, 28, 1]}).arguments == {"target_shape": [28, 28, 1]}
    cells = read("layer", {"StackedRNNCells": [{"LSTMCell": 8}, {"GRUCell": 4}]})
    assert [cell.name for cell in cells.arguments["cells"]] == ["LSTMCell", "GRUCell"]


def test_words_that_compile_resolves_stay_words() -> None:
    for kind, word in (("metric", "accuracy"), ("metric", "acc"), ("loss", "crossentropy")):
        component = read(kind, word)
        assert component.alias == word
        assert dump_component(component) == word


def test_defaults_are_filled_in_and_aliases_kept() -> None:
    assert dump_component(read("optimizer", "rmsprop"))["rmsprop"]["learning_rate"] == 0.001
    dense = dump_component(read("layer", {"Dense": {"units": 3, "kernel_regularizer": "l2"}}))
    assert dense == {
        "Dense": {
            "units": 3,
            "kernel_regularizer": {"l2": {"l2": 0.01}},
            "use_bias": True,
            "kernel_initializer": "glorot_uniform",
            "bias_initializer": "zeros",
        }
    }
    assert dump_component(read("metric", "mae")) == "mae"
    assert dump_component(read("loss", "mse")) == "mse"
    assert dump_component(read("loss", {"mse": {"reduction": "sum"}})) == {
        "mse": {"reduction": "sum"}
    }


def test_defaults_filled_in_are_copies() -> None:
    first = dump_component(read("layer", {"Conv2D": {"filters": 3, "kernel_size": 3}}))
    first["Conv2D"]["strides"].append(7)
    second = dump_component(read("layer", {"Conv2D": {"filters": 3, "kernel_size": 3}}))
    assert second["Conv2D"]["strides"] == [1, 1]


def test_metric_names_are_unique_and_those_of_the_config() -> None:
    given_and_named: list[tuple[Any, str]] = [
        ("mae", "mae"),
        ("AUC", "AUC"),
        ({"AUC": {"curve": "PR"}}, "auc"),
        ({"AUC": {"curve": "ROC"}}, "auc_1"),
        ({"MeanIoU": 3}, "mean_io_u"),
        ({"LogCoshError": {"dtype": "float32"}}, "logcosh"),
        ({"mae": {"name": "error"}}, "error"),
    ]
    metrics = [read("metric", value) for value, _ in given_and_named]
    assert metric_names(metrics) == [name for _, name in given_and_named]


# --- every component that a config can hold ---

ANYTHING = st.one_of(
    st.integers(-5, 5), st.floats(-5, 5), st.text("abc", max_size=3), st.lists(st.integers(0, 3))
)


def values(argument: Argument, depth: int) -> st.SearchStrategy[Any]:
    """Values that the catalogue says an argument accepts."""
    low = argument.minimum if argument.minimum is not None else -3
    high = argument.maximum if argument.maximum is not None else low + 9
    plain: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(int(low), int(high)),
        "number": st.floats(low, high) | st.integers(int(low), int(high)),
        "string": st.sampled_from(argument.choices or ("a", "b")),
        "list": st.lists(st.integers(1, 3), min_size=1),
        "null": st.none(),
        "activation": st.sampled_from(catalogue.activations()) | st.just({"LeakyReLU": 0.25}),
        "layers": st.lists(components("layer", depth - 1), min_size=1, max_size=2),
        "table": st.dictionaries(st.integers(0, 9), st.floats(0, 1), min_size=1),
    }
    options = [
        components(accepted, depth - 1) if accepted in catalogue.KINDS else plain[accepted]
        for accepted in argument.accepts
        if accepted != "python"
    ]
    return st.one_of(options) if options else ANYTHING


@st.composite
def components(draw: st.DrawFn, kind: KerasKind, depth: int = 2) -> Any:
    """A component in any of the three spellings."""
    known = [w for w in catalogue.spellings(kind) if depth > 0 or not _nests(kind, w)]
    word = draw(st.sampled_from(known))
    entry = catalogue.entry(kind, word)
    assert entry is not None
    usable = [a for a in entry.arguments if a.accepts != ("python",)]
    optional = [a.name for a in usable if not a.required]
    chosen = draw(st.lists(st.sampled_from(optional), max_size=3, unique=True)) if optional else []
    arguments = [a for a in usable if a.required or a.name in chosen]
    given = {a.name: draw(values(a, depth)) for a in arguments}
    if not given:
        return draw(st.sampled_from([word, {word: {}}, {word: None}]))
    alone = entry.first is not None and given.keys() == {entry.first.name}
    if alone and given[entry.first.name] is not None and draw(st.booleans()):
        return {word: given[entry.first.name]}
    return {word: given}


def _nests(kind: KerasKind, word: str) -> bool:
    entry = catalogue.entry(kind, word)
    assert entry is not None
    return any(
        a.required and {"layer", "layers", "optimizer"} & {*a.accepts} for a in entry.arguments
    )


KIND_AND_VALUE = st.sampled_from(catalogue.KINDS).flatmap(
    lambda kind: st.tuples(st.just(kind), components(kind))
)


@settings(max_examples=100, deadline=None)
@given(KIND_AND_VALUE)
def test_what_is_accepted_comes_back_the_same(example: tuple[KerasKind, Any]) -> None:
    kind, value = example
    first = read(kind, value)
    again = read(kind, dump_component(first))
    assert (again.kind, again.name, again.alias) == (first.kind, first.name, first.alias)
    assert_same_arguments(first, again)
    assert dump_component(again) == dump_component(first)


def assert_same_arguments(first: KerasComponent, again: KerasComponent) -> None:
    """Whatever was given is there again; what came to it are the catalogue's defaults."""
    entry = catalogue.entry(first.kind, first.name)
    assert entry is not None
    for name, value in again.arguments.items():
        if name in first.arguments:
            assert_same_value(first.arguments[name], value)
        else:
            argument = entry.argument(name)
            assert argument is not None
            assert argument.default == (value.alias if isinstance(value, KerasComponent) else value)
    assert first.arguments.keys() <= again.arguments.keys()


def assert_same_value(first: Any, again: Any) -> None:
    if isinstance(first, KerasComponent):
        assert (again.name, again.alias) == (first.name, first.alias)
        assert_same_arguments(first, again)
    elif isinstance(first, list):
        for one, other in zip(first, again, strict=True):
            assert_same_value(one, other)
    else:
        assert again == first


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(catalogue.KINDS),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Dense", "units", "adam", "L2", "LSTM"]) | st.text(max_size=5),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    ),
)
def test_no_plain_data_breaks_the_reader(kind: KerasKind, value: Any) -> None:
    report = Reporter()
    component = read_component(kind, value, (), report)
    assert (component is None) == bool(report.problems())
