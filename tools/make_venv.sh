#!/bin/sh
# Make the virtual environment of `make`: make_venv.sh FOLDER [PYTHON]
#
# Without PYTHON, an environment that works stays as it is, and a new one gets the newest supported Python
# on the PATH. An environment whose Python is gone, unsupported, or another than PYTHON is made again.
set -eu
folder=$1
wanted=${2-}
script='import sys; sys.exit(sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info[:2] <= (3, 13))'

supports() {
    "$1" -c "$script" 2>/dev/null
}

version() {
    "$1" -c 'import platform; print(platform.python_implementation(), platform.python_version())' 2>/dev/null ||
        echo "not a Python that runs"
}

is_usable() {
    supports "$folder/bin/python" && "$folder/bin/python" -c 'import pip' 2>/dev/null &&
        { [ -z "$wanted" ] || [ "$(version "$wanted")" = "$(version "$folder/bin/python")" ]; }
}

refuse() {
    echo "Soundalike needs Python 3.11, 3.12 or 3.13; found $1. Name one with: make PYTHON=/path/to/python3.13" >&2
    exit 1
}

choose() {
    if [ -n "$wanted" ]; then
        supports "$wanted" || refuse "$wanted: $(version "$wanted")"
        return
    fi
    found=
    for wanted in python3.13 python3.12 python3.11 python3; do
        if ! command -v "$wanted" >/dev/null; then
            continue
        elif supports "$wanted"; then
            return
        fi
        found="${found:+$found, }$(command -v "$wanted"): $(version "$wanted")"
    done
    refuse "${found:-none on the PATH}"
}

if [ -n "$wanted" ]; then
    choose
fi
if is_usable; then
    [ -e "$folder/made" ] || touch "$folder/made"
    exit
fi
choose
if [ -e "$folder" ]; then
    echo "making $folder again: its Python was: $(version "$folder/bin/python")"
fi
echo "making $folder with $(version "$wanted")"
"$wanted" -m venv --clear "$folder"
touch "$folder/made"
