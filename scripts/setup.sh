#!/bin/sh
# Makes the virtual environment of this project: finds a Python, creates the environment, and installs
# translearn with the versions of constraints.txt. `make` calls it before every target that needs it.
#
# Run again with nothing changed, it does nothing. A changed pyproject.toml or constraints.txt is installed
# on top; another Python, a moved project or an interrupted set-up makes the environment anew.
#
# Environment: VENV (.venv), PYTHON (the interpreter to use), EXTRAS (dev), NEEDED_MB (free disk to ask for),
# and all that pip and uv read.
set -eu
cd "$(dirname "$0")/.."

VENV=${VENV:-.venv}
EXTRAS=${EXTRAS:-dev}
OLDEST=11 NEWEST=14 # Python 3.x: from the `requires-python` of pyproject.toml to the last one with Ray wheels
NEEDED_MB=${NEEDED_MB:-8192} # measured: 6.2 GB in the environment, and room to unpack the largest wheel
STAMP=$VENV/translearn-setup

fail() { # where, rule, value, remedy
    printf 'setup: %s: %s, but got %s. %s\n' "$@" >&2
    exit 1
}

candidates() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
        return
    fi
    if [ -f "$STAMP" ]; then echo "$VENV/bin/python"; fi
    for minor in $(seq $NEWEST -1 $OLDEST); do echo "python3.$minor"; done
    echo python3
}

# Prints "MINOR yes|no VERSION PATH": whether it can make environments, and the interpreter behind a shim or
# an environment. Fails when the interpreter does not start. Runs on Python 2 too, to name what was found.
describe() {
    "$1" -c '
import sys
try:
    import ensurepip, venv
    complete = "yes"
except ImportError:
    complete = "no"
minor = sys.version_info[1] if sys.version_info[0] == 3 else 0
base = getattr(sys, "_base_executable", sys.executable)
print("%d %s %s %s" % (minor, complete, sys.version.split()[0], base))
' 2>/dev/null
}

# Sets python and version to the first usable candidate, or says what is wrong with what there is.
find_python() {
    incomplete=''
    found=${PYTHON:+$PYTHON, which does not start}
    while read -r name; do
        line=$(describe "$name") || continue
        read -r minor complete version python <<END
$line
END
        found="Python $version ($name)"
        if [ "$minor" -lt $OLDEST ] || [ "$minor" -gt $NEWEST ]; then continue; fi
        if [ "$complete" = yes ]; then return; fi
        incomplete="$found" incomplete_minor=$minor
    done <<END
$(candidates)
END
    if [ -n "$incomplete" ]; then
        fail python 'must have the modules venv and ensurepip' "$incomplete without them" \
            "On Debian or Ubuntu: sudo apt install python3.$incomplete_minor-venv, then run make again."
    fi
    fail python "must be version 3.$OLDEST to 3.$NEWEST" "${found:-none}" \
        "Install one, or name one: make PYTHON=/path/to/python3.$OLDEST TARGET."
}

fingerprint() {
    echo "$version $PWD $VENV $EXTRAS"
    cat pyproject.toml constraints.txt scripts/setup.sh | cksum
}

is_done() {
    [ "$(cat "$STAMP" 2>/dev/null)" = "$(fingerprint)" ] && "$VENV/bin/python" -c '' 2>/dev/null
}

is_reusable() {
    [ "$(head -n 1 "$STAMP" 2>/dev/null)" = "$(fingerprint | head -n 1)" ] && "$VENV/bin/python" -c '' 2>/dev/null
}

check_disk() {
    free_mb=$(df -Pk "$VENV" | awk 'NR == 2 { print int($4 / 1024) }')
    if [ "$free_mb" -lt "$NEEDED_MB" ]; then
        fail disk "must have $NEEDED_MB MB free for $VENV (most of it torch's CUDA packages)" "$free_mb MB" \
            'Free space, or set VENV to a folder on another disk.'
    fi
}

create_environment() {
    remedy='Make the project folder writable, or set VENV to another folder.'
    mkdir -p "$VENV" 2>/dev/null && [ -w "$VENV" ] ||
        fail "$VENV" 'must be a folder that can be written' 'one that can not be made' "$remedy"
    check_disk
    echo "setup: new environment in $VENV, Python $version"
    "$python" -m venv --clear "$VENV" || fail "$VENV" 'must take a virtual environment' 'the error above' "$remedy"
}

pip_install() {
    "$VENV/bin/python" -m pip install --disable-pip-version-check --quiet -c constraints.txt "$@"
}

# uv does not read pip's configuration, which is where a mirror is often set.
use_index_of_pip() {
    index=$("$VENV/bin/python" -m pip config list | sed -n "s/^.*\.index-url='\(.*\)'$/\1/p" | tail -n 1)
    index=${PIP_INDEX_URL:-$index}
    if [ -n "$index" ] && [ -z "${UV_INDEX_URL:-}" ]; then
        export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    fi
}

# uv links files from its cache, and warns where the cache lies on another file system.
choose_link_mode() {
    cache=$("$VENV/bin/uv" cache dir)
    mkdir -p "$cache" && : >"$cache/translearn-$$"
    ln "$cache/translearn-$$" "$VENV/translearn-$$" 2>/dev/null || export UV_LINK_MODE="${UV_LINK_MODE:-copy}"
    rm -f "$cache/translearn-$$" "$VENV/translearn-$$"
}

uv_install() {
    use_index_of_pip
    choose_link_mode
    "$VENV/bin/uv" pip install --compile-bytecode --python "$VENV/bin/python" -c constraints.txt "$@"
}

# Bytecode is compiled once here, as pip does: else each of Ray's workers compiles torch anew wherever
# PYTHONDONTWRITEBYTECODE is set or the environment cannot be written (import torch: 6.1 s, compiled 2.5 s).
# uv is several times as quick as pip; pip is there for sources that uv does not know of. Where pip is told to
# use no index, uv would use one.
install_packages() {
    if [ -z "${PIP_NO_INDEX:-}" ] && pip_install uv; then
        if uv_install -e ".[$EXTRAS]"; then return; fi
        echo 'setup: uv failed, so pip tries' >&2
    fi
    pip_install -e ".[$EXTRAS]" || fail packages 'must be installed from a package index' 'the error above' \
        'Check the network; a mirror is set with PIP_INDEX_URL=URL, a folder of wheels with PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER.'
}

find_python
if is_done; then exit 0; fi
if ! is_reusable; then create_environment; fi
rm -f "$STAMP" # from here on an interruption leaves no stamp, so the next run starts afresh
install_packages
fingerprint >"$STAMP"
echo 'setup: done'
