# patchwright-script: restore-machine-keys
# Brings back the access lists of the key folders that grant-machine-keys saved. Refuses saved lists that are missing or
# not the ones that were recorded. Runs as SYSTEM, PowerShell 5.1.
# Last line of output: patchwright-outcome: {json}; exit code 0 restored, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId,
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{64}$')][string]$ParentSha256,
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{64}$')][string]$KeysSha256
)
$ErrorActionPreference = 'Stop'
$grandparent = Join-Path $env:ProgramData 'Microsoft\Crypto'
$parent = Join-Path $grandparent 'RSA'
$folder = Join-Path $env:ProgramData 'Patchwright'
$parentFile = Join-Path $folder ($StepId + '-parent.acl')
$keysFile = Join-Path $folder ($StepId + '-keys.acl')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    foreach ($saved in @(@{ Path = $parentFile; Hash = $ParentSha256 }, @{ Path = $keysFile; Hash = $KeysSha256 })) {
        if (-not (Test-Path -LiteralPath $saved.Path)) { Write-Outcome @{ outcome = 'refused'; reason = 'no-saved-list' } 3 }
        $hash = (Get-FileHash -LiteralPath $saved.Path -Algorithm SHA256).Hash.ToLowerInvariant()
        if ($hash -ne $saved.Hash) { Write-Outcome @{ outcome = 'refused'; reason = 'saved-list-changed' } 3 }
    }
    # A saved list names its folder below the one that it is restored from.
    $null = & icacls.exe $parent /restore $keysFile
    if ($LASTEXITCODE -ne 0) { throw "icacls /restore ended with $LASTEXITCODE" }
    $null = & icacls.exe $grandparent /restore $parentFile
    if ($LASTEXITCODE -ne 0) { throw "icacls /restore ended with $LASTEXITCODE" }
    Remove-Item -LiteralPath (Join-Path $folder ($StepId + '.done')) -ErrorAction SilentlyContinue
    Write-Outcome @{ outcome = 'restored' } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
