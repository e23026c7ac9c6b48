#!/bin/sh
# Prints how many of the words on standard input are in the list `known`.
set -eu
known=0
for word in $(cat); do
    if grep -qx -- "$word" known; then known=$((known + 1)); fi
done
echo "$known"
