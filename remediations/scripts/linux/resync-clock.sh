#!/bin/sh
# patchwright-script: resync-clock
# Lets the machine's own time service set the clock at once, from the sources that it has. Changes no setting.
# Takes StepId (16 hex digits) from its environment.
# Ends with 0 when it is done, 1 when it failed, 3 when it refused; the last line says which, as JSON.

me=resync-clock
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
plain() { tr -c 'A-Za-z0-9 _.,:;=+/@()%-' ' ' | tr -s ' ' | cut -c1-300; }

active() { command -v systemctl >/dev/null 2>&1 && systemctl is-active --quiet "$1" >/dev/null 2>&1; }

# How far the clock moved: what passed on it, without what passed in truth.
uptime_now() { cut -d. -f1 "$root/proc/uptime" 2>/dev/null; }
clock_before=$(date +%s)
uptime_before=$(uptime_now)

if command -v chronyc >/dev/null 2>&1 && { active chronyd || active chrony; }; then
    service=chrony
    chronyc -a makestep >>"$folder/log" 2>&1 </dev/null || failed "chronyc ended with $?: $(tail -n 3 "$folder/log" | plain)"
elif active systemd-timesyncd; then
    service=systemd-timesyncd
    systemctl restart systemd-timesyncd >>"$folder/log" 2>&1 </dev/null ||
        failed "systemctl ended with $?: $(tail -n 3 "$folder/log" | plain)"
    # It asks its source as soon as it starts.
    sleep "${SettleSeconds:-5}"
else
    refuse "neither chrony nor systemd-timesyncd runs on this machine"
fi

clock_after=$(date +%s)
uptime_after=$(uptime_now)
moved=$((clock_after - clock_before - (${uptime_after:-0} - ${uptime_before:-0})))
succeeded resynchronized ",\"movedSeconds\":$moved,\"service\":\"$service\""
