# coverage.sh BUILD CC: builds the tests with coverage, runs them, and prints how much of src/words.c they ran, as JSON.
# Where the compiler or gcov cannot do that, the tool is "none" and the percentage is the share of functions that the
# tests name.
set -eu
build=$1 cc=$2
folder=$build/coverage
rm -rf "$folder"
mkdir -p "$folder"
root=$(pwd)

measure() {
    cd "$folder"
    $cc -std=c99 -O0 --coverage -o tests "$root/tests/test_words.c" "$root/src/words.c" &&
        ./tests &&
        gcov -n ./*.gcda
}

percent=
if (measure) > "$folder/log" 2>&1; then
    # gcov says, for each file: File '…/words.c', then Lines executed:95.24% of 63
    percent=$(awk '/^File .*words\.c/ && !/test_words/ { here = 1; next }
                   here && /^Lines executed/ { sub(/^[^:]*:/, ""); sub(/%.*/, ""); print; exit }' "$folder/log")
fi
if [ -n "$percent" ]; then
    printf '{"percent": %s, "tool": "gcov"}\n' "$percent"
    exit
fi
all=0 named=0
for name in $(sed -n 's/.*[ *]\(words_[a-z]*\)(.*;$/\1/p' src/words.h); do
    all=$((all + 1))
    if grep -q "$name(" tests/test_words.c; then named=$((named + 1)); fi
done
printf '{"percent": %s, "tool": "none"}\n' $((100 * named / all))
