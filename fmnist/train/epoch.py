"""One epoch of training as one compiled loop over tensors in memory.

``model.fit`` returns to Python after every step, which for a small network costs more than the step
itself. Here the loop is part of the graph; layers, loss and optimizer are Keras' own, in the same
order, so that the weights agree with ``fit``'s up to rounding.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from fmnist.network.parts import features_and_classifier
from fmnist.train.transposed import TransposedWeights

RunEpoch = Callable[..., tuple[tf.Tensor, tf.Tensor]]


def compile_epoch(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    batch_size: int,
    jit_compile: bool,
    label_smoothing: float = 0.0,
) -> RunEpoch:
    """Return a function that trains ``model`` for one epoch, in place.

    The function takes images float32 [N, height, width], labels int32 [N], order int32 [N] (the
    permutation in which images are seen, the final short batch included) and rates float32 [steps]
    (a learning rate a step). It returns the mean loss, float64 [], and the number of right
    predictions, int32 [], each batch measured before its own update, as ``fit`` reports them.
    The loss that it reports is without label smoothing, so that it compares with others.
    """
    variables = model.trainable_variables
    optimizer.build(variables)
    weights = TransposedWeights(variables, optimizer) if jit_compile else None
    features, classifier = features_and_classifier(model)

    def classify(
        x: tf.Tensor, labels: tf.Tensor, counts: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        probabilities = classifier(x, training=True)  # [B, 10]
        losses = smoothed = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        if label_smoothing:
            loss = keras.losses.CategoricalCrossentropy(
                label_smoothing=label_smoothing, reduction=None
            )
            smoothed = loss(tf.one_hot(labels, probabilities.shape[-1]), probabilities)
        return tf.reduce_sum(smoothed * counts) / tf.reduce_sum(counts), losses, probabilities

    def update(rate: tf.Tensor, *gradients: tf.Tensor) -> None:
        if weights:
            weights.update(rate, gradients)
        else:
            optimizer.learning_rate.assign(rate)
            optimizer.apply(gradients, variables)

    if not jit_compile:  # XLA still, where it is faster or gives equal bits on every machine
        classify = tf.function(classify, autograph=False, jit_compile=True)
        update = tf.function(update, autograph=False, jit_compile=True)

    def step(
        images: tf.Tensor, labels: tf.Tensor, rate: tf.Tensor, counts: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if weights:
            weights.show()
        with tf.GradientTape() as tape:
            loss, losses, probabilities = classify(features(images, training=True), labels, counts)
        update(rate, *tape.gradient(loss, variables))
        right = tf.equal(tf.argmax(probabilities, axis=1, output_type=tf.int32), labels)
        return (
            tf.reduce_sum(tf.cast(losses * counts, tf.float64)),
            tf.reduce_sum(tf.cast(right, tf.int32) * tf.cast(counts, tf.int32)),
        )

    # Without autograph, which writes code to temporary files that a kill would leave.
    @tf.function(autograph=False, jit_compile=jit_compile)
    def run_epoch(
        images: tf.Tensor, labels: tf.Tensor, order: tf.Tensor, rates: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if weights:
            weights.begin()
        count = images.shape[0]
        batches = count // batch_size
        if jit_compile:  # XLA would compile the step again for a short batch: it is filled up
            batches = -(-count // batch_size)
            order = tf.pad(order, [[0, batches * batch_size - count]])

        def one(number: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
            first = number * batch_size
            batch = tf.slice(order, [first], [size])
            counts = tf.cast(first + tf.range(size) < count, images.dtype)  # 0 for what fills it up
            return step(tf.gather(images, batch), tf.gather(labels, batch), rates[number], counts)

        def next_batch(
            number: tf.Tensor, loss: tf.Tensor, right: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            more = one(number, batch_size)
            return number + 1, loss + more[0], right + more[1]

        loss, right = tf.constant(0, tf.float64), tf.constant(0)
        if batches:  # XLA would compile a loop that never runs
            _, loss, right = tf.while_loop(
                lambda number, *_: number < batches,
                next_batch,
                (tf.constant(0), loss, right),
                maximum_iterations=batches,
            )
        if count > batches * batch_size:
            more = one(tf.constant(batches), count - batches * batch_size)
            loss, right = loss + more[0], right + more[1]
        if weights:
            weights.end()
        return loss / count, right

    return run_epoch
