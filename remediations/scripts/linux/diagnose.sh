#!/bin/sh
# patchwright-script: diagnose
# Looks at what patching depends on inside this machine, and changes nothing. Runs as root under any POSIX shell.
# $1 is where the file system begins (tests hand in a scratch folder); Cloud, from the environment, is the Azure cloud.
# Prints one line for each rule, `code:result:detail`, between a first line and an end marker with count and checksum.
# Results: P passed, W warning, F failed, N not applicable, U could not be measured, I measured and judged by the reader.
LC_ALL=C
export LC_ALL
root=${1:-/}
root=${root%/}
cloud=${Cloud:-public}
agent=$root/etc/opt/microsoft/omsagent
state=$root/var/opt/microsoft/omsagent
lines=''
count=0

have() { command -v "$1" >/dev/null 2>&1; }

# Nothing that is asked may keep the other rules waiting.
soon() {
    if have timeout; then timeout 10 "$@"; else "$@"; fi
}

# Letters that a detail may hold, and no more of them than fit.
clean() { tr -cd 'A-Za-z0-9._,+-' | cut -c1-40; }

# A rule has a shell of its own: where it breaks, it alone is unknown.
rule() {
    said=$( ("$2") 2>/dev/null) || said=U:broke
    case $said in
        *[!A-Za-z0-9:._,+-]*) said=U:broke ;;
        [PWFNUI] | [PWFNUI]:*) ;;
        *) said=U:broke ;;
    esac
    [ ${#said} -le 42 ] || said=U:long
    lines="$lines$1:$said
"
    count=$((count + 1))
}

# First value of a `NAME=value` file.
value() { sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$2" 2>/dev/null | tr -d '\r"' | head -n 1; }

host_of() { printf '%s\n' "$1" | sed -n 's#^https://\([A-Za-z0-9.-][A-Za-z0-9.-]*\)\(:[0-9]*\)\{0,1\}\(/.*\)\{0,1\}$#\1#p'; }

is_azure() {
    tag=$(cat "$root/sys/class/dmi/id/chassis_asset_tag" 2>/dev/null)
    [ "$tag" = 7783-7084-3265-9085-8269-3286-77 ]
}

is_arc() { [ -e "$root/opt/azcmagent/bin/azcmagent" ] || [ -e "$root/usr/bin/azcmagent" ]; }

has_old_agent() { [ -d "$agent" ] || [ -d "$state" ]; }

# Configuration of every workspace that the old agent reports to; what is left of a former one has none.
configurations() {
    for file in "$agent"/*-*-*-*-*/conf/omsadmin.conf; do
        [ -f "$file" ] && printf '%s\n' "$file"
    done
    set -- "$agent"/*-*-*-*-*/conf/omsadmin.conf
    [ -f "$1" ] || { [ -f "$agent/conf/omsadmin.conf" ] && printf '%s\n' "$agent/conf/omsadmin.conf"; }
    return 0
}

proxy_of_agent() {
    for file in "$agent"/proxy.conf "$root"/etc/opt/microsoft/omsagent/conf/proxy.conf; do
        [ -s "$file" ] && head -n 1 "$file" | tr -d '\r' && return 0
    done
    return 0
}

proxy_of_environment() { printf '%s' "${https_proxy:-${HTTPS_PROXY:-${http_proxy:-${HTTP_PROXY:-}}}}"; }

# What curl's exit code says of how far it came.
stage() {
    case $1 in
        0 | 22) echo ok ;;
        5 | 97) echo proxy ;;
        6) echo dns ;;
        7) echo tcp ;;
        28) echo time ;;
        35 | 53 | 58 | 59 | 66 | 77 | 80 | 83) echo tls ;;
        51 | 60 | 91) echo cert ;;
        52 | 55 | 56) echo reset ;;
        *) echo "curl$1" ;;
    esac
}

fetch() { curl -q -s -g -o /dev/null --connect-timeout 4 --max-time 8 "$@"; }

# How far a connection to a host comes: straight on, or else through the proxy that is set up.
reach() {
    have curl || { echo nocurl; return; }
    fetch --noproxy '*' --url "https://$1/"
    straight=$(stage $?)
    through=$(proxy_of_environment)
    [ -n "$through" ] || through=$(proxy_of_agent)
    if [ "$straight" = ok ] || [ -z "$through" ]; then echo "$straight"; return; fi
    # In the environment, because a proxy's password is nobody's business in a list of processes.
    (
        unset NO_PROXY no_proxy
        https_proxy=$through
        export https_proxy
        fetch --url "https://$1/"
    )
    if [ "$(stage $?)" = ok ]; then echo viaproxy; else echo "$straight"; fi
}

# The verdict on a set of hosts: the worst of them, and how many answered.
reach_all() {
    [ $# -gt 0 ] || { echo U:nohost; return; }
    worst='' good=0 proxied=''
    for name in "$@"; do
        far=$(reach "$name")
        case $far in
            ok) good=$((good + 1)) ;;
            viaproxy) good=$((good + 1)) proxied=:viaproxy ;;
            nocurl | reset | curl*) [ -n "$worst" ] || worst=U:$far ;;
            *) case $worst in F*) ;; *) worst=F:$far ;; esac ;;
        esac
    done
    if [ -z "$worst" ]; then echo "P$proxied"; else echo "$worst,${good}of$#"; fi
}

# The same for hosts that the agent's own files name, one a line.
reach_listed() {
    has_old_agent || { echo N; return; }
    # shellcheck disable=SC2046 # host_of lets letters, digits, dots and hyphens through, so this splits at line ends only
    set -- $("$1" | sort -u)
    [ $# -gt 0 ] || { echo U:noname; return; }
    reach_all "$@"
}

sign_in_host() {
    case $cloud in
        usgovernment) echo login.microsoftonline.us ;;
        china) echo login.chinacloudapi.cn ;;
        *) echo login.microsoftonline.com ;;
    esac
}

agent_service_hosts() {
    configurations | while IFS= read -r file; do
        sed -n 's/^[A-Z_]*=[[:space:]]*\(https:.*agentsvc.*\)$/\1/p' "$file" | tr -d '\r' | while IFS= read -r url; do
            host_of "$url"
        done
    done
}

job_runtime_hosts() {
    for file in "$state"/*/state/automationworker/worker.conf "$state"/state/automationworker/worker.conf; do
        [ -f "$file" ] && host_of "$(value jrds_base_uri "$file")"
    done
    return 0
}

ingestion_hosts() {
    configurations | while IFS= read -r file; do host_of "$(value OMS_ENDPOINT "$file")"; done
}

management_hosts() { ingestion_hosts | sed -n 's/^\([0-9A-Fa-f-]*\)\.ods\./\1.oms./p'; }

# What systemd says of a unit, word for word: `inactive` is not `active`.
unit() {
    have systemctl || { echo nosystemd; return; }
    loaded=$(soon systemctl show -p LoadState "$1")
    case $loaded in
        LoadState=loaded) soon systemctl "$2" "$1" | head -n 1 ;;
        LoadState=not-found) echo missing ;;
        LoadState=masked) echo masked ;;
        *) echo untold ;;
    esac
}

# The verdict on the first of some units that exists.
first_unit() {
    wanted=$1 asked=$2
    shift 2
    for name in "$@"; do
        is=$(unit "$name" "$asked")
        case $is in
            missing) continue ;;
            "$wanted") echo P; return ;;
            nosystemd | untold | '') echo "U:${is:-untold}"; return ;;
            *) echo "F:$(printf '%s' "$is" | clean)"; return ;;
        esac
    done
    echo F:missing
}

# Command lines of everything that runs, one a line.
processes() {
    for file in "$root"/proc/[0-9]*/cmdline; do
        tr '\000\n' '  ' <"$file"
        echo
    done
}

# The state that the newest status file of an extension tells.
extension() {
    newest=''
    for folder in "$@"; do
        [ -d "$folder" ] || continue
        newest=none
        for file in "$folder"/status/*.status; do
            [ -f "$file" ] || continue
            # shellcheck disable=SC3013 # -nt is in every sh that Linux ships; where it is not, any status file will do
            if [ "$newest" = none ] || [ "$file" -nt "$newest" ]; then newest=$file; fi
        done
    done
    case $newest in
        '') echo F:missing; return ;;
        none) echo U:nostatus; return ;;
    esac
    said=$(tr -d '\n\r' <"$newest" | sed -n 's/^.*"status"[[:space:]]*:[[:space:]]*{[^{}]*"status"[[:space:]]*:[[:space:]]*"\([A-Za-z]*\)".*$/\1/p')
    [ -n "$said" ] || said=$(tr -d '\n\r' <"$newest" | grep -o '"status"[[:space:]]*:[[:space:]]*"[A-Za-z]*"' | head -n 1 | sed 's/^.*"\([A-Za-z]*\)"$/\1/')
    case $said in
        success | Success) echo P ;;
        transitioning | Transitioning) echo W:transitioning ;;
        error | Error) echo F:error ;;
        *) echo U:unread ;;
    esac
}

os_version() {
    file=$root/etc/os-release
    [ -f "$file" ] || file=$root/usr/lib/os-release
    [ -f "$file" ] || { echo U:norelease; return; }
    echo "I:$(printf '%s-%s' "$(value ID "$file")" "$(value VERSION_ID "$file")" | tr '[:upper:]' '[:lower:]' | clean)"
}

is_root() { if [ "$(id -u)" = 0 ]; then echo P; else echo F; fi; }

python_version() {
    for name in python3 python2 python; do
        have "$name" || continue
        found=$(soon "$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' | clean)
        case $found in
            2.7 | [3-9].*) echo "P:$found"; return ;;
            '') ;;
            *) echo "F:$found"; return ;;
        esac
    done
    echo F:missing
}

chassis() {
    is_arc && { echo N; return; }
    [ -r "$root/sys/class/dmi/id/chassis_asset_tag" ] || { echo U:notag; return; }
    if is_azure; then echo P; else echo F:othertag; fi
}

agent_installed() {
    has_old_agent || { echo F:missing; return; }
    [ -n "$(configurations)" ] || { echo F:noconf; return; }
    for file in "$state"/*/log/omsagent.log "$state"/log/omsagent.log; do
        [ -f "$file" ] && { echo P; return; }
    done
    echo F:nolog
}

agent_running() {
    has_old_agent || { echo F:missing; return; }
    set -- "$root"/proc/[0-9]*/cmdline
    [ -e "$1" ] || { echo U:noproc; return; }
    if processes | grep -q 'omsagent/.*omsagent\.\(conf\|log\)'; then echo P; else echo F:stopped; fi
}

workspaces() {
    has_old_agent || { echo N; return; }
    number=$(configurations | grep -c .)
    first=$(configurations | while IFS= read -r file; do value WORKSPACE_ID "$file"; done | head -n 1 | cut -c1-8 | clean)
    case $number in
        0) echo F:none ;;
        1) echo "P:1,$first" ;;
        *) echo "F:$number,$first" ;;
    esac
}

worker_package() {
    has_old_agent || { echo N; return; }
    module=$root/opt/microsoft/omsconfig/modules/nxOMSAutomationWorker
    [ -f "$module/VERSION" ] || { echo F:noversion; return; }
    for file in "$module"/DSCResources/MSFT_nxOMSAutomationWorkerResource/automationworker/worker/configuration.py \
        "$module"/worker/configuration.py; do
        [ -f "$file" ] && { echo P; return; }
    done
    echo F:noworker
}

worker_running() {
    has_old_agent || { echo N; return; }
    for file in "$state"/*/state/automationworker/worker.conf "$state"/state/automationworker/worker.conf; do
        [ -f "$file" ] || continue
        set -- "$root"/proc/[0-9]*/cmdline
        [ -e "$1" ] || { echo U:noproc; return; }
        if processes | grep -q 'worker/\(main\|hybridworker\)\.py'; then echo P; else echo F:stopped; fi
        return
    done
    echo F:noconf
}

environment_proxy() { if [ -n "$(proxy_of_environment)" ]; then echo W:set; else echo P; fi; }

agent_proxy() {
    has_old_agent || { echo N; return; }
    if [ -n "$(proxy_of_agent)" ]; then echo W:set; else echo P; fi
}

metadata() {
    if is_arc; then echo N; return; fi
    have curl || { echo U:nocurl; return; }
    answer=$(curl -q -s -g -o /dev/null --connect-timeout 4 --max-time 8 --noproxy '*' -H Metadata:true \
        -w '%{http_code}' --url 'http://169.254.169.254/metadata/instance?api-version=2018-02-01')
    far=$(stage $?)
    case $far,$answer in
        ok,2*) echo P ;;
        ok,*) echo "F:http$(printf '%s' "$answer" | clean)" ;;
        *) echo "F:$far" ;;
    esac
}

# For information: a closed network is no fault.
internet() {
    far=$(reach www.bing.com)
    case $far in
        ok) echo P ;;
        viaproxy) echo P:viaproxy ;;
        nocurl) echo U:nocurl ;;
        *) echo N:closed ;;
    esac
}

agent_service() { reach_listed agent_service_hosts; }
job_runtime() { reach_listed job_runtime_hosts; }
ingestion() { reach_listed ingestion_hosts; }
management() { reach_listed management_hosts; }

# A network that is down says nothing of TLS.
tls_version() {
    have curl || { echo U:nocurl; return; }
    fetch --noproxy '*' --tlsv1.2 --url "https://$(sign_in_host)/"
    far=$(stage $?)
    case $far in
        ok) echo P ;;
        tls) echo F:tls ;;
        curl2 | curl4) echo F:notoffered ;;
        *) echo "U:$far" ;;
    esac
}

https() { reach_all "$(sign_in_host)"; }

guest_agent() {
    is_arc && { echo N; return; }
    first_unit active is-active walinuxagent.service waagent.service
}

patch_extension() {
    is_arc && { echo N; return; }
    extension "$root"/var/lib/waagent/Microsoft.CPlat.Core.LinuxPatchExtension-*
}

timers='MsftLinuxPatchAutoAssess AzGPSLinuxPatchAutoAssess'

assessment_timer() {
    # shellcheck disable=SC2086 # two names of our own
    set -- $timers
    first_unit active is-active "$1.timer" "$2.timer"
}

assessment_service() {
    # shellcheck disable=SC2086 # two names of our own
    set -- $timers
    first_unit enabled is-enabled "$1.service" "$2.service"
}

apt_urls() {
    cat "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*.list 2>/dev/null | tr -d '\r' | awk '
        $1 == "deb" {
            sub(/\[[^]]*\]/, "")
            sub(/\/$/, "", $2)
            if ($3 ~ /\/$/) print $2 "/" $3 "Release"; else print $2 "/dists/" $3 "/Release"
        }'
    for file in "$root"/etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        tr -d '\r' <"$file" | awk '
            function flush(   i, j, n, m, u, s) {
                n = split(uris, u, " "); m = split(suites, s, " ")
                for (i = 1; i <= n; i++) sub(/\/$/, "", u[i])
                if (enabled != "no") for (i = 1; i <= n; i++) for (j = 1; j <= m; j++) {
                    if (s[j] ~ /\/$/) print u[i] "/" s[j] "Release"; else print u[i] "/dists/" s[j] "/Release"
                }
                uris = ""; suites = ""; enabled = ""
            }
            /^[[:space:]]*$/ { flush(); next }
            /^URIs:/ { sub(/^[^:]*:/, ""); uris = $0 }
            /^Suites:/ { sub(/^[^:]*:/, ""); suites = $0 }
            /^Enabled:/ { enabled = tolower($2) }
            END { flush() }'
    done
    return 0
}

# .repo files of yum, dnf and zypper: one address for each repository that is switched on.
repo_file_urls() {
    release=$(value VERSION_ID "$root/etc/os-release")
    case $(value ID "$root/etc/os-release") in
        rhel | centos | ol | rocky | almalinux) release=${release%%.*} ;;
    esac
    cat "$root"/etc/yum.repos.d/*.repo "$root"/etc/zypp/repos.d/*.repo 2>/dev/null | tr -d '\r' |
        awk -v release="$release" -v machine="$(uname -m)" '
        function flush(   url) {
            url = base ? base "/repodata/repomd.xml" : mirrors
            gsub(/\$\{?releasever\}?/, release, url); gsub(/\$\{?basearch\}?/, machine, url)
            if (on && url != "") print url
            base = ""; mirrors = ""; on = 1
        }
        BEGIN { on = 1 }
        /^[[:space:]]*\[/ { flush(); next }
        /^[[:space:]]*enabled[[:space:]]*=/ { split($0, part, "="); on = part[2] + 0 }
        /^[[:space:]]*baseurl[[:space:]]*=/ { sub(/^[^=]*=[[:space:]]*/, ""); split($0, part, /[[:space:],]+/); base = part[1]; sub(/\/$/, "", base) }
        /^[[:space:]]*(mirrorlist|metalink)[[:space:]]*=/ { sub(/^[^=]*=[[:space:]]*/, ""); mirrors = $0 }
        END { flush() }'
}

repositories() {
    have curl || { echo U:nocurl; return; }
    found=$({ apt_urls; repo_file_urls; } | sort -u | head -n 12 | grep -E '^https?://[A-Za-z0-9._~:/%+@,=&?-]+$')
    # Each address is let through only where it holds nothing that a shell would take apart, but for `?`.
    set -f
    # shellcheck disable=SC2086
    set -- $found
    [ $# -gt 0 ] || { echo U:nolist; return; }
    worst='' good=0
    for url in "$@"; do
        answer=$(curl -q -s -g -I -L -o /dev/null --proto '=http,https' --connect-timeout 4 --max-time 8 \
            -w '%{http_code}' --url "$url")
        far=$(stage $?)
        case $far,$answer in
            ok,2* | ok,3*) good=$((good + 1)) ;;
            # Reached; whether the package manager's own certificate would open it, this request cannot tell.
            ok,401 | ok,403) good=$((good + 1)) ; [ -n "$worst" ] || worst=W:http$answer ;;
            ok,*) case $worst in F*) ;; *) worst=F:http$(printf '%s' "$answer" | clean) ;; esac ;;
            *) case $worst in F*) ;; *) worst=F:$far ;; esac ;;
        esac
    done
    if [ -z "$worst" ]; then echo "P:${good}of$#"; else echo "$worst,${good}of$#"; fi
}

arc_extension() {
    is_arc || { echo N; return; }
    extension "$root"/var/lib/waagent/Microsoft.SoftwareUpdateManagement.LinuxOsUpdateExtension-*
}

arc_agent() {
    is_azure && { echo N; return; }
    is_arc && { echo P; return; }
    # Whether the machine is one of Azure's, which need no such agent, cannot be told.
    [ -r "$root/sys/class/dmi/id/chassis_asset_tag" ] || { echo U:notag; return; }
    echo F:missing
}

arc_service() {
    is_arc || { echo N; return; }
    for name in himdsd extd gcad; do
        is=$(first_unit active is-active "$name.service")
        case $is in
            P) ;;
            # Older agents had the other two under names of their own.
            F:missing) [ "$name" != himdsd ] || { echo "F:himdsd,missing"; return; } ;;
            U*) echo "$is"; return ;;
            *) echo "F:$name,${is#F:}"; return ;;
        esac
    done
    echo P
}

arc_endpoints() {
    is_arc || { echo N; return; }
    case $cloud in
        usgovernment) reach_all "$(sign_in_host)" agentserviceapi.guestconfiguration.azure.us gbl.his.arc.azure.us management.usgovcloudapi.net ;;
        china) reach_all "$(sign_in_host)" agentserviceapi.guestconfiguration.azure.cn gbl.his.arc.azure.cn management.chinacloudapi.cn ;;
        *) reach_all "$(sign_in_host)" agentserviceapi.guestconfiguration.azure.com gbl.his.arc.azure.com management.azure.com ;;
    esac
}

# The least free megabytes of what packages are unpacked into.
free_space() {
    least=$(soon df -Pk "$root/" "$root/var" | awk 'NR > 1 && $4 ~ /^[0-9]+$/ { m = int($4 / 1024); if (least == "" || m < least) least = m } END { print least }')
    case $least in
        '' | *[!0-9]*) echo U:df ;;
        *) if [ "$least" -lt 512 ]; then echo "F:${least}MB"; elif [ "$least" -lt 2048 ]; then echo "W:${least}MB"; else echo "P:${least}MB"; fi ;;
    esac
}

# How far this clock is from the one that a sign-in is checked with; five minutes break it.
clock() {
    have curl || { echo U:nocurl; return; }
    theirs=$(curl -q -s -g -I --connect-timeout 4 --max-time 8 --url "https://$(sign_in_host)/" |
        tr -d '\r' | sed -n 's/^[Dd][Aa][Tt][Ee]:[[:space:]]*//p' | head -n 1)
    [ -n "$theirs" ] || { echo U:noanswer; return; }
    theirs=$(date -u -d "$theirs" +%s) || { echo U:date; return; }
    skew=$(($(date -u +%s) - theirs))
    skew=${skew#-}
    if [ "$skew" -ge 300 ]; then echo "F:${skew}s"; elif [ "$skew" -ge 60 ]; then echo "W:${skew}s"; else echo "P:${skew}s"; fi
}

rule os os_version
rule usr is_root
rule py python_version
rule dmi chassis
rule omi agent_installed
rule omr agent_running
rule ws workspaces
rule hwp worker_package
rule hwr worker_running
rule prx environment_proxy
rule prm agent_proxy
rule ims metadata
rule net internet
rule ags agent_service
rule jrd job_runtime
rule ods ingestion
rule oms management
rule tls tls_version
rule htp https
rule gua guest_agent
rule pex patch_extension
rule tmr assessment_timer
rule asv assessment_service
rule rep repositories
rule arc arc_agent
rule ars arc_service
rule arx arc_extension
rule are arc_endpoints
rule dsk free_space
rule clk clock

# Adler-32 of the lines, as eight hexadecimal digits.
sum=$(printf '%s' "$lines" | od -An -v -tu1 | awk '
    BEGIN { a = 1; b = 0 }
    { for (i = 1; i <= NF; i++) { a = (a + $i) % 65521; b = (b + a) % 65521 } }
    END { printf "%04x%04x", b, a }')
printf 'patchwright-diagnosis 1 linux\n%spatchwright-end %s %s\n' "$lines" "$count" "$sum"
