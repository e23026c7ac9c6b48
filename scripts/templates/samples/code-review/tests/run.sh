#!/bin/sh
# The tests of the project.
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/a" && echo tea > "$work/a/list"
name=$(sh backup.sh "$work/a" "$work/copies") || exit 1
[ "$(cat "$work/copies/$name/list")" = tea ] && echo "ok: a copy holds what was copied"
