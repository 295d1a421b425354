#!/bin/sh
# patchwright-script: configure-packages
# Configures the packages that an interruption left half-installed, as dpkg itself asks for; keeps changed settings.
# Takes StepId (16 hex digits) and LockSeconds (how long to wait for another package manager) from its environment.
# Ends with 0 when it is done, 1 when it failed, 3 when it refused; the last line says which, as JSON.

me=configure-packages
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

# --- the same where a package manager is called
busy='Could not get lock|is another process using it|locked by another process|holding the yum lock|System management is locked|t create transaction lock|Waiting for process with pid'
until=$(($(date +%s) + limit))

# What another program wrote, as text that JSON takes unchanged.
plain() { tr -c 'A-Za-z0-9 _.,:;=+/@()%-' ' ' | tr -s ' ' | cut -c1-300; }

# Runs a command, again while another process holds the lock that it needs, and no longer than the limit.
# Whoever holds a lock keeps it, and its file is left alone.
patiently() {
    while :; do
        "$@" >"$folder/last" 2>&1 </dev/null
        code=$?
        cat "$folder/last" >>"$folder/log"
        if [ "$code" -eq 0 ]; then return 0; fi
        grep -Eq "$busy" "$folder/last" || return "$code"
        left=$((until - $(date +%s)))
        [ "$left" -gt 0 ] || failed "another process still holds the lock after $limit seconds"
        if [ "$left" -gt 5 ]; then sleep 5; else sleep "$left"; fi
    done
}

# --- what this one does
command -v dpkg >/dev/null 2>&1 || refuse "dpkg is not on this machine"

interrupted() { find "$root/var/lib/dpkg/updates" -type f -name '[0-9]*' 2>/dev/null | grep -q .; }

dpkg --audit >"$folder/audit" 2>&1
if [ ! -s "$folder/audit" ] && ! interrupted; then
    succeeded nothing-to-do ",\"reason\":\"every package is configured\""
fi
# What dpkg knew before: which packages, in which state.
if [ -f "$root/var/lib/dpkg/status" ] && ! cp -p "$root/var/lib/dpkg/status" "$folder/status"; then
    refuse "the state of the packages cannot be copied"
fi
patiently dpkg --force-confdef --force-confold --configure -a ||
    failed "dpkg ended with $code: $(tail -n 3 "$folder/last" | plain)"
dpkg --audit >"$folder/audit-after" 2>&1
[ ! -s "$folder/audit-after" ] || failed "packages are still half-installed: $(head -n 5 "$folder/audit-after" | plain)"
succeeded configured ",\"halfInstalled\":$(grep -c '^ ' "$folder/audit")"
