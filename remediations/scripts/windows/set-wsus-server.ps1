# patchwright-script: set-wsus-server
# Names the WSUS server that the operator has set in WUServer and WUStatusServer, after recording what was there before.
# Refuses on a machine of a domain or of Configuration Manager, and on one that is no client of a WSUS server.
# Runs as SYSTEM, PowerShell 5.1. Repeatable. ServerHex is the address in UTF-8, each byte as two hex digits.
# Last line of output: patchwright-outcome: {json}; exit code 0 set, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId,
    [Parameter(Mandatory = $true)][ValidatePattern('^([0-9a-f]{2}){10,300}$')][string]$ServerHex
)
$ErrorActionPreference = 'Stop'
$path = 'SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
$key = 'HKLM:\' + $path
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '.json')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress -Depth 4))
    exit $Code
}

try {
    # In a domain the group policy writes these values anew within 90 minutes, and Configuration Manager has its own.
    if ((Get-CimInstance -ClassName Win32_ComputerSystem).PartOfDomain) {
        Write-Outcome @{ outcome = 'refused'; reason = 'domain-joined' } 3
    }
    if (Get-Service | Where-Object { $_.Name -eq 'CcmExec' }) {
        Write-Outcome @{ outcome = 'refused'; reason = 'configuration-manager' } 3
    }
    $uses = Get-ItemProperty -LiteralPath ($key + '\AU') -Name UseWUServer -ErrorAction SilentlyContinue
    if ($null -eq $uses -or $uses.UseWUServer -ne 1) { Write-Outcome @{ outcome = 'refused'; reason = 'no-wsus-client' } 3 }
    $bytes = for ($at = 0; $at -lt $ServerHex.Length; $at += 2) { [Convert]::ToByte($ServerHex.Substring($at, 2), 16) }
    $server = [Text.Encoding]::UTF8.GetString([byte[]]$bytes)
    $previous = @()
    $fits = $true
    $there = Test-Path -LiteralPath $key
    foreach ($name in 'WUServer', 'WUStatusServer') {
        $old = $null
        $kind = 'String'
        if ($there) {
            $item = Get-Item -LiteralPath $key
            $old = $item.GetValue($name, $null)
            if ($null -ne $old) { $kind = [string]$item.GetValueKind($name) }
        }
        $previous += @{ path = $path; keyExisted = $there; name = $name; existed = ($null -ne $old); kind = $kind; value = $old }
        if ($old -ne $server) { $fits = $false }
    }
    $repeated = Test-Path -LiteralPath $mark
    if ($repeated -and -not $fits) {
        # Somebody changed the values since: what is there now is what an undo has to bring back.
        Remove-Item -LiteralPath $mark
        if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file }
        $repeated = $false
    }
    if (-not (Test-Path -LiteralPath $file)) {
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        # Only SYSTEM and administrators may read or change the record; groups by SID, since names are translated.
        $null = & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
        if ($LASTEXITCODE -ne 0) { throw "icacls ended with $LASTEXITCODE" }
        [IO.File]::WriteAllText($file, (ConvertTo-Json @{ values = $previous } -Compress -Depth 4))
    }
    if (-not $fits) {
        foreach ($name in 'WUServer', 'WUStatusServer') {
            $null = New-ItemProperty -LiteralPath $key -Name $name -PropertyType String -Value $server -Force
        }
    }
    if (-not $repeated) {
        # One that does not run reads its policy when it starts.
        if ([string](Get-Service -Name wuauserv).Status -eq 'Running') { Restart-Service -Name wuauserv -Force }
        # The agent looks for updates within a quarter of an hour after its own start.
        Restart-Service -Name HealthService -Force
    }
    $null = New-Item -ItemType File -Path $mark -Force
    $record = [IO.File]::ReadAllText($file) | ConvertFrom-Json
    Write-Outcome @{ outcome = 'set'; server = $server; previous = @($record.values); recordPath = $file; sha256 = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant(); repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
