metadata description = 'Who may do what in one subscription: all identities that do anything read; the prober and the writer do more where that is allowed.'

targetScope = 'subscription'

@description('Name (a GUID) of the role that reads.')
@minLength(36)
@maxLength(36)
param readerRole string

@description('Name (a GUID) of the role that writes.')
@minLength(36)
@maxLength(36)
param writerRole string

@description('Name (a GUID) of the role that looks into machines.')
@minLength(36)
@maxLength(36)
param proberRole string

@description('Principal id of the identity that reads.')
@minLength(36)
@maxLength(36)
param reader string

@description('Principal id of the identity that writes.')
@minLength(36)
@maxLength(36)
param writer string

@description('Principal id of the identity that looks into machines.')
@minLength(36)
@maxLength(36)
param prober string

@description('Whether the writer may write.')
param writes bool

@description('Whether the prober may look into machines.')
param probes bool

resource readerReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, reader, readerRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', readerRole)
    principalId: reader
    principalType: 'ServicePrincipal'
  }
}

// Before it writes it looks once more, as itself.
resource writerReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (writes) {
  name: guid(subscription().id, writer, readerRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', readerRole)
    principalId: writer
    principalType: 'ServicePrincipal'
  }
}

resource writerWrites 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (writes) {
  name: guid(subscription().id, writer, writerRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', writerRole)
    principalId: writer
    principalType: 'ServicePrincipal'
  }
}

resource proberReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (probes) {
  name: guid(subscription().id, prober, readerRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', readerRole)
    principalId: prober
    principalType: 'ServicePrincipal'
  }
}

resource proberProbes 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (probes) {
  name: guid(subscription().id, prober, proberRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', proberRole)
    principalId: prober
    principalType: 'ServicePrincipal'
  }
}
