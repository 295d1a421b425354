# patchwright-script: restore-store-rights
# Brings back the access list of SoftwareDistribution that grant-update-store saved. Refuses a saved list that is missing
# or not the one that was recorded. Runs as SYSTEM, PowerShell 5.1.
# Last line of output: patchwright-outcome: {json}; exit code 0 restored, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId,
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{64}$')][string]$Sha256
)
$ErrorActionPreference = 'Stop'
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '.acl')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    if (-not (Test-Path -LiteralPath $file)) { Write-Outcome @{ outcome = 'refused'; reason = 'no-saved-list' } 3 }
    $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
    if ($hash -ne $Sha256) { Write-Outcome @{ outcome = 'refused'; reason = 'saved-list-changed' } 3 }
    # A saved list names its folder below the one that it is restored from.
    $null = & icacls.exe $env:windir /restore $file
    if ($LASTEXITCODE -ne 0) { throw "icacls /restore ended with $LASTEXITCODE" }
    Remove-Item -LiteralPath (Join-Path $folder ($StepId + '.done')) -ErrorAction SilentlyContinue
    Write-Outcome @{ outcome = 'restored' } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
