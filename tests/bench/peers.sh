#!/usr/bin/env bash
# Builds the peers that figures are held against, llama-server and llama-batched-bench, from the
# sdist that our own llama.cpp was built from and with the same flags: about 7 minutes on 2 cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
tree=build/llama-cpp/vendor/llama.cpp
out=build/peers
if [ -x $out/bin/llama-server ] && [ -x $out/bin/llama-batched-bench ]; then exit 0; fi
echo "building llama-server and llama-batched-bench, about 7 minutes on 2 cores" >&2
mkdir -p $out
.venv/bin/cmake -S $tree -B $out -G Ninja -DCMAKE_MAKE_PROGRAM="$PWD/.venv/bin/ninja" \
  -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_UI=OFF \
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF ${CMAKE_ARGS:-} >$out/configure.log
.venv/bin/cmake --build $out --target llama-server llama-batched-bench >$out/build.log 2>&1 ||
  { tail -n 40 $out/build.log >&2; exit 1; }
