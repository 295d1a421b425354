metadata description = 'The three roles, action by action as the code declares them: `make docs` writes the lists, a test compares them.'

targetScope = 'subscription'

import { SubscriptionId } from '../types.bicep'

@description('Name of this deployment: a role\'s name is unique in a tenant.')
@minLength(1)
@maxLength(32)
param environmentName string

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

@description('Where the roles can be assigned.')
@minLength(1)
param assignableSubscriptions SubscriptionId[]

var reading = loadJsonContent('../generated/reader-role.json')
var writing = loadJsonContent('../generated/writer-role.json')
var probing = loadJsonContent('../generated/prober-role.json')
var scopes = [for id in assignableSubscriptions: '/subscriptions/${id}']

resource reader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: readerRole
  properties: {
    roleName: '${reading.name} (${environmentName})'
    description: reading.description
    type: 'customRole'
    assignableScopes: scopes
    permissions: [
      {
        actions: reading.actions
      }
    ]
  }
}

resource writer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: writerRole
  properties: {
    roleName: '${writing.name} (${environmentName})'
    description: writing.description
    type: 'customRole'
    assignableScopes: scopes
    permissions: [
      {
        actions: writing.actions
      }
    ]
  }
}

resource prober 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: proberRole
  properties: {
    roleName: '${probing.name} (${environmentName})'
    description: probing.description
    type: 'customRole'
    assignableScopes: scopes
    permissions: [
      {
        actions: probing.actions
      }
    ]
  }
}
