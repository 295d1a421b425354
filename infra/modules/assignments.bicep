metadata description = 'Who may do what in one subscription: both identities read, and the writer writes where that is allowed.'

targetScope = 'subscription'

@description('Name (a GUID) of the role that reads.')
@minLength(36)
@maxLength(36)
param readerRole string

@description('Name (a GUID) of the role that writes.')
@minLength(36)
@maxLength(36)
param writerRole string

@description('Principal id of the identity that reads.')
@minLength(36)
@maxLength(36)
param reader string

@description('Principal id of the identity that writes.')
@minLength(36)
@maxLength(36)
param writer string

@description('Whether the writer may write.')
param writes bool

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
