# patchwright-script: enable-agent
# Sets the service of a disabled Log Analytics agent to Automatic and starts it, after recording how it was. Refuses
# where the agent is not installed, where it is not disabled, and where somebody has disabled it again twice. Runs as
# SYSTEM, PowerShell 5.1. Repeatable.
# Last line of output: patchwright-outcome: {json}; exit code 0 enabled, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '.json')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress -Depth 4))
    exit $Code
}

try {
    $service = Get-CimInstance -ClassName Win32_Service -Filter "Name='HealthService'"
    if ($null -eq $service) { Write-Outcome @{ outcome = 'refused'; reason = 'agent-not-installed' } 3 }
    $times = 0
    $repeated = Test-Path -LiteralPath $mark
    if (Test-Path -LiteralPath $file) { $times = [int]([IO.File]::ReadAllText($file) | ConvertFrom-Json).times }
    if ($service.StartMode -eq 'Disabled') {
        if ($repeated) {
            # Done before, and undone by somebody since: a baseline that insists is not fought.
            if ($times -ge 2) { Write-Outcome @{ outcome = 'refused'; reason = 'disabled-again-twice' } 3 }
            Remove-Item -LiteralPath $file, $mark -ErrorAction SilentlyContinue
            $repeated = $false
        }
        if (-not (Test-Path -LiteralPath $file)) {
            if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
            # Only SYSTEM and administrators may read or change the record; groups by SID, since names are translated.
            $null = & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
            if ($LASTEXITCODE -ne 0) { throw "icacls ended with $LASTEXITCODE" }
            $was = @{ service = 'HealthService'; startMode = $service.StartMode; state = $service.State; times = $times + 1 }
            [IO.File]::WriteAllText($file, (ConvertTo-Json $was -Compress))
        }
        Set-Service -Name HealthService -StartupType Automatic
    }
    # Without a record nothing of ours was begun here, so that whatever keeps the agent silent is something else.
    elseif (-not (Test-Path -LiteralPath $file)) { Write-Outcome @{ outcome = 'refused'; reason = 'not-disabled' } 3 }
    Start-Service -Name HealthService
    $null = New-Item -ItemType File -Path $mark -Force
    (Get-Service -Name HealthService).WaitForStatus('Running', [TimeSpan]::FromSeconds(60))
    $record = [IO.File]::ReadAllText($file) | ConvertFrom-Json
    Write-Outcome @{ outcome = 'enabled'; previous = $record; recordPath = $file; sha256 = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant(); repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
