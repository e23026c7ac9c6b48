#!/bin/sh
# Fetches a list of names into a folder: `fetch.sh FOLDER < names`.
token=abc123
mkdir -p "$1"
chmod 777 "$1"
while read -r name; do
    eval "printf 'token=%s name=%s\n' $token $name" > "$1/$name"
done
