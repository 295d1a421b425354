# patchwright-script: free-update-cache
# Makes room on a full system drive: removes what Windows Update has downloaded (SoftwareDistribution\Download), which it
# downloads again when it needs it. Its data store, its history and everything else stay. Refuses where there is room,
# where nothing was downloaded, and while updates are being installed. Runs as SYSTEM, PowerShell 5.1. Repeatable.
# Last line of output: patchwright-outcome: {json}; exit code 0 freed, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$downloads = Join-Path $env:windir 'SoftwareDistribution\Download'
$folder = Join-Path $env:ProgramData 'Patchwright'
$mark = Join-Path $folder ($StepId + '.freed')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    $drive = New-Object System.IO.DriveInfo -ArgumentList $env:SystemDrive
    $before = $drive.AvailableFreeSpace
    # A mark of an earlier day is of an earlier repair of the same machine.
    $last = Get-Item -LiteralPath $mark -ErrorAction SilentlyContinue
    $repeated = ($null -ne $last) -and ($last.LastWriteTimeUtc -gt (Get-Date).ToUniversalTime().AddHours(-1))
    if (-not $repeated) {
        if ($before -ge 1073741824) { Write-Outcome @{ outcome = 'refused'; reason = 'space-is-there'; freeBytes = $before } 3 }
        if (-not (Test-Path -LiteralPath $downloads) -or @(Get-ChildItem -LiteralPath $downloads -Force).Count -eq 0) {
            Write-Outcome @{ outcome = 'refused'; reason = 'nothing-downloaded'; freeBytes = $before } 3
        }
        if ((New-Object -ComObject Microsoft.Update.Installer).IsBusy) {
            Write-Outcome @{ outcome = 'refused'; reason = 'installation-under-way' } 3
        }
        $running = @(Get-Service | Where-Object { @('wuauserv', 'BITS') -contains $_.Name -and $_.Status -eq 'Running' } | ForEach-Object { $_.Name })
        Stop-Service -Name wuauserv -Force
        Stop-Service -Name BITS -Force
        try {
            foreach ($child in @(Get-ChildItem -LiteralPath $downloads -Force)) {
                # What something still holds open stays.
                Remove-Item -LiteralPath $child.FullName -Recurse -Force -ErrorAction SilentlyContinue
            }
        }
        finally {
            if ($running -contains 'BITS') { Start-Service -Name BITS }
            if ($running -contains 'wuauserv') { Start-Service -Name wuauserv }
        }
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        $null = New-Item -ItemType File -Path $mark -Force
        # The agent looks for updates within a quarter of an hour after its own start.
        Restart-Service -Name HealthService -Force
    }
    Write-Outcome @{ outcome = 'freed'; freeBytesBefore = $before; freeBytes = $drive.AvailableFreeSpace; repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
