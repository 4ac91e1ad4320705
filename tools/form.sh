#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The form of a file: form.sh ROOT [clang-format]
# Licence line on top, no promise without an issue number, clang-format content.
cd "$1" || exit 2
bad=0
files=$(find Makefile meson.build include src cli tests fuzz bench tools -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name meson.build -o -name Makefile \))
for f in $files; do
    head -2 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || {
        echo "$f: the first line is not the licence"; bad=1; }
done
# Spelt apart, so that this file does not find itself.
if grep -nE '(TO''DO|FIX''ME)' $files | grep -vE '#[0-9]+'; then
    echo "a promise needs the number of its issue"; bad=1
fi
if [ -n "${2:-}" ]; then
    echo "$files" | grep '\.[ch]$' | xargs "$2" --dry-run -Werror || bad=1
fi
exit $bad
