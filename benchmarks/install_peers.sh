#!/bin/sh
# Install each peer of the benchmarks from its lock, into an environment of its own: .peers/<peer>. A
# peer that cannot be installed here is left out with a message.
set -u
cd "$(dirname "$0")/.."

for peer in jax pytorch; do
    lock=requirements/$peer.lock
    cmp --quiet "$lock" ".peers/$peer/$peer.lock" && continue
    echo "Installing $peer into .peers/$peer: less than 1 GB, about a minute" >&2
    rm -rf ".peers/$peer"
    python -m venv ".peers/$peer" &&
        ".peers/$peer/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            --require-hashes --requirement "$lock" &&
        cp "$lock" ".peers/$peer/$peer.lock" && continue
    rm -rf ".peers/$peer"
    echo "cannot install $peer, for the reason above: the benchmarks leave it out" >&2
done
