# patchwright-script: rescan-updates
# Restarts the service Windows Update, lets it look for updates, and has the agent assess the machine anew.
# Refuses while updates are being installed, and where the service is disabled. Changes no setting. Runs as SYSTEM,
# PowerShell 5.1. Repeatable.
# Last line of output: patchwright-outcome: {json}; exit code 0 scanned, 3 refused, 1 failed with the scan's code.
param()
$ErrorActionPreference = 'Stop'
function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress -Depth 4))
    exit $Code
}

try {
    $service = Get-CimInstance -ClassName Win32_Service -Filter "Name='wuauserv'"
    if ($null -eq $service -or $service.StartMode -eq 'Disabled') {
        Write-Outcome @{ outcome = 'refused'; reason = 'service-disabled' } 3
    }
    if ((New-Object -ComObject Microsoft.Update.Installer).IsBusy) {
        Write-Outcome @{ outcome = 'refused'; reason = 'installation-under-way' } 3
    }
    Restart-Service -Name wuauserv -Force
    $found = (New-Object -ComObject Microsoft.Update.Session).CreateUpdateSearcher().Search('IsInstalled=0 and IsHidden=0')
    # The agent looks for updates within a quarter of an hour after its own start.
    Restart-Service -Name HealthService -Force
    Write-Outcome @{ outcome = 'scanned'; needed = $found.Updates.Count; resultCode = [int]$found.ResultCode } 0
}
catch {
    $text = '0x{0:X8}: {1}' -f $_.Exception.GetBaseException().HResult, $_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
