# patchwright-script: grant-update-store
# Gives SYSTEM full control of the folder in which Windows Update stores updates (SoftwareDistribution), after its access
# list was saved. Refuses where the system drive is full, or a deny entry or a foreign owner is the cause.
# Runs as SYSTEM, PowerShell 5.1. Repeatable: what was saved before the first change is what undoing brings back.
# Last line of output: patchwright-outcome: {json}; exit code 0 granted, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$store = Join-Path $env:windir 'SoftwareDistribution'
$folder = Join-Path $env:ProgramData 'Patchwright'
$file = Join-Path $folder ($StepId + '.acl')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    if (-not (Test-Path -LiteralPath $store)) { Write-Outcome @{ outcome = 'refused'; reason = 'no-update-store' } 3 }
    $free = [long](New-Object -TypeName IO.DriveInfo -ArgumentList $env:SystemDrive).AvailableFreeSpace
    if ($free -lt 1073741824) { Write-Outcome @{ outcome = 'refused'; reason = 'system-drive-full'; freeBytes = $free } 3 }
    # By SID, since names are translated: SYSTEM and the groups that it belongs to.
    $system = @('S-1-5-18', 'S-1-5-32-544', 'S-1-1-0', 'S-1-5-11')
    $owners = @('S-1-5-18', 'S-1-5-32-544', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464')
    $acl = Get-Acl -LiteralPath $store
    $owner = $acl.GetOwner([System.Security.Principal.SecurityIdentifier]).Value
    if ($owners -notcontains $owner) { Write-Outcome @{ outcome = 'refused'; reason = 'foreign-owner'; owner = $owner } 3 }
    $allowed = 0
    foreach ($rule in $acl.GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])) {
        # What holds for what lies inside does not hold for the folder.
        $inside = [System.Security.AccessControl.PropagationFlags]::InheritOnly
        if ($system -notcontains $rule.IdentityReference.Value -or ($rule.PropagationFlags -band $inside)) { continue }
        if ($rule.AccessControlType -eq [System.Security.AccessControl.AccessControlType]::Deny) {
            Write-Outcome @{ outcome = 'refused'; reason = 'deny-entry'; sid = $rule.IdentityReference.Value } 3
        }
        $allowed = $allowed -bor [int]$rule.FileSystemRights
    }
    $full = [int][System.Security.AccessControl.FileSystemRights]::FullControl
    $lacking = ($allowed -band $full) -ne $full
    $saved = Test-Path -LiteralPath $file
    if (-not $lacking -and -not $saved) { Write-Outcome @{ outcome = 'refused'; reason = 'rights-are-there'; freeBytes = $free } 3 }
    if ($lacking) {
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        $null = & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
        if ($LASTEXITCODE -ne 0) { throw "icacls ended with $LASTEXITCODE" }
        # A repair that was cut short has saved the list from before it; one that was done is history.
        if (-not $saved -or (Test-Path -LiteralPath $mark)) {
            Remove-Item -LiteralPath $mark -ErrorAction SilentlyContinue
            $null = & icacls.exe $store /save $file
            if ($LASTEXITCODE -ne 0) { throw "icacls /save ended with $LASTEXITCODE" }
        }
        $null = & icacls.exe $store /grant '*S-1-5-18:(OI)(CI)F'
        if ($LASTEXITCODE -ne 0) { throw "icacls /grant ended with $LASTEXITCODE" }
    }
    if (-not (Test-Path -LiteralPath $mark)) {
        # The agent looks for updates within a quarter of an hour after its own start.
        Restart-Service -Name HealthService -Force
        $null = New-Item -ItemType File -Path $mark -Force
    }
    $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
    Write-Outcome @{ outcome = 'granted'; sha256 = $hash; repeated = (-not $lacking) } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
