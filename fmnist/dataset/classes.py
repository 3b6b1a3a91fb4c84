"""The ten classes of Fashion-MNIST, in the order of their labels."""

# https://github.com/zalandoresearch/fashion-mnist#labels; keys of metrics, so without "/" or space.
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
DISPLAY_NAMES = tuple(name.replace("_", " ") for name in CLASSES)  # for people
