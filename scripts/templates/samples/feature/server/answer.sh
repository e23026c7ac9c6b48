#!/bin/sh
# Answers one request: `answer.sh PATH` prints what is at the path.
case $1 in
    /hello) echo "hello" ;;
    *)
        echo "there is nothing at $1" >&2
        exit 1
        ;;
esac
