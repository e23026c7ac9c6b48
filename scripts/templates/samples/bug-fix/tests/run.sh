#!/bin/sh
# The tests of the project: says what is wrong, and how much of it there is by its exit code.
cd "$(dirname "$0")/.."
wrong=0
is() { # numbers, expected
    got=$(sh median.sh $1) || got="exit code $?"
    if [ "$got" = "$2" ]; then echo "ok: median of $1 is $2"; else
        echo "wrong: median of $1 is $got, should be $2"
        wrong=$((wrong + 1))
    fi
}
is "3" 3
is "3 1 2" 2
is "1 2 3 4" 2.5
is "4 10" 7
[ "$wrong" = 0 ]
