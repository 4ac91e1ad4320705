#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tests on a machine that is not here: foreign.sh s390x|armhf [ROOM...]
# s390x reads numbers from the other end, armhf has words of 32 bits. Debian's
# cross compiler builds, qemu runs. The libraries of that machine are unpacked
# into build-ARCH-libs/ and never installed; apt keeps its lists there as well.
# Rooms: without words, those that compute or make bytes. `store` runs as well but takes
# ten minutes; on armhf its power and damage tests fail, because their shim of system
# calls passes a place in a file as one word of 64 bits.
set -eu
cd "$(dirname "$0")/.."

arch=${1:-}
case "$arch" in
s390x) triplet=s390x-linux-gnu cpu=s390x order=big loader=ld64.so.1 emulator=qemu-s390x ;;
armhf) triplet=arm-linux-gnueabihf cpu=arm order=little loader=ld-linux-armhf.so.3
    emulator=qemu-arm ;;
*) echo "usage: foreign.sh s390x|armhf [ROOM...]" >&2; exit 64 ;;
esac
shift
libs=$PWD/build-$arch-libs there=build-$arch-libs/root/usr/lib/$triplet
[ $# -gt 0 ] || set -- base address packet legacy security signal sync synthesis

if [ ! -d "$there" ]; then
    echo "kith: unpacking libsodium, SQLite, jansson and inih of $arch into build-$arch-libs/"
    mkdir -p "$libs/state/lists/partial" "$libs/cache/archives/partial" "$libs/debs"
    : >"$libs/status"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    # From where this machine has its own packages.
    from=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        grep -E ' [a-z]+$' | head -n 1)
    [ -n "$from" ] || { echo "foreign.sh: apt knows no source; run apt-get update" >&2; exit 69; }
    echo "deb [signed-by=$keys] $from main" >"$libs/list"
    (
        cd "$libs/debs"
        set -- -qq -o APT::Architecture=$arch -o APT::Architectures=$arch \
            -o Dir::State="$libs/state" -o Dir::State::status="$libs/status" \
            -o Dir::Cache="$libs/cache" -o Dir::Etc::sourcelist="$libs/list" \
            -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root
        apt-get "$@" update
        apt-get "$@" download libsodium23 libsodium-dev libsqlite3-0 libsqlite3-dev \
            libjansson4 libjansson-dev libinih1 libinih-dev
        for deb in *.deb; do dpkg -x "$deb" "$libs/part"; done
        mv "$libs/part" "$libs/root"
    )
fi

# The loader is called by name: with -L, qemu would see its own folder instead of /.
cat >"$libs/cross.ini" <<END
[binaries]
c = '$triplet-gcc'
ar = '$triplet-ar'
strip = '$triplet-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['$emulator', '/usr/$triplet/lib/$loader', '--library-path',
  '$PWD/$there:/usr/$triplet/lib']
[properties]
sys_root = '$libs/root'
pkg_config_libdir = '$PWD/$there/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = '$cpu'
cpu = '$cpu'
endian = '$order'
END
# Headers outside /usr/include are not the system's to gcc: their warnings are not ours.
test -f "build-$arch/build.ninja" ||
    meson setup --cross-file "$libs/cross.ini" -Dwerror=false "build-$arch" >/dev/null
ninja -C "build-$arch" --quiet
suites=
for room; do suites="$suites --suite $room"; done
meson test -C "build-$arch" --no-rebuild --print-errorlogs --timeout-multiplier 20 $suites
