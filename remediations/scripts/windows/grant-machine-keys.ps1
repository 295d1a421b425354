# patchwright-script: grant-machine-keys
# Gives SYSTEM the rights that the agent needs to make its certificate: to read the folder of machine keys' parent, and
# to modify the folder itself. Saves both access lists first. Refuses where a deny entry or a foreign owner is the cause.
# Runs as SYSTEM, PowerShell 5.1. Repeatable: what was saved before the first change is what undoing brings back.
# Last line of output: patchwright-outcome: {json}; exit code 0 granted, 3 refused, 1 failed.
param(
    [Parameter(Mandatory = $true)][ValidatePattern('^[0-9a-f]{16}$')][string]$StepId
)
$ErrorActionPreference = 'Stop'
$parent = Join-Path $env:ProgramData 'Microsoft\Crypto\RSA'
$keys = Join-Path $parent 'MachineKeys'
$folder = Join-Path $env:ProgramData 'Patchwright'
$parentFile = Join-Path $folder ($StepId + '-parent.acl')
$keysFile = Join-Path $folder ($StepId + '-keys.acl')
$mark = Join-Path $folder ($StepId + '.done')

function Write-Outcome([hashtable]$Fields, [int]$Code) {
    Write-Output ('patchwright-outcome: ' + ($Fields | ConvertTo-Json -Compress))
    exit $Code
}

try {
    # By SID, since names are translated: SYSTEM and the groups that it belongs to.
    $system = @('S-1-5-18', 'S-1-5-32-544', 'S-1-1-0', 'S-1-5-11')
    $owners = @('S-1-5-18', 'S-1-5-32-544', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464')
    $lacking = @()
    foreach ($wanted in @(@{ Path = $parent; Rights = 'ReadAndExecute' }, @{ Path = $keys; Rights = 'Modify' })) {
        if (-not (Test-Path -LiteralPath $wanted.Path)) { Write-Outcome @{ outcome = 'refused'; reason = 'no-key-folder' } 3 }
        $acl = Get-Acl -LiteralPath $wanted.Path
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
        $rights = [int][System.Security.AccessControl.FileSystemRights]$wanted.Rights
        if (($allowed -band $rights) -ne $rights) { $lacking += $wanted.Path }
    }
    $saved = (Test-Path -LiteralPath $parentFile) -and (Test-Path -LiteralPath $keysFile)
    $done = $saved -and (Test-Path -LiteralPath $mark)
    if ($lacking.Count -eq 0 -and -not $saved) { Write-Outcome @{ outcome = 'refused'; reason = 'rights-are-there' } 3 }
    $repeated = $lacking.Count -eq 0
    if (-not $repeated) {
        if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType Directory -Path $folder }
        $null = & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
        if ($LASTEXITCODE -ne 0) { throw "icacls ended with $LASTEXITCODE" }
        # A repair that was cut short has saved the lists from before it; one that was done is history.
        if ($done -or -not $saved) {
            Remove-Item -LiteralPath $mark -ErrorAction SilentlyContinue
            $null = & icacls.exe $parent /save $parentFile
            if ($LASTEXITCODE -ne 0) { throw "icacls /save ended with $LASTEXITCODE" }
            $null = & icacls.exe $keys /save $keysFile
            if ($LASTEXITCODE -ne 0) { throw "icacls /save ended with $LASTEXITCODE" }
        }
        # Without inheritance: the key files keep their own lists.
        $null = & icacls.exe $parent /grant '*S-1-5-18:RX'
        if ($LASTEXITCODE -ne 0) { throw "icacls /grant ended with $LASTEXITCODE" }
        $null = & icacls.exe $keys /grant '*S-1-5-18:(M)'
        if ($LASTEXITCODE -ne 0) { throw "icacls /grant ended with $LASTEXITCODE" }
    }
    if (-not (Test-Path -LiteralPath $mark)) {
        Restart-Service -Name HealthService -Force
        $null = New-Item -ItemType File -Path $mark -Force
    }
    $parentHash = (Get-FileHash -LiteralPath $parentFile -Algorithm SHA256).Hash.ToLowerInvariant()
    $keysHash = (Get-FileHash -LiteralPath $keysFile -Algorithm SHA256).Hash.ToLowerInvariant()
    Write-Outcome @{ outcome = 'granted'; parentSha256 = $parentHash; keysSha256 = $keysHash; repeated = $repeated } 0
}
catch {
    $text = [string]$_.Exception.Message
    if ($text.Length -gt 300) { $text = $text.Substring(0, 300) }
    Write-Outcome @{ outcome = 'failed'; reason = $text } 1
}
