"""The log tables and their columns, as Azure Monitor publishes them, with `SourceComputerId`, which it does not."""

from __future__ import annotations

from typing import Final

type Schema = dict[str, str]
"""Column to Log Analytics type, in the order of the published reference."""

COMMON: Final[Schema] = {
    "TenantId": "string",
    "Type": "string",
    "_ResourceId": "string",
    "_SubscriptionId": "string",
    "_IsBillable": "string",
    "_BilledSize": "real",
}
"""What every table has."""

DUCKDB_TYPES: Final = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
}


def _schema(text: str) -> Schema:
    """`type: column column …` a line; columns of every table at the end."""
    columns: Schema = {}
    for line in text.strip().splitlines():
        kind, names = line.strip().split(": ", 1)
        columns |= dict.fromkeys(names.split(), kind)
    return columns | COMMON


_RESOURCE: Final = "Resource ResourceGroup ResourceId ResourceProvider ResourceType SubscriptionId"

SCHEMAS: Final[dict[str, Schema]] = {
    "Heartbeat": _schema(f"""
        datetime: TimeGenerated
        string: SourceComputerId Computer ComputerIP Category OSType OSName OSMajorVersion OSMinorVersion Version
        string: SCAgentChannel
        bool: IsGatewayInstalled
        string: RemoteIPCountry
        real: RemoteIPLatitude RemoteIPLongitude
        string: Solutions SourceSystem ComputerEnvironment ManagementGroupName VMUUID {_RESOURCE}
        dynamic: ComputerPrivateIPs
        """),
    "Update": _schema(f"""
        datetime: TimeGenerated PublishedDate
        string: ApprovalSource BulletinID BulletinUrl Classification Computer ComputerEnvironment CVENumbers KBID
        string: ManagementGroupName MSRCBulletinID MSRCSeverity OSFullName OSName OSType OSVersion PackageRepository
        string: PackageSeverity Product ProductArch ProductVersion RebootBehavior RevisionNumber SourceComputerId
        string: SourceSystem Title UpdateID UpdateState VMUUID {_RESOURCE}
        bool: Approved Optional InstallTimeAvailable
        real: InstallTimeDeviationRangeSeconds InstallTimePredictionSeconds
        """),
    "UpdateSummary": _schema(f"""
        datetime: TimeGenerated
        string: Computer ComputerEnvironment ManagementGroupName NETRuntimeVersion OldestMissingSecurityUpdateBucket
        string: OsVersion SourceComputerId SourceSystem VMUUID WindowsUpdateAgentVersion WindowsUpdateSetting WSUSServer
        string: {_RESOURCE}
        int: CriticalUpdatesMissing OldestMissingSecurityUpdateInDays OtherUpdatesMissing SecurityUpdatesMissing
        int: TotalUpdatesMissing
        bool: RestartPending
        """),
    "UpdateRunProgress": _schema(f"""
        datetime: TimeGenerated StartTime EndTime
        string: Computer ComputerEnvironment CorrelationId ErrorResult InstallationStatus KBID ManagementGroupName
        string: OSType Product SourceComputerId SourceSystem Title UpdateId UpdateRunName VMUUID {_RESOURCE}
        bool: SucceededOnRetry
        """),
    "Operation": _schema("""
        datetime: TimeGenerated
        string: Computer CorrelationId Detail ErrorId HelpLink ManagementGroupName OperationCategory OperationKey
        string: OperationStatus Solution SourceComputerId SourceSystem
        """),
    "Usage": _schema("""
        datetime: TimeGenerated StartTime EndTime
        real: AvgLatencyInSeconds Quantity
        long: BatchesCapped BatchesOutsideSla BatchesWithinSla TotalBatches
        string: Computer LinkedMeterId LinkedResourceUri DataType MeterId QuantityUnit ResourceUri Solution Plan
        bool: IsBillable
        """),
    "ConfigurationData": _schema("""
        datetime: TimeGenerated DateCreated DateModified
        string: Acls Architecture Attributes Computer ConfigDataType CurrentVersion FileContentChecksum FileSystemPath
        string: Hive Location ManagementGroupName Name Publisher RegistryKey SoftwareDescription SoftwareName
        string: SoftwareType SourceComputerId SourceSystem SvcAccount SvcController SvcDescription SvcDisplayName
        string: SvcName SvcPath SvcRunlevels SvcStartupType SvcState ValueData ValueName ValueType VMUUID
        long: Size
        """),
    "Event": _schema("""
        datetime: TimeGenerated
        string: AzureDeploymentID Computer EventData EventLevelName EventLog ManagementGroupName Message ParameterXml
        string: RenderedDescription Role Source SourceSystem UserName
        int: EventCategory EventID EventLevel
        """),
}
