#!/bin/sh
# Runs all tests: every tests/test-*.sh must end well, and there must be one.
cd "$(dirname "$0")/.."
wrong=0
count=0
for test in tests/test-*.sh; do
    [ -e "$test" ] || continue
    count=$((count + 1))
    if sh "$test"; then echo "ok: $test"; else
        echo "wrong: $test"
        wrong=$((wrong + 1))
    fi
done
echo "$count tests"
[ "$wrong" = 0 ]
