#!/bin/sh
# check.sh BACKEND: asks it through flow (FLOW names the program), with stub.py in the place of its server.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
backend=$1
case $backend in
claude | codex | gemini | opencode)
    if ! command -v "$backend" >/dev/null; then
        echo "skipped: $backend is not installed"
        exit 0
    fi
    version=$("$backend" --version </dev/null 2>/dev/null | head -n 1)
    ;;
*) version="over HTTP" ;;
esac
if ! command -v python3 >/dev/null; then
    echo "skipped: python3 is not installed, which the stand-in for the server of $backend needs"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The stand-in ends when nobody holds this any more.
mkfifo "$folder/hold"
python3 "$here/stub.py" "$folder/port" "$folder/log" <"$folder/hold" &
exec 3>"$folder/hold"
while [ ! -s "$folder/port" ]; do
    sleep 0.05
done
cd "$folder"
# Runs of its own, and not a step of the run around it.
unset FLOW_RUN FLOW_STEP FLOW_OUTPUT
if FLOW_HOME="$folder/.flow" STUB_KEY=sk-stub-0123456789 "${FLOW:-flow}" script "$here/ask.rhai" \
    --arg "backend=$backend" --arg "url=http://127.0.0.1:$(cat port)" 3>&- >"$folder/said" 2>&1; then
    echo "$backend: as it should be ($version)"
else
    cat "$folder/said"
    echo "$backend: not as it should be ($version)"
    exit 1
fi
