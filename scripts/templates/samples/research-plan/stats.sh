#!/bin/sh
# Prints figures about the numbers that it is given: `stats.sh --sum 1 2 3`.
set -eu
what=$1
shift
case $what in
    --count) echo $# ;;
    --sum)
        sum=0
        for number in "$@"; do sum=$((sum + number)); done
        echo $sum
        ;;
    *)
        echo "stats.sh: I do not know $what: --count, --sum" >&2
        exit 2
        ;;
esac
