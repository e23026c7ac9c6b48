# $1: the run's mark, $2: the grace time in seconds. Standard output: the list of processes that belong to the run.
mark=$1 grace=$2
read -r _

# The first processes, whose groups and descendants belong to the run as well.
told=' '
while read -r pid; do
    [ "$pid" -gt 0 ] && told="$told$pid "
done <&1

# Finds what lives of the run, as `pid:start` in $left. What has been found once stays known, whoever its parents are.
left=
look() {
    found=$told
    for file in $(grep -lszxF "$mark" /proc/[0-9]*/environ); do
        file=${file#/proc/}
        found="$found${file%/environ} "
    done
    table=
    while read -r line; do
        pid=${line%% *}
        set -- ${line##*) }
        case $1 in
            Z | X) ;;
            *) table="$table $pid:$2:$3:${20}" ;;
        esac
    done <<END
$(cat /proc/[0-9]*/stat 2>/dev/null)
END
    for entry in $table; do
        start=${entry##*:}
        case " $left " in *" ${entry%%:*}:$start "*) found="$found${entry%%:*} " ;; esac
    done
    # Groups that are there: a whole one can be ended at once, and none of it is missed that is just being born.
    groups=
    for entry in $table; do
        rest=${entry%:*}
        case $told in *" ${rest##*:} "*)
            case "$groups " in *" ${rest##*:} "*) ;; *) groups="$groups ${rest##*:}" ;; esac
            ;;
        esac
    done
    more=1
    while [ -n "$more" ]; do
        more=
        for entry in $table; do
            pid=${entry%%:*} rest=${entry#*:}
            parent=${rest%%:*} rest=${rest#*:}
            case $found in *" $pid "*) continue ;; esac
            case $found in *" $parent "*) found="$found$pid " more=1 && continue ;; esac
            case $told in *" ${rest%%:*} "*) found="$found$pid " more=1 ;; esac
        done
    done
    left=
    for entry in $table; do
        pid=${entry%%:*}
        case $found in *" $pid "*) [ "$pid" = $$ ] || left="$left $pid:${entry##*:}" ;; esac
    done
    left=${left# }
}

end() {
    look
    for group in $groups; do
        kill -"$1" -- "-$group" 2>/dev/null
    done
    for entry in $left; do
        kill -"$1" "${entry%%:*}" 2>/dev/null
        # Only who is not stopped can react.
        [ "$1" = KILL ] || kill -CONT "${entry%%:*}" 2>/dev/null
    done
}

end TERM
tenths=$((grace * 10)) pause=1
while [ -n "$left" ] && [ "$tenths" -gt 0 ]; do
    sleep "0.$pause"
    tenths=$((tenths - pause))
    # Most end soon, and each look costs something.
    [ "$pause" = 5 ] || pause=$((pause + 1))
    look
done
# What is born while others are being ended is seen with the next look.
tries=30
while [ -n "$left" ] && [ "$tries" -gt 0 ]; do
    end KILL
    tries=$((tries - 1))
done
