# patchwright-script: diagnose
# Looks at what patching depends on inside this machine, and changes nothing. Runs as SYSTEM, PowerShell 5.1.
# Prints one line for each rule, `code:result:detail`, and the numbers of installed updates in lines that begin with `+`,
# between a first line and an end marker with count and checksum.
# Results: P passed, W warning, F failed, N not applicable, U could not be measured.
# Registry paths are written with slashes: Run Command takes a backslash before an n for a line break.
param(
    [ValidatePattern('^(public|usgovernment|china)$')][string]$Cloud = 'public',
    [ValidatePattern('^[a-z0-9]{0,30}$')][string]$Location = ''
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# The registry as 64-bit programs see it, opened for reading.
function Get-Key([string]$Path, [string]$Hive = 'LocalMachine') {
    $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey([Microsoft.Win32.RegistryHive]$Hive, [Microsoft.Win32.RegistryView]::Registry64)
    return $base.OpenSubKey($Path.Replace('/', '\'))
}

function Get-Value([string]$Path, [string]$Name, [string]$Hive = 'LocalMachine') {
    $key = Get-Key $Path $Hive
    if ($null -eq $key) { return $null }
    return , $key.GetValue($Name, $null)
}

function Get-Short([string]$Text) {
    $letters = $Text -creplace '[^A-Za-z0-9._,+-]', ''
    if ($letters.Length -gt 40) { $letters = $letters.Substring(0, 40) }
    return $letters
}

# How far a connection comes: ok, dns, tcp, tls or cert.
function Get-Stage([string]$Name, [int]$Port = 443, [bool]$Secure = $true) {
    $protocol = [System.Security.Authentication.SslProtocols]'Tls12'
    try { $addresses = @([System.Net.Dns]::GetHostAddresses($Name)) } catch { return 'dns' }
    $stage = 'dns'
    foreach ($address in $addresses) {
        $client = New-Object System.Net.Sockets.TcpClient -ArgumentList $address.AddressFamily
        try {
            $stage = 'tcp'
            $pending = $client.BeginConnect($address, $Port, $null, $null)
            if (-not $pending.AsyncWaitHandle.WaitOne(4000) -or -not $client.Connected) { continue }
            if (-not $Secure) { return 'ok' }
            $stage = 'tls'
            $client.ReceiveTimeout = 6000
            $client.SendTimeout = 6000
            $stream = New-Object System.Net.Security.SslStream -ArgumentList @(($client.GetStream()), $false)
            $stream.AuthenticateAsClient($Name, $null, $protocol, $false)
            return 'ok'
        }
        catch {
            # A certificate that is not trusted is refused here; what the other side refuses has a cause of its own.
            if ($_.Exception.GetBaseException() -is [System.Security.Authentication.AuthenticationException]) { $stage = 'cert' }
        }
        finally { $client.Close() }
    }
    return $stage
}

# WinHTTP's proxy as it is stored, since what netsh prints is translated: flags at 8, length at 12, then the name.
function Get-MachineProxy {
    $bytes = Get-Value 'SOFTWARE/Microsoft/Windows/CurrentVersion/Internet Settings/Connections' 'WinHttpSettings'
    if ($null -eq $bytes -or $bytes.Length -lt 16 -or ($bytes[8] -band 2) -eq 0) { return '' }
    $length = [BitConverter]::ToInt32([byte[]]$bytes, 12)
    if ($length -le 0 -or $length -gt $bytes.Length - 16) { return '' }
    return [Text.Encoding]::ASCII.GetString([byte[]]$bytes, 16, $length)
}

# True where a proxy opens the way to a host; asked in the words of HTTP, with nothing sent to the host itself.
function Test-Through([string]$Proxy, [string]$Name) {
    $first = ($Proxy -split '[;\s]')[0] -replace '^(https?=)?(http://)?', ''
    $at, $port = $first.TrimEnd('/') -split ':', 2
    if (-not $at -or $port -notmatch '^[0-9]{1,5}$') { return $false }
    $client = New-Object System.Net.Sockets.TcpClient
    try {
        $pending = $client.BeginConnect($at, [int]$port, $null, $null)
        if (-not $pending.AsyncWaitHandle.WaitOne(4000) -or -not $client.Connected) { return $false }
        $client.ReceiveTimeout = 6000
        $stream = $client.GetStream()
        $asked = [Text.Encoding]::ASCII.GetBytes("CONNECT ${Name}:443 HTTP/1.1`r`nHost: ${Name}:443`r`n`r`n")
        $stream.Write($asked, 0, $asked.Length)
        $answer = New-Object byte[] 64
        $read = $stream.Read($answer, 0, 64)
        return ([Text.Encoding]::ASCII.GetString($answer, 0, $read) -match '^HTTP/1\.[01] 200')
    }
    catch { return $false }
    finally { $client.Close() }
}

# The verdict on a set of hosts: the first stage at which one fails, and how many answered.
function Get-Reach([string[]]$Names) {
    if ($Names.Count -eq 0) { return 'U:nohost' }
    $proxy = Get-MachineProxy
    $worst = ''
    $good = 0
    $note = ''
    foreach ($name in $Names) {
        $stage = Get-Stage $name
        if ($stage -eq 'ok') { $good++ }
        elseif ($proxy -and (Test-Through $proxy $name)) { $good++; $note = ':viaproxy' }
        elseif (-not $worst) { $worst = $stage }
    }
    if (-not $worst) { return 'P' + $note }
    return "F:$worst,${good}of$($Names.Count)"
}

function Get-SignInHost {
    switch ($Cloud) {
        'usgovernment' { return 'login.microsoftonline.us' }
        'china' { return 'login.chinacloudapi.cn' }
        default { return 'login.microsoftonline.com' }
    }
}

function Get-Suffix([string]$Public, [string]$Government, [string]$China) {
    switch ($Cloud) {
        'usgovernment' { return $Government }
        'china' { return $China }
        default { return $Public }
    }
}

# GUIDs of the workspaces that the agent is set up for; the event log may have forgotten, the registry has not.
function Get-Workspaces {
    $key = Get-Key 'SYSTEM/CurrentControlSet/Services/HealthService/Parameters/Management Groups'
    if ($null -eq $key) { return @() }
    return @($key.GetSubKeyNames() | Where-Object { $_ -match '^AOI-[0-9a-fA-F-]{36}$' } | ForEach-Object { $_.Substring(4).ToLowerInvariant() })
}

function Get-WorkspaceReach([string]$Service, [string]$Domain) {
    $names = @(Get-Workspaces | ForEach-Object { $_ + '.' + $Service + '.' + $Domain })
    if ($names.Count -eq 0) { return 'N:noworkspace' }
    return Get-Reach $names
}

# P where a service runs; otherwise what it is.
function Get-ServiceVerdict([string]$Name) {
    if (-not (Test-Service $Name)) { return 'F:missing' }
    $status = [string](Get-Service -Name $Name).Status
    if ($status -eq 'Running') { return 'P' }
    if (Test-Disabled $Name) { return 'F:disabled' }
    return 'F:' + (Get-Short $status).ToLowerInvariant()
}

# The registry knows a service that is marked for deletion, and how it starts, with every framework.
function Test-Service([string]$Name) { return $null -ne (Get-Value "SYSTEM/CurrentControlSet/Services/$Name" 'Start') }

function Test-Disabled([string]$Name) { return (Get-Value "SYSTEM/CurrentControlSet/Services/$Name" 'Start') -eq 4 }

function Test-Arc { return Test-Service 'himds' }

# Newest events of a log that is there; $null where it is not. An empty answer is an error to Get-WinEvent.
function Get-Events([hashtable]$Filter, [int]$Most) {
    try { $log = Get-WinEvent -ListLog $Filter.LogName } catch { return $null }
    if ($null -eq $log -or -not $log.IsEnabled) { return $null }
    try { return , @(Get-WinEvent -FilterHashtable $Filter -MaxEvents $Most) }
    catch {
        if ($_.FullyQualifiedErrorId -like 'NoMatchingEventsFound*') { return , @() }
        throw
    }
}

# The state that the newest status file of an extension tells.
function Get-ExtensionVerdict([string]$Folder) {
    $path = Join-Path $env:SystemDrive $Folder
    if (-not (Test-Path -LiteralPath $path)) { return 'F:missing' }
    $files = @(Get-ChildItem -LiteralPath $path -Recurse -Filter '*.status' | Sort-Object LastWriteTimeUtc)
    if ($files.Count -eq 0) { return 'U:nostatus' }
    $text = [IO.File]::ReadAllText($files[$files.Count - 1].FullName)
    $status = @($text | ConvertFrom-Json)[0].status
    switch ($status.status) {
        'success' { return 'P' }
        'transitioning' { return 'W:transitioning' }
        'error' { return 'F:' + (Get-Short ([string]$status.code)) }
        default { return 'U:unread' }
    }
}

function Get-TlsValue([string]$Side, [string]$Name) {
    return Get-Value "SYSTEM/CurrentControlSet/Control/SecurityProviders/SCHANNEL/Protocols/TLS 1.2/$Side" $Name
}

$policy = 'SOFTWARE/Policies/Microsoft/Windows/WindowsUpdate'
# More numbers than this, six a line, would not fit beside the rules.
$mostUpdates = 150
$updates = @()
$rules = [ordered]@{
    'os' = {
        $version = [Environment]::OSVersion.Version
        $text = "$($version.Major).$($version.Minor).$($version.Build)"
        if ($version -ge [Version]'6.3.9600') { return "P:$text" }
        # Update Management took Windows Server 2008 R2 SP1 and later; Update Manager begins with 2012 R2.
        if ($version -ge [Version]'6.1.7601') { return "W:$text" }
        return "F:$text"
    }
    'net' = {
        $release = Get-Value 'SOFTWARE/Microsoft/NET Framework Setup/NDP/v4/Full' 'Release'
        if ($null -eq $release) { return 'F:missing' }
        if ($release -ge 394802) { return "P:$release" }
        if ($release -ge 378389) { return "W:$release" }
        return "F:$release"
    }
    'wmf' = {
        $version = $PSVersionTable.PSVersion
        $text = "$($version.Major).$($version.Minor)"
        if ($version -ge [Version]'5.1') { return "P:$text" }
        if ($version.Major -ge 4) { return "W:$text" }
        return "F:$text"
    }
    'ags' = { return Get-WorkspaceReach 'agentsvc' (Get-Suffix 'azure-automation.net' 'azure-automation.us' 'azure-automation.cn') }
    'jrd' = {
        $codes = @{
            australiasoutheast = 'ase'; canadacentral = 'cc'; centralindia = 'cid'; eastus2 = 'eus2'; japaneast = 'jpe'
            northeurope = 'ne'; southcentralus = 'scus'; southeastasia = 'sea'; uksouth = 'uks'; westcentralus = 'wcus'
            westeurope = 'we'; westus2 = 'wus2'; usgovvirginia = 'usge'; usgovarizona = 'phx'; chinaeast2 = 'sha2'
        }
        if ((Get-Workspaces).Count -eq 0) { return 'N:noworkspace' }
        if (-not $Location) { return 'U:nolocation' }
        if (-not $codes.ContainsKey($Location)) { return 'U:unknownlocation' }
        return Get-Reach @($codes[$Location] + '-jobruntimedata-prod-su1.' + (Get-Suffix 'azure-automation.net' 'azure-automation.us' 'azure-automation.cn'))
    }
    'hs' = { return Get-ServiceVerdict 'HealthService' }
    'srw' = {
        $events = Get-Events @{ LogName = 'Microsoft-SMA/Operational'; Id = 15003, 15004 } 1
        if ($null -eq $events) { return 'U:nolog' }
        if ($events.Count -eq 0) { return 'U:noevent' }
        if ($events[0].Id -eq 15003) { return 'P' }
        return 'F:stopped'
    }
    'evt' = {
        $since = [DateTime]::Now.AddHours(-24)
        $events = Get-Events @{ LogName = 'Operations Manager'; ProviderName = 'Health Service Modules'; Id = 4502; StartTime = $since } 50
        if ($null -eq $events) { return 'U:nolog' }
        foreach ($one in $events) {
            $text = [string]$one.Message
            if (-not $text) { return 'U:notext' }
            if ($text -notmatch 'AzureAutomation\.HybridAgent') { continue }
            # The agent writes its own exceptions in English, whatever the language of Windows.
            if ($text -match 'already registered') { return 'F:otheraccount' }
            if ($text -match 'SSL/TLS|secure channel') { return 'F:tls' }
            if ($text -match 'self-signed|certificate') { return 'F:certificate' }
            if ($text -match 'proxy') { return 'F:proxy' }
            return 'F:other'
        }
        return 'P'
    }
    'ws' = {
        $known = @(Get-Workspaces)
        if ($known.Count -eq 0) { return 'F:none' }
        $first = "$($known.Count),$($known[0].Substring(0, 8))"
        if ($known.Count -eq 1) { return "P:$first" }
        $events = Get-Events @{ LogName = 'Operations Manager'; Id = 1210 } 200
        if ($null -eq $events) { return "U:$first" }
        $withUpdates = @($known | Where-Object { $id = $_; @($events | Where-Object { $_.Message -match 'updates;' -and $_.Message -match "AOI-$id" }).Count -gt 0 })
        # None: the log no longer says which of them asks for updates.
        if ($withUpdates.Count -eq 0) { return "U:$first" }
        if ($withUpdates.Count -eq 1) { return "W:$first" }
        return "F:$first"
    }
    'key' = {
        $key = Get-Key 'SOFTWARE/Microsoft/HybridRunbookWorker'
        if ($null -eq $key -or $key.SubKeyCount + $key.ValueCount -eq 0) { return 'F:missing' }
        return "P:$($key.SubKeyCount)"
    }
    'rsa' = {
        $acl = Get-Acl -LiteralPath (Join-Path $env:ProgramData 'Microsoft\Crypto\RSA\MachineKeys')
        # Groups that SYSTEM belongs to, by SID: SYSTEM, Administrators, Authenticated Users, Everyone.
        $ours = 'S-1-5-18', 'S-1-5-32-544', 'S-1-5-11', 'S-1-1-0'
        $modify = [int][System.Security.AccessControl.FileSystemRights]::Modify
        $allowed = 0
        foreach ($entry in $acl.GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])) {
            if ($ours -notcontains $entry.IdentityReference.Value) { continue }
            if ($entry.PropagationFlags -band [System.Security.AccessControl.PropagationFlags]::InheritOnly) { continue }
            $rights = [int]$entry.FileSystemRights
            if ($entry.AccessControlType -eq 'Deny' -and ($rights -band $modify)) { return 'F:denied' }
            # GENERIC_ALL, as some images store it.
            if ($rights -band 0x10000000) { $rights = $modify }
            if ($entry.AccessControlType -eq 'Allow') { $allowed = $allowed -bor $rights }
        }
        if (($allowed -band $modify) -eq $modify) { return 'P' }
        return 'F:rights'
    }
    'tls' = {
        $version = [Environment]::OSVersion.Version
        $enabled = @('Client', 'Server' | ForEach-Object { Get-TlsValue $_ 'Enabled' })
        $disabled = @('Client', 'Server' | ForEach-Object { Get-TlsValue $_ 'DisabledByDefault' })
        if ($version -lt [Version]'6.1.7601') { return 'F:nosupport' }
        if ($enabled -contains 0) { return 'F:disabled' }
        # Windows Server 2008 R2 has TLS 1.2 off until both sides say otherwise.
        if ($version -lt [Version]'6.2.9200') {
            if (@($disabled | Where-Object { $_ -eq 0 -and $null -ne $_ }).Count -eq 2) { return 'P' }
            return 'F:notenabled'
        }
        if (@($disabled | Where-Object { $null -ne $_ -and $_ -ne 0 }).Count -gt 0) { return 'F:disabled' }
        return 'P'
    }
    'str' = {
        $here = 'SOFTWARE/Microsoft/.NETFramework/v4.0.30319', 'SOFTWARE/Wow6432Node/Microsoft/.NETFramework/v4.0.30319'
        $values = @($here | ForEach-Object { Get-Value $_ 'SchUseStrongCrypto' } | Where-Object { $null -ne $_ })
        if ($values -contains 0) { return 'F:off' }
        $release = Get-Value 'SOFTWARE/Microsoft/NET Framework Setup/NDP/v4/Full' 'Release'
        # From 4.6 on it is on for what was built for 4.6; older frameworks have it off.
        if ($values.Count -eq 2 -or ($null -ne $release -and $release -ge 393295)) { return 'P' }
        return 'W:unset'
    }
    'rng' = {
        $value = Get-Value 'SYSTEM/CurrentControlSet/Control/SecurityProviders/SCHANNEL' 'DisableRenegoOnClient'
        if ($null -ne $value -and $value -ne 0) { return 'F:disabled' }
        return 'P'
    }
    'arb' = {
        $at = Get-Value "$policy/AU" 'AlwaysAutoRebootAtScheduledTime'
        $minutes = Get-Value "$policy/AU" 'AlwaysAutoRebootAtScheduledTimeMinutes'
        if ($at -eq 1 -or $null -ne $minutes) { return 'W:set' }
        return 'P'
    }
    'wsu' = {
        $server = [string](Get-Value $policy 'WUServer')
        $status = [string](Get-Value $policy 'WUStatusServer')
        if ((Get-Value "$policy/AU" 'UseWUServer') -ne 1) { if ($server) { return 'W:notused' } return 'P' }
        if (-not $server) { return 'F:noserver' }
        if ($server.TrimEnd('/') -ne $status.TrimEnd('/')) { return 'F:statusserver' }
        return 'W:set'
    }
    'wsr' = {
        if ((Get-Value "$policy/AU" 'UseWUServer') -ne 1) { return 'N' }
        $address = $null
        if (-not [Uri]::TryCreate([string](Get-Value $policy 'WUServer'), [UriKind]::Absolute, [ref]$address)) { return 'F:address' }
        $stage = Get-Stage $address.DnsSafeHost $address.Port ($address.Scheme -eq 'https')
        if ($stage -eq 'ok') { return 'P' }
        return "F:$stage"
    }
    'auo' = {
        $options = Get-Value "$policy/AU" 'AUOptions'
        if ((Get-Value "$policy/AU" 'NoAutoUpdate') -eq 1) { return 'P:off' }
        # Without a policy Windows installs by itself.
        if ($null -eq $options) { return 'W:default' }
        if ($options -eq 4) { return 'W:4' }
        return "P:$options"
    }
    'rbp' = {
        $ours = (Get-Value "$policy/AU" 'NoAutoUpdate') -ne 1 -and (Get-Value "$policy/AU" 'AUOptions') -eq 4
        if ($ours -and (Get-Value "$policy/AU" 'AlwaysAutoRebootAtScheduledTime') -eq 1) { return 'W:scheduled' }
        # Servers rarely have anybody signed in, whom the restart would wait for.
        if ($ours -and (Get-Value "$policy/AU" 'NoAutoRebootWithLoggedOnUsers') -ne 1) { return 'W:nobodysignedin' }
        if ((Get-Value $policy 'SetActiveHours') -eq 1) { return 'W:activehours' }
        return 'P'
    }
    'dom' = {
        if ((Get-CimInstance -ClassName Win32_ComputerSystem).PartOfDomain) { return 'W:joined' }
        return 'P'
    }
    'sig' = {
        # Where Defender is not installed there is no such class; where another product is in charge it is switched off.
        if ($null -eq (Get-Value 'SYSTEM/CurrentControlSet/Services/WinDefend' 'Start')) { return 'N:none' }
        $status = Get-CimInstance -Namespace 'root/Microsoft/Windows/Defender' -ClassName MSFT_MpComputerStatus
        if (-not $status.AMServiceEnabled -or -not $status.AntivirusEnabled) { return 'N:off' }
        $days = [int64]$status.AntivirusSignatureAge
        # A new one comes every day.
        if ($days -gt 3) { return "F:${days}d" }
        return "P:${days}d"
    }
    'kbs' = {
        $found = @(Get-CimInstance -ClassName Win32_QuickFixEngineering | Where-Object { $_.HotFixID -match '^KB[0-9]{6,8}$' })
        $numbers = @($found | ForEach-Object { $_.HotFixID.Substring(2) } | Sort-Object -Unique)
        if ($numbers.Count -gt $mostUpdates) { return "U:$($numbers.Count)" }
        $script:updates = $numbers
        return "P:$($numbers.Count)"
    }
    'htp' = { return Get-Reach @(Get-SignInHost) }
    'prx' = { if (Get-MachineProxy) { return 'W:set' } return 'P' }
    'prs' = {
        $settings = 'S-1-5-18/Software/Microsoft/Windows/CurrentVersion/Internet Settings'
        if ((Get-Value $settings 'ProxyEnable' 'Users') -eq 1 -and (Get-Value $settings 'ProxyServer' 'Users')) { return 'W:set' }
        if (Get-Value $settings 'AutoConfigURL' 'Users') { return 'W:script' }
        return 'P'
    }
    'prm' = {
        if (-not (Test-Service 'HealthService')) { return 'N' }
        $configuration = New-Object -ComObject 'AgentConfigManager.MgmtSvcCfg'
        if ($configuration.proxyUrl) { return 'W:set' }
        return 'P'
    }
    'ims' = {
        if (Test-Arc) { return 'N' }
        $request = [System.Net.WebRequest]::Create('http://169.254.169.254/metadata/instance?api-version=2018-02-01')
        $request.Headers.Add('Metadata', 'true')
        # A proxy would swallow what is meant for this host alone.
        $request.Proxy = $null
        $request.Timeout = 6000
        $answer = $null
        # A refusal is an answer, too; of what never came there is none.
        try { $answer = $request.GetResponse() } catch { $answer = $_.Exception.GetBaseException().Response }
        if ($null -eq $answer) { return 'F:noanswer' }
        $code = [int]$answer.StatusCode
        $answer.Close()
        if ($code -eq 200) { return 'P' }
        return "F:http$code"
    }
    'wus' = {
        if (-not (Test-Service 'wuauserv')) { return 'F:missing' }
        if (Test-Disabled 'wuauserv') { return 'F:disabled' }
        # It starts when it is asked for; that it stands still is no fault.
        return 'P'
    }
    'ods' = { return Get-WorkspaceReach 'ods' (Get-Suffix 'opinsights.azure.com' 'opinsights.azure.us' 'opinsights.azure.cn') }
    'oms' = { return Get-WorkspaceReach 'oms' (Get-Suffix 'opinsights.azure.com' 'opinsights.azure.us' 'opinsights.azure.cn') }
    'rda' = { if (Test-Arc) { return 'N' } return Get-ServiceVerdict 'RdAgent' }
    'gua' = { if (Test-Arc) { return 'N' } return Get-ServiceVerdict 'WindowsAzureGuestAgent' }
    'wir' = {
        if (Test-Arc) { return 'N' }
        $closed = @(80, 32526 | Where-Object { (Get-Stage '168.63.129.16' $_ $false) -ne 'ok' })
        if ($closed.Count -eq 0) { return 'P' }
        return 'F:' + ($closed -join ',')
    }
    'pex' = { if (Test-Arc) { return 'N' } return Get-ExtensionVerdict 'Packages\Plugins\Microsoft.CPlat.Core.WindowsPatchExtension' }
    'wue' = {
        if ((Get-Value "$policy/AU" 'UseWUServer') -eq 1) { return 'N:wsus' }
        return Get-Reach @('fe2.update.microsoft.com', 'slscr.update.microsoft.com', 'download.microsoft.com', 'go.microsoft.com')
    }
    'wud' = {
        if ((Get-Value "$policy/AU" 'UseWUServer') -eq 1) { return 'N:wsus' }
        # Updates themselves come over plain HTTP; they are signed.
        foreach ($name in 'download.windowsupdate.com', 'dl.delivery.mp.microsoft.com') {
            $stage = Get-Stage $name 80 $false
            if ($stage -eq 'ok') { continue }
            if (Get-MachineProxy) { return 'U:proxy' }
            return "F:$stage"
        }
        return 'P'
    }
    'mu' = {
        $id = '7971f918-a847-4430-9279-4a52d1efe18d'
        $services = (New-Object -ComObject 'Microsoft.Update.ServiceManager').Services
        $known = $false
        foreach ($one in $services) { if ([string]$one.ServiceID -eq $id) { $known = $true } }
        if (-not $known) { return 'W:unregistered' }
        if ((Get-Value "SOFTWARE/Microsoft/Windows/CurrentVersion/WindowsUpdate/Services/$id" 'RegisteredWithAU') -ne 1) { return 'W:disabled' }
        return 'P'
    }
    'arc' = {
        if (-not (Test-Arc)) { return 'N' }
        foreach ($name in 'himds', 'ExtensionService', 'GCArcService') {
            $verdict = Get-ServiceVerdict $name
            if ($verdict -ne 'P') { return "F:$name," + $verdict.Substring(2) }
        }
        return 'P'
    }
    'arx' = { if (-not (Test-Arc)) { return 'N' } return Get-ExtensionVerdict 'Packages\Plugins\Microsoft.SoftwareUpdateManagement.WindowsOsUpdateExtension' }
    'are' = {
        if (-not (Test-Arc)) { return 'N' }
        $guest = Get-Suffix 'agentserviceapi.guestconfiguration.azure.com' 'agentserviceapi.guestconfiguration.azure.us' 'agentserviceapi.guestconfiguration.azure.cn'
        $identity = Get-Suffix 'gbl.his.arc.azure.com' 'gbl.his.arc.azure.us' 'gbl.his.arc.azure.cn'
        $management = Get-Suffix 'management.azure.com' 'management.usgovcloudapi.net' 'management.chinacloudapi.cn'
        return Get-Reach @((Get-SignInHost), $guest, $identity, $management)
    }
    'dsk' = {
        $drive = New-Object System.IO.DriveInfo -ArgumentList $env:SystemDrive
        $megabytes = [Math]::Floor($drive.AvailableFreeSpace / 1048576)
        # A cumulative update unpacks to several gigabytes.
        if ($megabytes -lt 2048) { return "F:${megabytes}MB" }
        if ($megabytes -lt 8192) { return "W:${megabytes}MB" }
        return "P:${megabytes}MB"
    }
    'clk' = {
        # As SYSTEM has it, through the machine's proxy; five minutes break a sign-in.
        [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.SecurityProtocolType]'Tls12'
        $request = [System.Net.WebRequest]::Create('https://' + (Get-SignInHost) + '/')
        $request.Method = 'HEAD'
        $request.Timeout = 8000
        $answer = $null
        try { $answer = $request.GetResponse() } catch { $answer = $_.Exception.GetBaseException().Response }
        if ($null -eq $answer) { return 'U:noanswer' }
        $text = $answer.Headers['Date']
        $answer.Close()
        $theirs = [DateTimeOffset]::Parse($text, [Globalization.CultureInfo]::InvariantCulture)
        $skew = [Math]::Round([Math]::Abs(([DateTimeOffset]::UtcNow - $theirs).TotalSeconds))
        if ($skew -ge 300) { return "F:${skew}s" }
        if ($skew -ge 60) { return "W:${skew}s" }
        return "P:${skew}s"
    }
}

$lines = ''
foreach ($code in $rules.Keys) {
    # A rule that breaks is itself unknown, and takes no other along.
    $look = $rules[$code]
    try { $said = @(& $look)[-1] } catch { $said = 'U:' + (Get-Short ($_.Exception.GetType().Name)) }
    if ($said -cnotmatch '^[PWFNU](:[A-Za-z0-9._,+-]{0,40})?$') { $said = 'U:broke' }
    $lines += "${code}:$said`n"
}
$count = $rules.Count
for ($first = 0; $first -lt $updates.Count; $first += 6) {
    $last = [Math]::Min($first + 5, $updates.Count - 1)
    $lines += '+' + ($updates[$first..$last] -join ',') + "`n"
    $count++
}
# Adler-32 of the lines, as eight hexadecimal digits.
$a = 1
$b = 0
foreach ($byte in [Text.Encoding]::ASCII.GetBytes($lines)) {
    $a = ($a + $byte) % 65521
    $b = ($b + $a) % 65521
}
Write-Output ("patchwright-diagnosis 1 windows`n" + $lines + ('patchwright-end {0} {1:x4}{2:x4}' -f $count, $b, $a))
