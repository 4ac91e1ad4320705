#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Debian packages a target needs: setup.sh build|test|bench|foreign
# Says what it installs before it does, installs only what is missing, and does
# nothing (in some milliseconds) when all is there. Without root it prints the
# one command to run and fails.
set -eu

build="gcc libc6-dev pkgconf meson ninja-build
    libsodium-dev libsqlite3-dev libjansson-dev libinih-dev libzmq3-dev"
# libclang-rt holds the sanitizers and libFuzzer; clang only recommends it.
test="$build g++ clang clang-format libclang-rt-14-dev python3 python3-zmq faketime bindfs"
bench="$test libprotobuf-dev protobuf-compiler nats-server hyperfine r-cran-metafor"
# Two machines unlike this one: big-endian, and 32 bits.
foreign="$build python3 qemu-user gcc-s390x-linux-gnu libc6-dev-s390x-cross
    gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"

case "${1:-}" in
build) want=$build ;;
test) want=$test ;;
bench) want=$bench ;;
foreign) want=$foreign ;;
*) echo "usage: setup.sh build|test|bench|foreign" >&2; exit 64 ;;
esac

if ! command -v dpkg-query >/dev/null; then
    for tool in cc pkg-config meson ninja; do
        command -v $tool >/dev/null && continue
        echo "kith: not a Debian system, and $tool is not here. Needed, by Debian's names:" $want >&2
        exit 69
    done
    exit 0
fi

there=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $want 2>/dev/null || true)
missing=
for p in $want; do
    case "
$there
" in *"
installed $p
"*) ;; *) missing="$missing $p" ;; esac
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
    echo "kith: Debian packages are missing, and only root may install them. Run:" >&2
    if command -v sudo >/dev/null; then
        echo "sudo sh -c 'apt-get update && $install'" >&2
    else
        echo "su -c 'apt-get update && $install'" >&2
    fi
    exit 77
fi

echo "kith: installing from Debian's packages:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quiet() {
    "$@" >"$log" 2>&1 </dev/null
}
# Lists may be absent, or too old to be still true: then update, and only then.
quiet $install || { quiet apt-get update && quiet $install; } || {
    cat "$log" >&2
    echo "kith: could not install them" >&2
    exit 69
}
