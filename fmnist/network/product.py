"""Matrix products with the same bits on every processor that has fused multiply-adds.

XLA gives a product to YNNPACK, which with the contract's switches computes an element as a chain of
fused multiply-adds over k, in order. It cuts a chain longer than 512 at multiples of 512, and adds
the pieces in order. That holds on every processor, with these exceptions, which are avoided here:

- If the left factor is transposed in the graph, but not in memory, XLA gives the product to Eigen.
- If a factor is a vector, XLA computes the product itself. It sums in blocks, as Eigen does.
- If the right factor is not transposed, or has few columns, YNNPACK cuts a long chain elsewhere:
  where, depends on its kernel for the processor.

Sums over images, such as the gradient of a bias, are products too: XLA itself adds in an order that
depends on how many numbers the processor adds at once.

https://github.com/google/XNNPACK/tree/master/ynnpack: subgraph/dot.cc, kernels/dot/schedule.cc
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_optimization_barrier

PIECE = 512  # multiply-adds
_BLOCK = 64  # columns of a right factor of which YNNPACK keeps a piece in its cache
_UNROLL = 4  # multiply-adds of a chain in one step of a kernel: 4 on ARM, 1 on x86-64
_ALIGNMENT = 16  # columns in one step of a kernel: at most


def product(x: tf.Tensor, w: tf.Tensor, **options: Any) -> tf.Tensor:
    """Return x float32 [..., K] times w float32 [K, N]: float32 [..., N].

    Keras' Dense calls this with the arguments of `tf.matmul` or `tf.tensordot`. A graph for any
    number of images, such as ``fit`` builds, has TensorFlow's own product.
    """
    if None in x.shape:
        return tf.linalg.tensordot(x, w, 1)
    rows = _product(tf.reshape(x, (-1, w.shape[0])), w)
    return tf.reshape(rows, (*x.shape[:-1], w.shape[1]))


def add_bias(x: tf.Tensor, bias: tf.Tensor, **options: Any) -> tf.Tensor:
    """Return x float32 [..., N] plus bias float32 [N]; its gradient is a sum in order.

    Keras' Dense calls this with the arguments of `tf.nn.bias_add`.
    """
    bias = tf.convert_to_tensor(bias)
    return x + bias if None in x.shape else _add_bias(x, bias)


@tf.function(autograph=False, jit_compile=True)
@tf.custom_gradient
def _add_bias(x: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.reshape(upstream, (-1, x.shape[-1]))
        return upstream, multiply(tf.ones((1, rows.shape[0])), rows)[0]

    return x + bias, gradients


@tf.function(autograph=False, jit_compile=True)
@tf.custom_gradient
def _product(x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_x = multiply(upstream, tf.transpose(w))
        return of_x, tf.transpose(multiply(tf.transpose(upstream), x))

    return multiply(x, w), gradients


def multiply(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return a float32 [..., M, K] times b float32 [..., K, N], in XLA: float32 [..., M, N]."""
    k, n = b.shape[-2:]
    if a.shape[-2] == 1:
        return multiply(tf.concat([a, a], -2), b)[..., :1, :]
    if n == 1:
        return multiply(a, tf.concat([b, b], -1))[..., :1]
    a = in_memory(a)
    if k <= longest_chain(n):
        return rounded(tf.linalg.matmul(a, b))
    # With zeros, a kernel takes the last multiply-adds as it takes the others.
    zeros = [[0, 0]] * (len(b.shape) - 1) + [[0, -k % _UNROLL]]
    b = in_memory(tf.pad(tf.linalg.matrix_transpose(b), zeros))
    a = tf.pad(a, zeros)
    piece = PIECE if n < _BLOCK else k + _UNROLL
    products = [
        tf.linalg.matmul(a[..., i : i + piece], b[..., i : i + piece], transpose_b=True)
        for i in range(0, k, piece)
    ]
    return rounded(functools.reduce(tf.add, products))


def elementwise(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return the products of elements, each rounded before it is added to another.

    In a difference of two products, XLA fuses one of them with the subtraction, a different one on
    ARM.
    """
    return rounded(x * y)


def rounded(product: tf.Tensor) -> tf.Tensor:
    """Keep XLA from merging a product with the sum or transposition that follows; NaN stays NaN."""
    return tf.where(product == product, product, math.nan)


def longest_chain(n: int) -> int:
    """Return the length above which a chain is cut if the right factor, [K, N], is as it is."""
    columns = -(-n // _ALIGNMENT) * _ALIGNMENT
    return min(PIECE, PIECE * _BLOCK // (columns * _UNROLL) * _UNROLL)


def in_memory(x: tf.Tensor) -> tf.Tensor:
    """Keep XLA from merging a transposition with the product that follows it."""
    return xla_optimization_barrier([x])[0]
