#!/bin/sh
# The tests of the project: says what is wrong.
cd "$(dirname "$0")/.."
wrong=0
is() { # arguments, expected
    got=$(sh stats.sh $1 2>&1) || got="exit code $?"
    if [ "$got" = "$2" ]; then echo "ok: stats.sh $1 prints $2"; else
        echo "wrong: stats.sh $1 prints $got, should print $2"
        wrong=$((wrong + 1))
    fi
}
is "--count 4 5 6" 3
is "--sum 4 5 6" 15
is "--sum" 0
[ "$wrong" = 0 ]
