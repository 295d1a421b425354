# patchwright-script: restart-agent
# Restarts the Log Analytics agent, and starts it where it is stopped. Touches nothing else: a service that somebody has
# disabled is left alone, and so is the start type. Runs as SYSTEM, PowerShell 5.1.
# Repeatable: once it is done, a mark says so, and the agent is not restarted a second time.
# Last line of output: patchwright-outcome: {json}; exit code 0 restarted, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$folder = Join-Path $env:ProgramData 'Patchwright'
$mark = Join-Path $folder ($StepId + '.restarted')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    $service = Get-Service -Name HealthService -ErrorAction SilentlyContinue
    if ($null -eq $service) { Write-Outcome @{ outcome = 'refused'; reason = 'agent-not-installed' } 3 }
    if ([string]$service.StartType -eq 'Disabled') { Write-Outcome @{ outcome = 'refused'; reason = 'agent-disabled' } 3 }
    $before = [string]$service.Status
    # A mark of an earlier day is of an earlier repair of the same machine.
    $last = Get-Item -LiteralPath $mark -ErrorAction SilentlyContinue
    $repeated = ($null -ne $last) -and ($last.LastWriteTimeUtc -gt (Get-Date).ToUniversalTime().AddHours(-1))
    if (-not $repeated -or $before -ne 'Running') {
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        Restart-Service -Name HealthService -Force
        $null = New-Item -ItemType File -Path $mark -Force
    }
    $service = Get-Service -Name HealthService
    $service.WaitForStatus('Running', [TimeSpan]::FromSeconds(60))
    Write-Outcome @{ outcome = 'restarted'; before = $before; after = [string]$service.Status; repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
