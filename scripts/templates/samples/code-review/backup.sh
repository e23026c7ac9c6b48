#!/bin/sh
# Copies a folder and keeps the seven newest copies.
src=$1
into=$2
name=$(date +%Y%m%d%H%M%S)
mkdir -p "$into"
cp -r "$src" "$into/$name"
cd "$into"
ls | sort -r | tail -n +8 | while read -r old; do rm -rf $old; done
echo "$name"
