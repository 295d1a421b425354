# patchwright-script: set-au-options
# Tells Windows Update to leave installing to the deployments (AUOptions), after recording what was set before.
# Refuses on a machine of a domain or of Configuration Manager. Runs as SYSTEM, PowerShell 5.1. Repeatable.
# Last line of output: patchwright-outcome: {json}; exit code 0 set, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId,
    [Parameter(Mandatory = $true)][ValidatePattern('^(3|auto)$')][string]$Target
)
$ErrorActionPreference = 'Stop'
$path = 'SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU'
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
    # Server 2016 and later know 7, which also announces no restart; older versions know 3: download and notify.
    $options = 3
    if ($Target -eq 'auto' -and [Environment]::OSVersion.Version.Major -ge 10) { $options = 7 }
    # A value of $null is one that must not be there.
    $wanted = [ordered]@{ AUOptions = $options }
    $previous = @()
    $fits = $true
    $there = Test-Path -LiteralPath $key
    foreach ($name in $wanted.Keys) {
        $old = $null
        $kind = 'DWord'
        if ($there) {
            $item = Get-Item -LiteralPath $key
            $old = $item.GetValue($name, $null)
            if ($null -ne $old) { $kind = [string]$item.GetValueKind($name) }
        }
        $previous += @{ path = $path; keyExisted = $there; name = $name; existed = ($null -ne $old); kind = $kind; value = $old }
        if ($old -ne $wanted[$name]) { $fits = $false }
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
        if (-not $there) { $null = New-Item -Path $key -Force }
        foreach ($name in $wanted.Keys) {
            if ($null -ne $wanted[$name]) {
                $null = New-ItemProperty -LiteralPath $key -Name $name -PropertyType DWord -Value $wanted[$name] -Force
            }
            else { Remove-ItemProperty -LiteralPath $key -Name $name -ErrorAction SilentlyContinue }
        }
    }
    $null = New-Item -ItemType File -Path $mark -Force
    $record = [IO.File]::ReadAllText($file) | ConvertFrom-Json
    Write-Outcome @{ outcome = 'set'; auOptions = $options; previous = @($record.values); recordPath = $file; sha256 = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant(); repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
