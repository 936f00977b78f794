#!/usr/bin/env bash
# install_test.sh <build folder> <consumer's sources> <version>: installs the build into a folder
# of its own, moves that elsewhere, and builds and runs the consumer against it.
set -euo pipefail
build=$1 consumer=$2 version=$3

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "$1" >&2
  exit 1
}

cmake --install "$build" --prefix "$scratch/installed" >"$scratch/install.log"
mv "$scratch/installed" "$scratch/moved"
prefix=$scratch/moved

cp -r "$consumer" "$scratch/consumer"
cmake -S "$scratch/consumer" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/log" ||
  fail "the consumer cannot be configured: $(cat "$scratch/log")"
cmake --build "$scratch/build" >"$scratch/log" 2>&1 ||
  fail "the consumer cannot be built: $(cat "$scratch/log")"
output=$(cd "$scratch" && "$scratch/build/consumer") || fail "the consumer exits with $?"
[[ $output == "dtrain $version, 2 examples, Adam("* ]] || fail "the consumer says: $output"

# Only headers of include/dtrain, and nothing that names the tree that dtrain was built in.
strays=$(cd "$prefix/include" && find . -type f ! -path './dtrain/*')
[[ -z $strays ]] || fail "installed beside dtrain/: $strays"
if grep -rlF "$build" "$prefix/include" "$prefix"/lib*/cmake "$prefix"/lib/*/cmake 2>/dev/null; then
  fail "these installed files name the build folder"
fi

library=$(find "$prefix" -name 'libdtrain.so.*' -type f)
symbols=$(nm --dynamic --defined-only --demangle "$library")
grep -qE ' V typeinfo for dtrain::v0::Error$' <<<"$symbols" ||
  fail "dtrain::Error has no exported type information, so it cannot be caught"
# Mangled, because the demangled name of a template's instance begins with what it returns.
strangers=$(nm --dynamic --defined-only "$library" |
  grep -vE '^[0-9a-f]* . _Z(T[ISV])?NK?6dtrain' | c++filt || true)
[[ -z $strangers ]] || fail "exported, but not of namespace dtrain: $strangers"

command=$prefix/bin/dtrain
if [[ -e $command ]]; then
  "$command" --help >/dev/null || fail "the installed dtrain --help exits with $?"
fi
