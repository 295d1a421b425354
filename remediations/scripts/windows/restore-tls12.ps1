# patchwright-script: restore-tls12
# Brings back the TLS settings that enable-tls12 wrote down: values that were not there are removed again. Refuses a
# record that is missing or not the one that was recorded. Runs as SYSTEM, PowerShell 5.1.
# Last line of output: patchwright-outcome: {json}; exit code 0 restored, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId,
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{64}$')][string]$Sha256
)
$ErrorActionPreference = 'Stop'
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '-tls12.json')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    if (-not (Test-Path -LiteralPath $file)) { Write-Outcome @{ outcome = 'refused'; reason = 'no-record' } 3 }
    $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
    if ($hash -ne $Sha256) { Write-Outcome @{ outcome = 'refused'; reason = 'record-changed' } 3 }
    $before = @(Get-Content -LiteralPath $file -Raw -Encoding UTF8 | ConvertFrom-Json | ForEach-Object { $_ })
    foreach ($one in $before) {
        if ($null -ne $one.value) {
            if (-not (Test-Path -LiteralPath $one.key)) { $null = New-Item -Path $one.key -Force }
            $null = New-ItemProperty -LiteralPath $one.key -Name $one.name -Value ([int]$one.value) -PropertyType DWord -Force
        }
        elseif (Test-Path -LiteralPath $one.key) {
            Remove-ItemProperty -LiteralPath $one.key -Name $one.name -Force -ErrorAction SilentlyContinue
        }
    }
    # A key that was made for the settings goes too, unless somebody put something into it since.
    foreach ($one in $before) {
        if (-not $one.keyThere -and (Test-Path -LiteralPath $one.key)) {
            $entry = Get-Item -LiteralPath $one.key
            if ($entry.ValueCount -eq 0 -and $entry.SubKeyCount -eq 0) { Remove-Item -LiteralPath $one.key -Force }
        }
    }
    Remove-Item -LiteralPath (Join-Path $folder ($StepId + '.done')) -ErrorAction SilentlyContinue
    Restart-Service -Name HealthService -Force
    Write-Outcome @{ outcome = 'restored'; sha256 = $hash } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
