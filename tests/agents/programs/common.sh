# What the stand-ins for agents' programs have in common. Read by each of them; see README.md for what they can be told.

me=${0##*/}

# Ends as a program does that is called wrongly.
wrong() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Standard input as the inside of a JSON text.
json() {
    awk 'BEGIN { ORS = "" } NR > 1 { print "\\n" } { gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); gsub(/\t/, "\\t"); gsub(/\r/, "\\r"); print }'
}

escaped() {
    printf '%s' "$1" | json
}

# The last value of a directive in the task: a line `name: value`.
directive() {
    printf '%s\n' "$task" | sed -n "s/^[[:space:]]*$1:[[:space:]]*//p" | tail -n 1
}

# The task without its directives, on one line.
plain_task() {
    printf '%s\n' "$task" | grep -vE '^[[:space:]]*(scenario|say|write|remove|cost|tokens|tool|sleep|env|gate):' | tr '\n' ' ' | sed 's/  */ /g; s/^ //; s/ $//'
}

# Reads the directives. The task must be in `task`.
understand() {
    scenario=${FAKE_SCENARIO:-$(directive scenario)}
    scenario=${scenario:-ok}
    cost=$(directive cost)
    cost=${cost:-0.01}
    tokens=$(directive tokens)
    tokens=${tokens:-24 14}
    tokens_in=${tokens% *}
    tokens_out=${tokens#* }
    answer=$(directive say)
    name=$(directive env)
    if [ -n "$name" ]; then
        answer=$(printenv "$name" || echo "$name is not set")
    fi
    if [ -z "$answer" ]; then
        answer="$me did: $(plain_task)"
    fi
    pause=$(directive sleep)
    if [ -n "$pause" ]; then
        sleep "$pause"
    fi
    # Waits until somebody makes a file.
    gate=$(directive gate)
    while [ -n "$gate" ] && [ ! -e "$gate" ]; do
        sleep 0.02
    done
    printf '%s\n' "$task" | sed -n 's/^[[:space:]]*write:[[:space:]]*//p' | while read -r file content; do
        case $file in */*) mkdir -p "${file%/*}" ;; esac
        printf '%s\n' "$content" >"$file"
    done
    printf '%s\n' "$task" | sed -n 's/^[[:space:]]*remove:[[:space:]]*//p' | while read -r file; do
        rm -f "$file"
    done
}

# For ever, but a signal is heard at once.
hang() {
    sleep 3600 &
    wait $!
}

# What each program can do in its own way: began, say TEXT, tool NAME INPUT OUTPUT, done_well, failed CODE STATUS MESSAGE, limited, refused,
# retrying N, strange.
play() {
    case $scenario in
    ok) began; say "$answer"; done_well ;;
    tool) began; say "I look."; tool_call "$(directive tool || :)" a.txt; say "$answer"; done_well ;;
    turns)
        began
        for turn in 1 2 3; do
            say "Turn $turn."
            tool_call "" "result $turn"
        done
        say "$answer"
        done_well
        ;;
    blocks) began; say "First."; say "$answer"; done_well ;;
    silent) exit 0 ;;
    silent-fail) exit 3 ;;
    stderr) echo "$me: cannot reach anything" >&2; exit 1 ;;
    chatty) echo "$me: a warning that means nothing" >&2; began; say "$answer"; done_well ;;
    cut-off) began; say "I begin."; exit 0 ;;
    cut-off-fail) began; say "I begin."; exit 3 ;;
    half-line) began; say "I begin."; printf '{"type":"resu'; exit 0 ;;
    no-newline) began; say "$answer"; done_well | awk 'NR > 1 { print last } { last = $0 } END { printf "%s", last }' ;;
    exit-1) began; say "$answer"; done_well; exit 1 ;;
    hang-after) began; say "$answer"; done_well; hang ;;
    hang-after-error) began; failed overloaded 529 "Overloaded"; hang ;;
    stuck) began; say "I think."; hang ;;
    never) hang ;;
    deaf) trap '' INT TERM HUP; began; say "I do not listen."; while :; do sleep 3600; done ;;
    long) began; say "$(head -c 3145728 /dev/zero | tr '\0' x)"; tool_call "" "$(head -c 3145728 /dev/zero | tr '\0' y)"; say "$answer"; done_well ;;
    bom) printf '\357\273\277'; began; say "$answer"; done_well ;;
    crlf) { began; say "$answer"; done_well; } | sed 's/$/\r/' ;;
    binary) began; printf '\377\376 no text \200\n'; say "$answer"; done_well ;;
    strange) began; strange; printf 'no JSON at all\n\n   \n[1,2]\n{"broken":\n{"type":7}\n'; say "$answer"; done_well ;;
    error) began; failed server_error 500 "Internal server error"; exit 1 ;;
    overloaded) began; failed overloaded 529 "Overloaded"; exit 1 ;;
    rate-limit) began; failed rate_limit 429 "Too many requests"; exit 1 ;;
    auth) began; failed authentication_failed 401 "Invalid API key"; exit 1 ;;
    error-exit-0) began; failed server_error 500 "Internal server error"; exit 0 ;;
    limit) began; say "I begin."; limited; exit 1 ;;
    flaky)
        began
        if [ "${FLOW_ATTEMPT:-1}" -lt 2 ]; then
            failed overloaded 529 "Overloaded"
            exit 1
        fi
        say "$answer"
        done_well
        ;;
    retries) began; retrying 1; retrying 2; say "$answer"; done_well ;;
    denied) began; refused; say "$answer"; done_well ;;
    escapes)
        # A tool in a session of its own, which outlives its program; where that is, is the answer.
        began
        setsid sleep 3600 >/dev/null 2>&1 </dev/null &
        answer="pid $!"
        tool_call "" "started"
        say "$answer"
        done_well
        ;;
    escapes-stuck)
        began
        setsid sleep 3600 >/dev/null 2>&1 </dev/null &
        say "pid $!"
        hang
        ;;
    signals)
        trap 'interrupted; exit' INT
        trap 'exit 143' TERM
        began
        say "I wait."
        hang
        ;;
    spends)
        # More and more, until somebody ends it.
        began
        turn=0
        while [ "$turn" -lt 200 ]; do
            turn=$((turn + 1))
            say "Turn $turn."
            tool_call "" "result $turn"
            sleep 0.05
        done
        say "$answer"
        done_well
        ;;
    arguments) began; say "$arguments"; answer=$arguments; done_well ;;
    *) wrong "$me: no such scenario: $scenario" ;;
    esac
}
