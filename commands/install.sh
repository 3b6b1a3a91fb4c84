#!/bin/sh
# Install exactly what requirements/main.lock lists into .venv: with uv if this machine has it, else
# with pip. With the name of a group, add what requirements/<group>.lock lists.
set -eu
cd "$(dirname "$0")/.."
group=${1:-main}
lock=requirements/$group.lock

# The machine's uv, not the one in .venv that writes the locks, which pip must be able to replace.
PATH=$(printf %s ":$PATH:" | sed "s#:$PWD/.venv/bin:#:#g")

supported() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

if ! supported .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null; then
    for python in python3 python3.13 python3.12 python3.11 none; do
        supported "$python" && break
    done
    if [ "$python" = none ]; then
        echo "error: expected Python 3.11, 3.12 or 3.13 with venv on PATH, found none; install one" >&2
        exit 2
    fi
    rm -rf .venv
    "$python" -m venv .venv
fi

if [ "$group" = main ]; then
    echo "Installing 2.7 GB of packages into .venv: less than a minute from a near mirror" >&2
    rm -f .venv/*.lock # groups are added again after this
    install=sync
else
    echo "Adding the packages of $lock to .venv" >&2
    install="install --no-deps --requirement"
fi
if command -v uv >/dev/null; then
    # shellcheck disable=SC2086 # words of its own
    uv pip $install "$lock" --quiet --python .venv/bin/python --require-hashes --compile-bytecode
else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
        --requirement "$lock"
fi
cp "$lock" ".venv/$group.lock"
