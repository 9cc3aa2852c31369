#!/usr/bin/env bash
# Make a virtual environment with the first Python of at least 3.11 that is found.
set -euo pipefail
folder=$1

new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=""
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
  if command -v "$candidate" >/dev/null && new_enough "$candidate"; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "error: no Python of at least 3.11 was found; install one (Debian: apt-get install python3 python3-venv)," >&2
  echo "or name it: make PYTHON=/path/to/python3 ..." >&2
  exit 1
fi

# Debian keeps ensurepip in a package of its own, and without it venv cannot bring pip along
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Debian's $package, which $python needs to make virtual environments"
    apt-get update -qq && apt-get install -qq --yes "$package" >/dev/null
  else
    echo "error: $python cannot make virtual environments; run: sudo apt-get install $package" >&2
    exit 1
  fi
fi

rm -rf "$folder"
echo "making $folder with $("$python" --version)"
"$python" -m venv "$folder"
