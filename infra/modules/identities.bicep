metadata description = 'Who the app is: one identity that reads, one that only looks into machines, one that only the door for writes uses.'

import { Tags } from '../types.bicep'

@description('Name of this deployment.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Region.')
@minLength(1)
param location string

@description('Tags for every resource.')
param tags Tags

resource reader 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-patchwright-${environmentName}-reader'
  location: location
  tags: tags
}

resource writer 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-patchwright-${environmentName}-writer'
  location: location
  tags: tags
}

resource prober 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-patchwright-${environmentName}-prober'
  location: location
  tags: tags
}

@export()
@description('An identity, as the other modules take it.')
type Identity = {
  @description('Resource id.')
  id: string

  @description('What the app asks for tokens with.')
  clientId: string

  @description('What roles are assigned to.')
  principalId: string
}

@description('The identity that reads.')
output reader Identity = {
  id: reader.id
  clientId: reader.properties.clientId
  principalId: reader.properties.principalId
}

@description('The identity that writes.')
output writer Identity = {
  id: writer.id
  clientId: writer.properties.clientId
  principalId: writer.properties.principalId
}

@description('The identity that looks into machines.')
output prober Identity = {
  id: prober.id
  clientId: prober.properties.clientId
  principalId: prober.properties.principalId
}
