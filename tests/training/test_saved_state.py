"""States of fits: trees of values and arrays, kept as facts and arrays."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from dlrun.training.checkpoint import FitState, by_path, packed, unpacked


def test_a_tree_comes_back_as_it_was():
    tree = {
        "epochs": 3,
        "history": {"loss": [0.1, float("nan"), float("inf")]},
        "generator": ("MT19937", np.arange(4, dtype=np.uint32), 1, None),
        "best": np.float32(0.1),
        "weights": {"dense/kernel": np.ones((2, 3), np.float16)},
        "empty": {},
    }
    state = packed(tree)
    assert state.facts["epochs"] == 3
    assert "weights/dense/kernel" in state.arrays

    back = unpacked(FitState(json.loads(json.dumps(state.facts)), state.arrays))

    assert json.dumps(back["history"]) == json.dumps(tree["history"])
    assert back["generator"][0] == "MT19937"
    assert back["generator"][2:] == (1, None)
    np.testing.assert_array_equal(back["generator"][1], tree["generator"][1])
    assert back["best"] == np.float32(0.1)
    assert isinstance(back["best"], np.float32)
    assert back["weights"]["dense/kernel"].dtype == np.float16
    assert back["empty"] == {}


def test_half_precision_numbers_that_numpy_lacks_keep_their_bits():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array([[0.1, -3], [1e30, 0]], ml_dtypes.bfloat16)
    state = packed({"values": values})
    assert state.arrays["values"].dtype == np.uint8
    back = unpacked(state)["values"]
    assert back.dtype == values.dtype
    assert back.tobytes() == values.tobytes()


def test_what_cannot_be_kept_is_named():
    with pytest.raises(TypeError, match="callbacks/0/best is <object"):
        packed({"callbacks": [{"best": object()}]})


@pytest.mark.parametrize("value", [{1, 2}, {1: 2}, np.array("text"), np.array([None])])
def test_what_a_file_has_no_word_for_is_refused(value: object):
    with pytest.raises(TypeError, match=r"state/seen is .*, which a checkpoint cannot keep"):
        packed({"state": {"seen": value}})


def test_variables_of_one_path_are_told_apart():
    variables = [SimpleNamespace(path=path) for path in ("a", "b", "a", "a")]
    assert list(by_path(variables)) == ["a", "b", "a#2", "a#3"]
