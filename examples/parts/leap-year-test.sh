# Tests the script on standard input: does it know leap years?
script=$(mktemp)
trap 'rm -f "$script"' EXIT
cat > "$script"
while read -r year right; do
    said=$(sh "$script" "$year" 2>&1)
    [ "$said" = "$right" ] || { echo "for $year it says '$said'" >&2; failed=1; }
done <<YEARS
2023 no
2024 yes
1900 no
2000 yes
YEARS
exit "${failed:-0}"
