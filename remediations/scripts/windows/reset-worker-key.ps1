# patchwright-script: reset-worker-key
# Removes the Hybrid Runbook Worker key that a cloned machine copied from its image, after exporting it, and restarts
# the agent, which registers anew. Refuses where a user hybrid worker lives in the key. Runs as SYSTEM, PowerShell 5.1.
# Repeatable: once it is done, a mark beside the export says so, and the key that the agent made anew is left alone.
# Last line of output: patchwright-outcome: {json}; exit code 0 reset, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$key = 'HKLM:\SOFTWARE\Microsoft\HybridRunbookWorker'
$regKey = 'HKLM\SOFTWARE\Microsoft\HybridRunbookWorker'
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '.reg')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    $done = Test-Path -LiteralPath $mark
    if (-not $done -and -not (Test-Path -LiteralPath $key) -and -not (Test-Path -LiteralPath $file)) {
        Write-Outcome @{ outcome = 'refused'; reason = 'no-worker-key' } 3
    }
    if (-not $done -and (Test-Path -LiteralPath $key)) {
        # A user worker keeps its registration in the same key, under the name of its group.
        $entries = @(Get-Item -LiteralPath $key) + @(Get-ChildItem -LiteralPath $key -Recurse)
        foreach ($entry in $entries) {
            if ($null -ne $entry.GetValue('RunbookWorkerGroup', $null)) {
                Write-Outcome @{ outcome = 'refused'; reason = 'user-hybrid-worker' } 3
            }
        }
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        # Only SYSTEM and administrators may read the exported key; groups by SID, since names are translated.
        $null = & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
        if ($LASTEXITCODE -ne 0) { throw "icacls ended with $LASTEXITCODE" }
        $null = & reg.exe export $regKey $file /y
        if ($LASTEXITCODE -ne 0 -or -not (Test-Path -LiteralPath $file)) { throw "reg export ended with $LASTEXITCODE" }
        Remove-Item -LiteralPath $key -Recurse -Force
    }
    if (-not $done) { $null = New-Item -ItemType File -Path $mark -Force }
    # Without its key the agent has not registered anew: either it has just been removed, or a restart was cut short.
    if (-not (Test-Path -LiteralPath $key)) { Restart-Service -Name HealthService -Force }
    $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
    Write-Outcome @{ outcome = 'reset'; exportPath = $file; sha256 = $hash; repeated = $done } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
