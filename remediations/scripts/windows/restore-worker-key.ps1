# patchwright-script: restore-worker-key
# Brings back the Hybrid Runbook Worker key that reset-worker-key exported, and restarts the agent: the old identity is
# back. Refuses an export that is missing or not the one that was recorded. Runs as SYSTEM, PowerShell 5.1.
# Last line of output: patchwright-outcome: {json}; exit code 0 restored, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId,
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{64}$')][string]$Sha256
)
$ErrorActionPreference = 'Stop'
$key = 'HKLM:\SOFTWARE\Microsoft\HybridRunbookWorker'
$file = Join-Path (Join-Path $env:ProgramData 'Patchwright') ($StepId + '.reg')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    if (-not (Test-Path -LiteralPath $file)) { Write-Outcome @{ outcome = 'refused'; reason = 'no-export' } 3 }
    $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
    if ($hash -ne $Sha256) { Write-Outcome @{ outcome = 'refused'; reason = 'export-changed' } 3 }
    if (Test-Path -LiteralPath $key) { Remove-Item -LiteralPath $key -Recurse -Force }
    $null = & reg.exe import $file
    if ($LASTEXITCODE -ne 0) { throw "reg import ended with $LASTEXITCODE" }
    Remove-Item -LiteralPath (Join-Path (Join-Path $env:ProgramData 'Patchwright') ($StepId + '.done')) -ErrorAction SilentlyContinue
    Restart-Service -Name HealthService -Force
    Write-Outcome @{ outcome = 'restored'; sha256 = $hash } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
