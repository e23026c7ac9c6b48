#!/bin/sh
# Prints how many programs `count.sh` starts for a hundred words: a figure that is the same on every machine.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
real=$(command -v grep)
printf '#!/bin/sh\necho x >> "%s/calls"\nexec "%s" "$@"\n' "$work" "$real" > "$work/grep"
chmod +x "$work/grep"
words=
n=0
while [ $n -lt 100 ]; do words="$words tea"; n=$((n + 1)); done
echo "$words" | PATH="$work:$PATH" sh count.sh > /dev/null
wc -l < "$work/calls" | tr -d ' '
