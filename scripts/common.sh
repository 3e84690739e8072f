# SPDX-License-Identifier: MIT
# Sourced by quickstart and tests/run: what both do before they do anything of their own.
# shellcheck shell=bash

set -euo pipefail

# Root by way of plain `su` has no sbin in its PATH, and dpkg wants it.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build

# What was compiled in one clone is found again in another one.
export CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1

say() { printf '%s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    command -v sudo >/dev/null || die "needs root for '$1': run it as root, or install sudo"
    sudo "$@"
  fi
}

# with_progress TEXT LOG COMMAND... runs a command with its output in LOG, and shows TEXT, the seconds so far and the last
# line of the output, once every five seconds. On failure it shows the end of LOG.
with_progress() {
  local text=$1 log=$2 begun=$SECONDS last=
  shift 2
  mkdir -p "$(dirname "$log")"
  say "-- $text"
  "$@" >"$log" 2>&1 </dev/null &
  local pid=$! shown=$SECONDS
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    if ((SECONDS - shown >= 5)); then
      shown=$SECONDS
      last=$(tail -c 400 "$log" | tr '\r' '\n' | grep -v '^ *$' | tail -n 1 | cut -c 1-90 || true)
      say "   $((SECONDS - begun)) s  $last"
    fi
  done
  if ! wait "$pid"; then
    tail -n 40 "$log" >&2
    die "$text failed; the whole output is in $log"
  fi
  if ((SECONDS - begun >= 2)); then say "   done in $((SECONDS - begun)) s"; fi
}

# install_packages FILE... installs what is missing of the packages listed in the files.
install_packages() {
  local wanted missing=() package
  wanted=$(sed 's/#.*//' "$@" | awk 'NF { print $1 }' | sort -u)
  for package in $wanted; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then missing+=("$package"); fi
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  command -v apt-get >/dev/null || die "needs these Debian packages: ${missing[*]}"
  with_progress "reading the package lists" "$build/log/apt-update.log" as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 update
  with_progress "installing ${missing[*]}" "$build/log/apt-install.log" \
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
}

# The user whom a host started by root becomes.
ensure_daemon_user() {
  if [ "$(id -u)" -ne 0 ]; then return 0; fi
  if getent passwd pbotvm >/dev/null; then return 0; fi
  useradd --system --no-create-home --shell /usr/sbin/nologin pbotvm
  say "-- made the system user pbotvm, whom the host runs as"
}

# configure PRESET OPTION...
configure() {
  local preset=$1 folder=$build
  shift
  if [ "$preset" != release ]; then folder=$build/$preset; fi
  # A tree that was moved or copied leaves a cache that names the old place.
  if [ -f "$folder/CMakeCache.txt" ] && ! grep -q "^CMAKE_HOME_DIRECTORY:INTERNAL=$top\$" "$folder/CMakeCache.txt"; then
    rm -rf "$folder/CMakeCache.txt" "$folder/CMakeFiles"
  fi
  (cd "$top" && cmake --preset "$preset" "$@")
}

# Whether `configure` ended well, for the tree as it lies now.
configured() {
  [ -f "$build/build.ninja" ] && grep -q "^CMAKE_HOME_DIRECTORY:INTERNAL=$top\$" "$build/CMakeCache.txt"
}

build_image() {
  with_progress "building the guest image (a Debian, about 3 minutes the first time)" "$build/log/image.log" \
    "$top/guest/image/build"
}
