# patchwright-script: reset-update-store
# Renames what Windows Update has stored (SoftwareDistribution, catroot2), so that it builds both anew. Deletes nothing.
# Refuses while updates are being installed. Runs as SYSTEM, PowerShell 5.1. Repeatable: once a week at most.
# Last line of output: patchwright-outcome: {json}; exit code 0 reset, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$stores = (Join-Path $env:windir 'SoftwareDistribution'), (Join-Path $env:windir 'System32\catroot2')
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '.json')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress -Depth 4))
    exit $Code
}

try {
    $repeated = Test-Path -LiteralPath $mark
    if ($repeated -and (Get-Item -LiteralPath $mark).LastWriteTimeUtc -lt [DateTime]::UtcNow.AddDays(-7)) {
        Remove-Item -LiteralPath $file, $mark -ErrorAction SilentlyContinue
        $repeated = $false
    }
    if (-not $repeated) {
        if ((New-Object -ComObject Microsoft.Update.Installer).IsBusy) {
            Write-Outcome @{ outcome = 'refused'; reason = 'installation-under-way' } 3
        }
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        # Only SYSTEM and administrators may read or change the record; groups by SID, since names are translated.
        $null = & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
        if ($LASTEXITCODE -ne 0) { throw "icacls ended with $LASTEXITCODE" }
        if (-not (Test-Path -LiteralPath $file)) {
            $suffix = '.' + $StepId + '-' + [DateTime]::UtcNow.ToString('yyyyMMddHHmmss')
            $renamed = @(foreach ($store in $stores) { @{ from = $store; to = $store + $suffix } })
            $running = @(Get-Service | Where-Object { @('wuauserv', 'BITS') -contains $_.Name -and $_.Status -eq 'Running' } | ForEach-Object { $_.Name })
            [IO.File]::WriteAllText($file, (ConvertTo-Json @{ renamed = $renamed; running = $running } -Compress -Depth 4))
        }
        $record = [IO.File]::ReadAllText($file) | ConvertFrom-Json
        Stop-Service -Name wuauserv -Force
        Stop-Service -Name BITS -Force
        Stop-Service -Name CryptSvc -Force
        try {
            foreach ($one in $record.renamed) {
                # One that has its new name already was renamed before this script was cut short.
                if ((Test-Path -LiteralPath $one.from) -and -not (Test-Path -LiteralPath $one.to)) {
                    Move-Item -LiteralPath $one.from -Destination $one.to
                }
            }
        }
        finally {
            Start-Service -Name CryptSvc
            if ($record.running -contains 'BITS') { Start-Service -Name BITS }
            if ($record.running -contains 'wuauserv') { Start-Service -Name wuauserv }
        }
        $null = New-Item -ItemType File -Path $mark -Force
        # The agent looks for updates within a quarter of an hour after its own start.
        Restart-Service -Name HealthService -Force
    }
    $record = [IO.File]::ReadAllText($file) | ConvertFrom-Json
    Write-Outcome @{ outcome = 'reset'; renamed = @($record.renamed); recordPath = $file; sha256 = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant(); repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
