#!/bin/sh
# Prints the median of the numbers that it is given.
set -eu
count=$#
middle=$(((count + 1) / 2))
printf '%s\n' "$@" | sort -n | sed -n "${middle}p"
