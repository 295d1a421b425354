# patchwright-script: enable-tls12
# Turns TLS 1.2 on for clients, in SCHANNEL and in .NET, and restarts the agent. Writes down the values from before, in a
# file and in its outcome, and touches no other value. Runs as SYSTEM, PowerShell 5.1. Repeatable.
# Some programs take it up only when the machine restarts; that is left to its owner.
# Last line of output: patchwright-outcome: {json}; exit code 0 enabled, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$schannel = 'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client'
$settings = @(
    @{ Key = $schannel; Name = 'Enabled'; Value = 1 },
    @{ Key = $schannel; Name = 'DisabledByDefault'; Value = 0 },
    @{ Key = 'HKLM:\SOFTWARE\Microsoft\.NETFramework\v4.0.30319'; Name = 'SchUseStrongCrypto'; Value = 1 },
    @{ Key = 'HKLM:\SOFTWARE\Wow6432Node\Microsoft\.NETFramework\v4.0.30319'; Name = 'SchUseStrongCrypto'; Value = 1 }
)
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '-tls12.json')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    $before = @()
    $wrong = 0
    foreach ($setting in $settings) {
        $there = Test-Path -LiteralPath $setting.Key
        $value = $null
        if ($there) {
            $entry = Get-Item -LiteralPath $setting.Key
            $value = $entry.GetValue($setting.Name, $null)
            if ($null -ne $value -and $entry.GetValueKind($setting.Name) -ne [Microsoft.Win32.RegistryValueKind]::DWord) {
                Write-Outcome @{ outcome = 'refused'; reason = 'not-a-number'; value = $setting.Name } 3
            }
        }
        # Any number but 0 counts as on.
        $is = if ($null -eq $value) { $null } elseif ($value -eq 0) { 0 } else { 1 }
        if ($is -ne $setting.Value) { $wrong += 1 }
        $before += @{ key = $setting.Key; name = $setting.Name; keyThere = $there; value = $value }
    }
    $saved = Test-Path -LiteralPath $file
    $done = $saved -and (Test-Path -LiteralPath $mark)
    if ($wrong -eq 0 -and -not $saved) { Write-Outcome @{ outcome = 'refused'; reason = 'already-on' } 3 }
    $repeated = $wrong -eq 0
    if (-not $repeated) {
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        $null = & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
        if ($LASTEXITCODE -ne 0) { throw "icacls ended with $LASTEXITCODE" }
        # A repair that was cut short has written down the values from before it; one that was done is history.
        if ($done -or -not $saved) {
            Remove-Item -LiteralPath $mark -ErrorAction SilentlyContinue
            ConvertTo-Json -InputObject $before -Compress | Set-Content -LiteralPath $file -Encoding UTF8
        }
        foreach ($setting in $settings) {
            if (-not (Test-Path -LiteralPath $setting.Key)) { $null = New-Item -Path $setting.Key -Force }
            $null = New-ItemProperty -LiteralPath $setting.Key -Name $setting.Name -Value $setting.Value -PropertyType DWord -Force
        }
    }
    if (-not (Test-Path -LiteralPath $mark)) {
        Restart-Service -Name HealthService -Force
        $null = New-Item -ItemType File -Path $mark -Force
    }
    # The values from before in the order of the settings; '-' is one that was not there.
    $was = @(foreach ($one in @(Get-Content -LiteralPath $file -Raw -Encoding UTF8 | ConvertFrom-Json | ForEach-Object { $_ })) {
        if ($null -eq $one.value) { '-' } else { [string]$one.value }
    }) -join ','
    $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
    Write-Outcome @{ outcome = 'enabled'; before = $was; sha256 = $hash; repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
