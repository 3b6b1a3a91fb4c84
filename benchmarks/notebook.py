"""The whole job as in a notebook: the default recipe by Keras' own means, in a plain script.

`benchmarks.whole_job` compares the pipeline with it. Each cell begins with a printed heading, from
which its seconds are taken. It reads the files by itself, because a notebook has nothing of this
project.

Reads       data/raw/
Writes      model.keras, accuracy.png, predictions.png
Usage       python benchmarks/notebook.py, in a folder of its own
"""

import struct
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

HELD_OUT = 5_000  # the last of the training images
EPOCHS = 30


def read(name: str) -> np.ndarray:
    """Return what a raw file holds."""
    content = Path("data/raw", name).read_bytes()
    header = 4 + 4 * content[3]
    shape = struct.unpack(f">{content[3]}I", content[4:header])
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def main() -> None:
    """Run the cells from top to bottom."""
    print("# read")
    x, y = read("train-images-idx3-ubyte") / 255, read("train-labels-idx1-ubyte")
    x_test, y_test = read("t10k-images-idx3-ubyte") / 255, read("t10k-labels-idx1-ubyte")
    x_train, y_train = x[:-HELD_OUT], y[:-HELD_OUT]
    x_valid, y_valid = x[-HELD_OUT:], y[-HELD_OUT:]

    print("# train")
    keras.utils.set_random_seed(42)
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(300, activation="relu"),
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, epochs=EPOCHS, validation_data=(x_valid, y_valid))

    print("# evaluate and save")
    _, accuracy = model.evaluate(x_test, y_test)
    print(f"test accuracy {accuracy:.4f}")
    model.save("model.keras")

    print("# draw")
    plt.figure(figsize=(8, 5))
    plt.plot(history.history["accuracy"], label="training")
    plt.plot(history.history["val_accuracy"], label="validation")
    plt.xlabel("epoch")
    plt.ylabel("accuracy")
    plt.legend()
    plt.savefig("accuracy.png")

    probabilities = model.predict(x_test[:3])
    plt.figure(figsize=(9, 3))
    for number, image in enumerate(x_test[:3]):
        plt.subplot(1, 3, number + 1)
        plt.imshow(image, cmap="gray_r")
        plt.title(f"{probabilities[number].argmax()} ({y_test[number]})")
        plt.axis("off")
    plt.savefig("predictions.png")


if __name__ == "__main__":
    main()
