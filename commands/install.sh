#!/bin/sh
# usage: install.sh [group] [environment]
# Install exactly what requirements/main.lock lists into .venv: with uv if this machine has it, else
# with pip. With the name of a group, add what requirements/<group>.lock lists. Does nothing if that
# is installed.
set -eu
cd "$(dirname "$0")/.."
group=${1:-main}
environment=${2:-.venv}
lock=requirements/$group.lock
python=$environment/bin/python

# Programs in an environment name its path: in a moved or copied folder they do not start.
moved() {
    [ "$(cat "$environment/path" 2>/dev/null)" != "$(cd "$environment" && pwd -P)" ]
}

if [ -x "$python" ] && cmp -s "$lock" "$environment/$group.lock" && ! moved; then
    exit
fi

# These install somewhere else, or nothing. Indexes, proxies and certificates stay the user's.
unset PYTHONHOME PYTHONPATH PYTHONSAFEPATH PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON UV_SYSTEM_PYTHON
export PIP_USER=0 PIP_DRY_RUN=0
# The machine's uv, not the one in .venv, which would replace itself.
while [ "$PATH" != "${PATH#"$PWD/.venv/bin:"}" ]; do
    PATH=${PATH#"$PWD/.venv/bin:"}
done

supported() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

if ! supported "$python" || ! "$python" -m pip --version >/dev/null || moved; then
    for base in python3 python3.13 python3.12 python3.11 none; do
        supported "$base" && break
    done
    if [ "$base" = none ]; then
        echo "error: expected Python 3.11, 3.12 or 3.13 with venv on PATH, found none; install one" >&2
        exit 2
    fi
    rm -rf "$environment"
    "$base" -m venv "$environment"
    (cd "$environment" && pwd -P >path)
fi

install="install --no-deps --requirement"
case $group in
main)
    echo "Installing 2.7 GB of packages into .venv: less than a minute from a near mirror" >&2
    rm -f .venv/*.lock # groups are added again after this
    install=sync
    modules="dvc, keras, matplotlib, pandas, pydantic, pytest, sklearn, tensorflow"
    ;;
share) modules="dvc_s3, dvc_ssh" ;;
servers) modules="moto.server" ;;
sweep) modules="optuna, ray" ;;
pytorch) modules=torch ;;
*) modules=$group ;;
esac
[ "$group" = main ] || echo "Adding the packages of $lock to $environment" >&2
if command -v uv >/dev/null; then
    # shellcheck disable=SC2086 # words of its own
    uv pip $install "$lock" --quiet --python "$python" --require-hashes --compile-bytecode
else
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
        --requirement "$lock"
fi
if ! output=$("$python" -c "import $modules" 2>&1); then
    echo "$output" >&2
    echo "error: $environment: expected the packages of $lock, found that they cannot be imported;" \
        "does a setting install them elsewhere? \`$python -m pip config list\` shows those of pip" >&2
    exit 2
fi
if [ "$group" = main ]; then
    # DVC and its stages take no packages from elsewhere, and no shell that refuses to run commands.
    # Where DVC stays as it was, its program is the one below already.
    grep -q dvc.py .venv/bin/dvc || mv .venv/bin/dvc .venv/bin/dvc.py
    cat >.venv/bin/dvc <<'END'
#!/bin/sh
unset PYTHONHOME PYTHONPATH PYTHONSAFEPATH
programs=$(CDPATH='' cd "${0%/*}" && pwd)
SHELL=/bin/sh PATH="$programs:$PATH" exec "$programs/python" -P "$programs/dvc.py" "$@"
END
    chmod +x .venv/bin/dvc
fi
cp "$lock" "$environment/$group.lock"
