"""Deep Learning with Python, section 3.5: Reuters newswires in 46 topics.

`bottleneck` is the network of section 3.5.7, with a layer of 4 units.
"""

import sys

import numpy as np
from common import Clock, keras, load, report

units, batch_size = {"dense": (64, 512), "bottleneck": (4, 128)}[sys.argv[2]]
train_data, train_labels = load("reuters", num_words=10000)


def vectorize_sequences(sequences, dimension=10000):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


x_train = vectorize_sequences(train_data)
y_train = keras.utils.to_categorical(train_labels)

model = keras.Sequential(
    [
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(units, activation="relu"),
        keras.layers.Dense(46, activation="softmax"),
    ]
)
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
clock = Clock()
history = model.fit(
    x_train[1000:],
    y_train[1000:],
    epochs=int(sys.argv[1]),
    batch_size=batch_size,
    validation_data=(x_train[:1000], y_train[:1000]),
    verbose=0,
    callbacks=[clock],
)
report([clock], history.history["val_accuracy"][-1])
