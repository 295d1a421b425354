#!/bin/sh
# patchwright-script: refresh-metadata
# Downloads the lists of packages anew where those at hand are stale or damaged. Installs and removes nothing.
# Takes StepId (16 hex digits) and LockSeconds (how long to wait for another package manager) from its environment.
# Ends with 0 when it is done, 1 when it failed, 3 when it refused; the last line says which, as JSON.

me=refresh-metadata
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

manager() {
    if command -v zypper >/dev/null 2>&1; then
        echo zypper
    elif command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1; then
        echo apt
    elif command -v yum >/dev/null 2>&1; then
        echo yum
    fi
}

# --- what this one does
found=$(manager)
case "$found" in
apt) lists="$root/var/lib/apt/lists" ;;
yum) lists="$root/var/cache/yum" ;;
zypper) lists="$root/var/cache/zypp" ;;
*) refuse "no package manager that is known here" ;;
esac
# They can be had again at any time: what was there is noted, not kept.
ls -lR "$lists" >"$folder/before" 2>&1

refresh() {
    case "$found" in
    apt) patiently apt-get clean && patiently apt-get update ;;
    yum) patiently yum --setopt=exit_on_lock=True clean all && patiently yum -q --setopt=exit_on_lock=True makecache ;;
    zypper) patiently zypper --non-interactive clean --all && patiently zypper --non-interactive refresh --force ;;
    esac
}

refresh || failed "$found ended with $code: $(tail -n 3 "$folder/last" | plain)"
# apt-get calls it a success where a list could not be had.
if grep -Eq '^(W|E|Err):? ?.*(Failed to fetch|Hash Sum mismatch|NO_PUBKEY)' "$folder/last"; then
    failed "$found left a list out: $(grep -E '^(W|E|Err)' "$folder/last" | head -n 2 | plain)"
fi
succeeded refreshed ",\"packageManager\":\"$found\""
