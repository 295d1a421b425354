# patchwright-script: clear-agent-cache
# Renames the cache of the Log Analytics agent (Health Service State), so that it builds it anew. Deletes nothing.
# A service that somebody has disabled is left alone. Runs as SYSTEM, PowerShell 5.1. Repeatable: once a day at most.
# Last line of output: patchwright-outcome: {json}; exit code 0 cleared, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$cache = Join-Path $env:ProgramFiles 'Microsoft Monitoring Agent\Agent\Health Service State'
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '.json')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress -Depth 4))
    exit $Code
}

try {
    $service = Get-Service -Name HealthService -ErrorAction SilentlyContinue
    if ($null -eq $service) { Write-Outcome @{ outcome = 'refused'; reason = 'agent-not-installed' } 3 }
    if ([string]$service.StartType -eq 'Disabled') { Write-Outcome @{ outcome = 'refused'; reason = 'agent-disabled' } 3 }
    $repeated = Test-Path -LiteralPath $mark
    if ($repeated -and (Get-Item -LiteralPath $mark).LastWriteTimeUtc -lt [DateTime]::UtcNow.AddDays(-1)) {
        Remove-Item -LiteralPath $file, $mark -ErrorAction SilentlyContinue
        $repeated = $false
    }
    if (-not $repeated) {
        if (-not (Test-Path -LiteralPath $cache) -and -not (Test-Path -LiteralPath $file)) {
            Write-Outcome @{ outcome = 'refused'; reason = 'no-cache' } 3
        }
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        # Only SYSTEM and administrators may read or change the record; groups by SID, since names are translated.
        $null = & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
        if ($LASTEXITCODE -ne 0) { throw "icacls ended with $LASTEXITCODE" }
        if (-not (Test-Path -LiteralPath $file)) {
            $suffix = '.' + $StepId + '-' + [DateTime]::UtcNow.ToString('yyyyMMddHHmmss')
            [IO.File]::WriteAllText($file, (ConvertTo-Json @{ from = $cache; to = $cache + $suffix } -Compress))
        }
        $record = [IO.File]::ReadAllText($file) | ConvertFrom-Json
        Stop-Service -Name HealthService -Force
        try {
            # One that has its new name already was renamed before this script was cut short.
            if ((Test-Path -LiteralPath $record.from) -and -not (Test-Path -LiteralPath $record.to)) {
                Move-Item -LiteralPath $record.from -Destination $record.to
            }
        }
        finally {
            Start-Service -Name HealthService
        }
        $null = New-Item -ItemType File -Path $mark -Force
    }
    $record = [IO.File]::ReadAllText($file) | ConvertFrom-Json
    Write-Outcome @{ outcome = 'cleared'; renamedTo = $record.to; recordPath = $file; sha256 = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant(); repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
