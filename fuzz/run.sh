#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One fuzz target: its corpus again, then new inputs for a while.
#   run.sh TARGET CORPUS      FUZZ_SECONDS, preset 10; 60 with KITH_SOAK=1
# What breaks it is kept beside the target as NAME-crash-*; put it into the
# corpus once it is mended.
target=$1 corpus=$2
[ "${KITH_SOAK:-0}" = 1 ] && preset=60 || preset=10
seconds=${FUZZ_SECONDS:-$preset}
finds=$(mktemp -d) || exit 1
trap 'rm -rf "$finds"' EXIT

echo 1..2
if [ -n "$(ls "$corpus" 2>/dev/null)" ] && "$target" -runs=0 "$corpus" >"$finds.log" 2>&1; then
    echo "ok 1 - corpus of $(ls "$corpus" | wc -l) inputs"
else
    tail -40 "$finds.log" 2>/dev/null | sed 's/^/# /'
    echo "not ok 1 - corpus of $(ls "$corpus" 2>/dev/null | wc -l) inputs"
fi
if "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 \
    -artifact_prefix="$target-" "$finds" "$corpus" >"$finds.log" 2>&1; then
    echo "ok 2 - $seconds s of new inputs"
    sed -n 's/^Done /# /p' "$finds.log"
else
    tail -40 "$finds.log" | sed 's/^/# /'
    echo "not ok 2 - $seconds s of new inputs"
fi
rm -f "$finds.log"
