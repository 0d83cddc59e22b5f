"""Vectors of words against scikit-learn's principal components and cosines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity
from subjects import subject_of

from dlrun.errors import ComponentError
from dlrun.views.embedding import Embedding

TEXT = """
dataset: {source: csv, path: texts.csv, target: y}
preprocess: [{text: {vocabulary: 12, length: 8}}]
architecture:
  layers:
    - Embedding: {input_dim: 12, output_dim: 4}
    - GlobalAveragePooling1D
    - Dense: {units: 1, activation: sigmoid}
loss: binary_crossentropy
optimizer: adam
metrics: [accuracy]
evaluation: {validation: null}
"""
WORDS = ["good", "bad", "fine", "awful", "film", "plot", "cast", "end"]


def test_the_plane_and_the_nearest_words_are_scikit_learns(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 8)) for _ in range(30)]
    labels = ["yes", "no"] * 15
    pd.DataFrame({"text": texts, "y": labels}).to_csv(tmp_path / "texts.csv", index=False)
    subject = subject_of(tmp_path, TEXT)
    seen = Embedding(near=["good"]).look(subject)
    names, vectors = seen.facts["words"], seen.arrays["vectors"]
    assert sorted(names) == sorted(WORDS)
    embedding = next(one for one in subject.layers.values() if type(one).__name__ == "Embedding")
    table = embedding.get_weights()[0]
    words = subject.pipeline.vocabularies["text"].words
    for name, vector in zip(names, vectors, strict=True):
        np.testing.assert_array_equal(vector, table[words.index(name)])
    theirs = PCA(2).fit(vectors)
    np.testing.assert_allclose(
        np.abs(seen.arrays["plane"]), np.abs(theirs.transform(vectors)), atol=1e-5
    )
    np.testing.assert_allclose(seen.facts["variance"], theirs.explained_variance_ratio_, rtol=1e-4)
    cosines = cosine_similarity(vectors)[names.index("good")]
    order = [names[i] for i in np.argsort(-cosines) if names[i] != "good"]
    assert [word for word, _ in seen.facts["nearest"]["good"]] == order
    with pytest.raises(ComponentError, match="no word 'gold'"):
        Embedding(near=["gold"]).look(subject)
