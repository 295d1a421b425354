#!/bin/sh
# patchwright-script: collect-worker-log
# Keeps the logs of the update worker, which the next deployment writes over. Changes nothing else.
# Takes StepId (16 hex digits) and LockSeconds (how long to wait for another package manager) from its environment.
# Ends with 0 when it is done, 1 when it failed, 3 when it refused; the last line says which, as JSON.

me=collect-worker-log
# Where the record goes; the second where the first cannot be written to.
records="var/lib run"
# --- the same in every script of this folder
set -u
umask 077
LC_ALL=C
DEBIAN_FRONTEND=noninteractive
PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"
export LC_ALL DEBIAN_FRONTEND PATH
root="${PATCHWRIGHT_ROOT:-}" # empty but where the script is tried out beside a system
step="${StepId:-}"
limit="${LockSeconds:-300}"
folder=
said=

say() {
    said=yes
    printf 'patchwright-outcome: {"outcome":"%s"%s}\n' "$1" "$2"
}

refuse() {
    say refused ",\"reason\":\"$1\""
    exit 3
}

# The end of what was written on the way, because Run Command keeps only the end of everything.
excerpt() {
    if [ -s "$folder/log" ]; then
        tail -c 1500 "$folder/log" | tr -cd '\11\12\40-\176' | sed 's/^patchwright-outcome/ &/'
        echo
    fi
}

failed() {
    excerpt
    say failed ",\"reason\":\"$1\",\"record\":\"$folder\""
    exit 1
}

# The same step sent twice is done once, and says the same again.
succeeded() {
    excerpt
    say "$1" "$2,\"record\":\"$folder\"" | tee "$folder/outcome" 2>/dev/null
    said=yes
    exit 0
}

trap '[ -n "$said" ] || say failed ",\"reason\":\"the script ended early\""' EXIT
trap 'exit 1' HUP INT TERM

case "$step" in
*[!0-9a-f]*) refuse "StepId is not of the expected form" ;;
????????????????) ;;
*) refuse "StepId is not of the expected form" ;;
esac
case "$limit" in
'' | *[!0-9]* | ?????* | 0?*) refuse "LockSeconds is not of the expected form" ;;
esac

for place in $records; do
    if [ -s "$root/$place/patchwright/$step/$me/outcome" ]; then
        said=yes
        cat "$root/$place/patchwright/$step/$me/outcome"
        exit 0
    fi
done
for place in $records; do
    record="$root/$place/patchwright/$step/$me"
    if [ -z "$folder" ] && mkdir -p "$record" 2>/dev/null && (echo "begun" >"$record/log") 2>/dev/null; then
        folder="$record"
    fi
done
[ -n "$folder" ] || refuse "no folder for the record can be written"

# --- what this one does
logs="$root/var/opt/microsoft/omsagent/run/automationworker"
kept=0
for name in omsupdatemgmt.log worker.log; do
    if [ -f "$logs/$name" ]; then
        if tail -c 1048576 "$logs/$name" >"$folder/$name" && gzip -nf "$folder/$name"; then
            kept=$((kept + 1))
        else
            failed "$name cannot be kept"
        fi
    fi
done
if [ -f "$logs/omsupdatemgmt.log" ]; then
    tail -c 1500 "$logs/omsupdatemgmt.log" >"$folder/log"
fi
succeeded collected ",\"files\":$kept"
