# patchwright-script: restore-update-store
# Brings back what reset-update-store renamed; what Windows Update has stored since is renamed in its turn.
# Refuses a record that is missing or not the one that was reported, and while updates are being installed.
# Runs as SYSTEM, PowerShell 5.1. Repeatable.
# Last line of output: patchwright-outcome: {json}; exit code 0 restored, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId,
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{64}$')][string]$Sha256
)
$ErrorActionPreference = 'Stop'
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '.json')
$undone = Join-Path $folder ($StepId + '.undone.json')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress -Depth 4))
    exit $Code
}

try {
    $repeated = -not (Test-Path -LiteralPath $file)
    if ($repeated) { $file = $undone }
    if (-not (Test-Path -LiteralPath $file)) { Write-Outcome @{ outcome = 'refused'; reason = 'no-record' } 3 }
    $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
    if ($hash -ne $Sha256) { Write-Outcome @{ outcome = 'refused'; reason = 'record-changed' } 3 }
    $record = [IO.File]::ReadAllText($file) | ConvertFrom-Json
    if ((New-Object -ComObject Microsoft.Update.Installer).IsBusy) {
        Write-Outcome @{ outcome = 'refused'; reason = 'installation-under-way' } 3
    }
    Stop-Service -Name wuauserv -Force
    Stop-Service -Name BITS -Force
    Stop-Service -Name CryptSvc -Force
    try {
        foreach ($one in $record.renamed) {
            if (-not (Test-Path -LiteralPath $one.to)) { continue }
            if (Test-Path -LiteralPath $one.from) { Move-Item -LiteralPath $one.from -Destination ($one.to + '.newer') }
            Move-Item -LiteralPath $one.to -Destination $one.from
        }
    }
    finally {
        Start-Service -Name CryptSvc
        if ($record.running -contains 'BITS') { Start-Service -Name BITS }
        if ($record.running -contains 'wuauserv') { Start-Service -Name wuauserv }
    }
    # The record stays, under a name that says it has been used; the next change makes a new one.
    if (-not $repeated) { Move-Item -LiteralPath $file -Destination $undone -Force }
    if (Test-Path -LiteralPath $mark) { Remove-Item -LiteralPath $mark }
    Write-Outcome @{ outcome = 'restored'; sha256 = $hash; repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
