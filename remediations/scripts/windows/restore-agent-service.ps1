# patchwright-script: restore-agent-service
# Gives the service of the Log Analytics agent the start type back that enable-agent recorded.
# Refuses a record that is missing or not the one that was reported. Runs as SYSTEM, PowerShell 5.1. Repeatable.
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
    $types = @{ Auto = 'Automatic'; Manual = 'Manual'; Disabled = 'Disabled' }
    if ($record.service -ne 'HealthService' -or -not $types.ContainsKey([string]$record.startMode)) {
        Write-Outcome @{ outcome = 'refused'; reason = 'not-a-service-record' } 3
    }
    if ($record.state -ne 'Running') { Stop-Service -Name HealthService -Force }
    Set-Service -Name HealthService -StartupType $types[[string]$record.startMode]
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
