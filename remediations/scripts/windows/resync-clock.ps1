# patchwright-script: resync-clock
# Lets the Windows Time service set the clock from its own source, and restarts the agent where the clock moved. Changes
# no setting: a service that is disabled, or that has no source to ask, is its owner's matter. Runs as SYSTEM,
# PowerShell 5.1. Repeatable.
# Last line of output: patchwright-outcome: {json}; exit code 0 resynchronized, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    $service = Get-CimInstance -ClassName Win32_Service -Filter "Name='W32Time'"
    if ($null -eq $service) { Write-Outcome @{ outcome = 'refused'; reason = 'no-time-service' } 3 }
    if ($service.StartMode -eq 'Disabled') { Write-Outcome @{ outcome = 'refused'; reason = 'time-service-disabled' } 3 }
    $started = $service.State -ne 'Running'
    if ($started) { Start-Service -Name W32Time }
    $before = [DateTime]::UtcNow
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $said = & w32tm.exe /resync /rediscover
    if ($LASTEXITCODE -ne 0) { throw "w32tm ended with ${LASTEXITCODE}: $($said -join ' ')" }
    # How far the clock moved: what passed on it, without what passed in truth.
    $moved = [int](([DateTime]::UtcNow - $before).TotalSeconds - $watch.Elapsed.TotalSeconds)
    if ([Math]::Abs($moved) -ge 60) { Restart-Service -Name HealthService -Force }
    Write-Outcome @{ outcome = 'resynchronized'; movedSeconds = $moved; startedService = $started; stepId = $StepId } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
