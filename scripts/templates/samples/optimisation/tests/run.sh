#!/bin/sh
# The tests of the project.
cd "$(dirname "$0")/.."
wrong=0
is() { # words, expected
    got=$(printf '%s' "$1" | sh count.sh) || got="exit code $?"
    if [ "$got" = "$2" ]; then echo "ok: $2 of '$1'"; else
        echo "wrong: $got of '$1', should be $2"
        wrong=$((wrong + 1))
    fi
}
is "tea and milk" 2
is "wine" 0
is "tea tea" 2
[ "$wrong" = 0 ]
