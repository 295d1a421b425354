#!/bin/sh
# patchwright-script: restart-agent
# Restarts the Log Analytics agent, and starts it where it is stopped. Touches nothing else: an agent that somebody has
# disabled is left alone, and so is its configuration.
# Takes StepId (16 hex digits) from its environment. The same step sent twice within the hour restarts it once.
# Ends with 0 when it is done, 1 when it failed, 3 when it refused; the last line says which, as JSON.

set -u
umask 077
LC_ALL=C
export LC_ALL
root="${PATCHWRIGHT_ROOT:-}" # empty but where the script is tried out beside a system
step="${StepId:-}"
folder="$root/run/patchwright"
mark="$folder/$step.restarted"
control="$root/opt/microsoft/omsagent/bin/service_control"
said=

say() {
    said=yes
    printf 'patchwright-outcome: {"outcome":"%s"%s}\n' "$1" "$2"
}

refuse() {
    say refused ",\"reason\":\"$1\""
    exit 3
}

failed() {
    say failed ",\"reason\":\"$1\""
    exit 1
}

trap '[ -n "$said" ] || say failed ",\"reason\":\"the script ended early\""' EXIT
trap 'exit 1' HUP INT TERM

case "$step" in
*[!0-9a-f]*) refuse "StepId is not of the expected form" ;;
????????????????) ;;
*) refuse "StepId is not of the expected form" ;;
esac

[ -x "$control" ] || refuse agent-not-installed

# One unit for each workspace, named after it; an agent without systemd has none.
unit=$(systemctl list-unit-files 'omsagent*.service' 2>/dev/null | awk '$1 ~ /^omsagent/ { print $1; exit }')
case "$(systemctl is-enabled "${unit:-omsagent.service}" 2>/dev/null)" in
disabled | masked) refuse agent-disabled ;;
esac

# A word of systemd's, or that there is none.
state() {
    [ -n "$unit" ] || { echo unknown; return; }
    found=$(systemctl is-active "$unit" 2>/dev/null | tr -cd '[:lower:]')
    echo "${found:-unknown}"
}

before=$(state)
repeated=false
if [ -n "$(find "$mark" -mmin -60 2>/dev/null)" ] && [ "$before" != failed ] && [ "$before" != inactive ]; then
    repeated=true
else
    "$control" restart >/dev/null 2>&1 </dev/null || failed "service_control ended with $?"
    mkdir -p "$folder" 2>/dev/null && : >"$mark"
fi
say restarted ",\"before\":\"$before\",\"after\":\"$(state)\",\"repeated\":$repeated"
exit 0
