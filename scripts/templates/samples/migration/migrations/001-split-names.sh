# One column for each name. DATA is a copy: what is live changes only when this has gone well.
awk -F , 'NR == 1 { print "first,last,age"; next } { split($1, name, " "); print name[1] "," name[2] "," $2 }' \
    "$DATA/people.csv" > "$DATA/people.csv.new"
mv "$DATA/people.csv.new" "$DATA/people.csv"
