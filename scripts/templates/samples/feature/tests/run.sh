#!/bin/sh
# Runs all tests: every tests/test-*.sh must end well.
cd "$(dirname "$0")/.."
wrong=0
for test in tests/test-*.sh; do
    if sh "$test"; then echo "ok: $test"; else
        echo "wrong: $test"
        wrong=$((wrong + 1))
    fi
done
[ "$wrong" = 0 ]
