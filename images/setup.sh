#!/usr/bin/env bash
# Makes .venv from the locks beside this file: `setup.sh runtime`, then `setup.sh development`.
# llama-cpp-python is compiled here from its pinned sdist, for this machine's own processor; the
# unpacked sdist stays in build/llama-cpp for tests (vocabularies, templates) and benchmarks (peers).
set -euo pipefail
cd "$(dirname "$0")/.."
locks=images/locks
pip=(.venv/bin/python -m pip --disable-pip-version-check -qq)

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

# Prints a dot every five seconds while the given command runs; shows its output only if it fails.
patiently() {
  local log=build/setup.log
  "$@" >"$log" 2>&1 &
  local job=$!
  while kill -0 "$job" 2>/dev/null; do printf '.' >&2; sleep 5; done
  printf '\n' >&2
  wait "$job" || { tail -n 40 "$log" >&2; say "failed; the whole output is in $log"; exit 1; }
}

runtime() {
  mkdir -p build/sdist
  say "1/4  virtual environment and build tools"
  [ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
  "${pip[@]}" install --require-hashes -r $locks/build.txt

  say "2/4  libraries (hash-locked)"
  "${pip[@]}" install --require-hashes -r $locks/run.txt

  local pinned
  pinned=$(sed -n 's/^llama-cpp-python==\([^ ]*\).*/\1/p' $locks/llama.txt)
  if .venv/bin/python -m pip freeze 2>/dev/null | grep -q "^llama_cpp_python==$pinned$"; then
    say "3/4  llama.cpp is built already"
  else
    say "3/4  llama.cpp: compiling, about 4 minutes on 2 cores"
    rm -rf build/llama-cpp
    ls build/sdist/llama_cpp_python-"$pinned".tar.gz >/dev/null 2>&1 || "${pip[@]}" download --no-deps \
      --no-build-isolation --no-binary :all: --require-hashes -r $locks/llama.txt -d build/sdist
    # No llava: images are not served, and what is not there cannot be attacked.
    CMAKE_ARGS="-DLLAVA_BUILD=OFF ${CMAKE_ARGS:-}" patiently "${pip[@]}" install --no-deps \
      --no-build-isolation --no-index --find-links build/sdist --require-hashes -r $locks/llama.txt
  fi
  if [ ! -d build/llama-cpp ]; then
    rm -rf build/llama-cpp.part && mkdir build/llama-cpp.part
    tar -xzf build/sdist/llama_cpp_python-"$pinned".tar.gz -C build/llama-cpp.part --strip-components=1
    mv build/llama-cpp.part build/llama-cpp
  fi

  say "4/4  cloister itself"
  "${pip[@]}" install --no-deps --no-build-isolation --no-index -e .
}

development() {
  say "tools for tests and checks (hash-locked)"
  "${pip[@]}" install --require-hashes -r $locks/dev.txt
}

case "${1:-}" in
  runtime | development) "$1" ;;
  *) echo "usage: setup.sh runtime|development" >&2; exit 2 ;;
esac
