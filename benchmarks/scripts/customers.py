"""A million customers: pandas reads the table, scikit-learn prepares it, Keras trains.

The last fifth in time is left for the test. The fifth before it gives the score, beside that of a
baseline and of a linear model.
"""

import os
import sys

import numpy as np
import pandas as pd
from common import Clock, keras, report
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

table = pd.read_csv(os.environ["BENCHMARK_ARRAYS"], parse_dates=["since"])
table = table.sort_values("since", kind="stable").drop(columns="since")
target = (table.pop("left") == "yes").to_numpy().astype("float32")
fifth = len(table) // 5
train, validation = slice(0, -2 * fifth), slice(-2 * fifth, -fifth)

prepare = make_column_transformer(
    (
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        make_column_selector(dtype_include=["number", "bool"]),
    ),
    (
        OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32"),
        make_column_selector(dtype_exclude=["number", "bool"]),
    ),
)
x_train = prepare.fit_transform(table[train]).astype("float32")
x_val = prepare.transform(table[validation]).astype("float32")
y_train, y_val = target[train], target[validation]

baseline = DummyClassifier().fit(x_train, y_train)
few = np.linspace(0, len(x_train) - 1, 50_000).astype(int)
linear = LogisticRegression(max_iter=50).fit(x_train[few], y_train[few])

model = keras.Sequential(
    [
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(0.001), loss="binary_crossentropy", metrics=["accuracy"]
)
clock = Clock()
history = model.fit(
    x_train,
    y_train,
    epochs=int(sys.argv[1]),
    batch_size=512,
    validation_data=(x_val, y_val),
    verbose=0,
    callbacks=[clock],
)
print("baseline", baseline.score(x_val, y_val), "linear", linear.score(x_val, y_val))
report([clock], history.history["val_accuracy"][-1])
