# patchwright-script: update-signatures
# Lets Defender fetch its newest definitions. Refuses where there is no Defender, or where it is switched off. Changes no
# setting. Runs as SYSTEM, PowerShell 5.1. Repeatable.
# Last line of output: patchwright-outcome: {json}; exit code 0 updated, 3 refused, 1 failed.
param()
$ErrorActionPreference = 'Stop'
function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    if ($null -eq (Get-Command -Name Update-MpSignature -ErrorAction SilentlyContinue)) {
        Write-Outcome @{ outcome = 'refused'; reason = 'no-defender' } 3
    }
    $before = Get-MpComputerStatus
    # Where another product is in charge Defender is switched off, and its definitions grow old.
    if (-not $before.AMServiceEnabled -or -not $before.AntivirusEnabled) {
        Write-Outcome @{ outcome = 'refused'; reason = 'defender-off' } 3
    }
    Update-MpSignature
    $after = Get-MpComputerStatus
    Write-Outcome @{ outcome = 'updated'; daysBefore = [int]$before.AntivirusSignatureAge; daysAfter = [int]$after.AntivirusSignatureAge; version = [string]$after.AntivirusSignatureVersion } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
