"""The ten classes of Fashion-MNIST, in the order of their labels."""

# https://github.com/zalandoresearch/fashion-mnist#labels; "/" would nest a metric's name.
CLASSES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle_boot",
)
