# A list of the last names, in order.
tail -n +2 "$DATA/people.csv" | cut -d , -f 2 | sort > "$DATA/index.txt"
