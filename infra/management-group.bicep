metadata description = 'The roles and their assignments for everything below a management group, in the place of subscription by subscription.'

targetScope = 'managementGroup'

@description('Name of the deployment that made the identities.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('PATCHWRIGHT_READER_PRINCIPAL_ID of that deployment.')
@minLength(36)
@maxLength(36)
param readerPrincipalId string

@description('PATCHWRIGHT_WRITER_PRINCIPAL_ID of that deployment.')
@minLength(36)
@maxLength(36)
param writerPrincipalId string

@description('PATCHWRIGHT_PROBER_PRINCIPAL_ID of that deployment.')
@minLength(36)
@maxLength(36)
param proberPrincipalId string

@description('Whether the writer gets its role.')
param allowWrites bool = false

@description('Whether the prober gets its role.')
param allowProbes bool = false

var reading = loadJsonContent('generated/reader-role.json')
var writing = loadJsonContent('generated/writer-role.json')
var probing = loadJsonContent('generated/prober-role.json')

resource reader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(managementGroup().id, environmentName, 'reader')
  properties: {
    roleName: '${reading.name} (${environmentName})'
    description: reading.description
    type: 'customRole'
    assignableScopes: [managementGroup().id]
    permissions: [
      {
        actions: reading.actions
      }
    ]
  }
}

resource writer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(managementGroup().id, environmentName, 'writer')
  properties: {
    roleName: '${writing.name} (${environmentName})'
    description: writing.description
    type: 'customRole'
    assignableScopes: [managementGroup().id]
    permissions: [
      {
        actions: writing.actions
      }
    ]
  }
}

resource readerReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(managementGroup().id, readerPrincipalId, 'reader')
  properties: {
    roleDefinitionId: reader.id
    principalId: readerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// Before it writes it looks once more, as itself.
resource writerReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (allowWrites) {
  name: guid(managementGroup().id, writerPrincipalId, 'reader')
  properties: {
    roleDefinitionId: reader.id
    principalId: writerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource writerWrites 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (allowWrites) {
  name: guid(managementGroup().id, writerPrincipalId, 'writer')
  properties: {
    roleDefinitionId: writer.id
    principalId: writerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource prober 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(managementGroup().id, environmentName, 'prober')
  properties: {
    roleName: '${probing.name} (${environmentName})'
    description: probing.description
    type: 'customRole'
    assignableScopes: [managementGroup().id]
    permissions: [
      {
        actions: probing.actions
      }
    ]
  }
}

resource proberReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (allowProbes) {
  name: guid(managementGroup().id, proberPrincipalId, 'reader')
  properties: {
    roleDefinitionId: reader.id
    principalId: proberPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource proberProbes 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (allowProbes) {
  name: guid(managementGroup().id, proberPrincipalId, 'prober')
  properties: {
    roleDefinitionId: prober.id
    principalId: proberPrincipalId
    principalType: 'ServicePrincipal'
  }
}
