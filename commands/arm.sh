#!/bin/sh
# Put Debian's Python for ARM, and what requirements/main.lock lists, into .arm: another processor,
# emulated, for `make emulate`. Needs apt, but not root; half a minute and 2 GB. Does nothing if
# that is there.
set -eu
cd "$(dirname "$0")/.."
lock=requirements/main.lock
if cmp -s "$lock" .arm/main.lock; then
    exit
fi
for program in apt-get dpkg-deb; do
    if ! command -v "$program" >/dev/null; then
        echo "no emulated ARM: $program is not installed" >&2
        exit 2
    fi
done
rm -rf .arm .arm.part
apt=$PWD/.arm.part/apt # a state of its own: apt leaves the system as it is
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
touch "$apt/status"
set -- --quiet=2 --option=APT::Architecture=arm64 --option=APT::Architectures::=arm64 \
    --option=APT::Sandbox::User= --option=Acquire::Languages=none --option=Dir::State="$apt" \
    --option=Dir::State::status="$apt/status" --option=Dir::Cache="$apt"
apt-get "$@" update
apt-get "$@" --yes --no-install-recommends --download-only install python3 libstdc++6
for package in "$apt"/archives/*.deb; do
    dpkg-deb --extract "$package" .arm.part
done
rm -r "$apt"
version=$(basename "$(readlink .arm.part/usr/bin/python3)")
.venv/bin/uv pip install --quiet --no-deps --require-hashes --requirement "$lock" \
    --python-version "${version#python}" --python-platform aarch64-manylinux_2_31 \
    --target ".arm.part/usr/local/lib/$version/dist-packages"
cp "$lock" .arm.part/main.lock
mv .arm.part .arm
