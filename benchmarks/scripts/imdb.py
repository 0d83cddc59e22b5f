"""Deep Learning with Python, sections 3.4 and 4.4: IMDB reviews as vectors of zeros and ones.

`dense` is the network of section 3.4; `final` is the last one of 3.4.4, without validation.
"""

import sys

import numpy as np
from common import Clock, keras, load, report
from keras import layers, regularizers

epochs, variant = int(sys.argv[1]), sys.argv[2]
train_data, train_labels = load("imdb", num_words=10000)


def vectorize_sequences(sequences, dimension=10000):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


x_train = vectorize_sequences(train_data)
y_train = np.asarray(train_labels).astype("float32")


def network(units, regularizer=None, dropout=None):
    hidden = []
    for _ in range(2):
        hidden.append(layers.Dense(units, activation="relu", kernel_regularizer=regularizer))
        if dropout:
            hidden.append(layers.Dropout(dropout))
    return keras.Sequential([*hidden, layers.Dense(1, activation="sigmoid")])


if variant == "smaller":
    model = network(4)
elif variant == "bigger":
    model = network(512)
elif variant == "l1":
    model = network(16, regularizers.l1(0.001))
elif variant == "l2":
    model = network(16, regularizers.l2(0.001))
elif variant == "dropout":
    model = network(16, dropout=0.5)
elif variant in ("dense", "final"):
    model = network(16)
else:
    sys.exit(f"unknown variant: {variant}")
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
clock = Clock()
if variant == "final":
    history = model.fit(
        x_train, y_train, epochs=epochs, batch_size=512, verbose=0, callbacks=[clock]
    )
    report([clock], history.history["accuracy"][-1])
else:
    history = model.fit(
        x_train[10000:],
        y_train[10000:],
        epochs=epochs,
        batch_size=512,
        validation_data=(x_train[:10000], y_train[:10000]),
        verbose=0,
        callbacks=[clock],
    )
    report([clock], history.history["val_accuracy"][-1])
