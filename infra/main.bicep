metadata description = 'Patchwright in a resource group of its own, its roles, and the alerts that call it.'

targetScope = 'subscription'

import { Settings } from 'generated/settings.bicep'
import { Grants, PrivateNetwork, QuietHours, ResourceId, Scale, SecureWebhook, SubscriptionId, Tags } from 'types.bicep'

@description('Name of this deployment: part of the names of all that it makes.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Region of the app and of what it keeps.')
@minLength(1)
@maxLength(40)
@metadata({ azd: { type: 'location' } })
param location string

@description('Resource id of the Automation account whose Update Management is watched.')
param automationAccountId ResourceId

@description('Resource id of the Log Analytics workspace that is linked to that account.')
param workspaceId ResourceId

@description('Subscriptions whose machines are watched; nothing outside them is ever changed.')
@minLength(1)
@maxLength(100)
param subscriptions SubscriptionId[] = [subscription().subscriptionId]

@description('Settings that differ from their defaults; docs/settings.md has them all. Without any the app only looks.')
param settings Settings = {}

@description('Whether the writer gets its role. Without it nothing can be changed in Azure, whatever the settings say.')
param allowWrites bool = false

@description('Whether the prober gets its role, which PATCHWRIGHT_PROBE needs: a script that only reads is sent into suspects.')
param allowProbes bool = false

@description('A second app to try a version with: it observes, gets no right to write, and no alert calls it.')
param candidate bool = false

@description('Whether roles are assigned here, subscription by subscription, or at a management group.')
param grants Grants = 'subscriptions'

@description('Whether log alerts watch for failures between two sweeps and call the app.')
param alerts bool = true

@description('When alerts are kept from calling the app; null for never.')
param quietHours QuietHours?

@description('A virtual network for the app and its storage; null to let both be reached over public addresses.')
param privateNetwork PrivateNetwork?

@description('The Entra application that alerts authenticate with; null for the function key alone.')
param secureWebhook SecureWebhook?

@description('How far the app may scale out.')
param scale Scale = {
  maximumInstanceCount: 40
  instanceMemoryMB: 2048
}

@description('Days for which the app\'s own logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Name of the resource group; empty for one made from the name of this deployment.')
@maxLength(90)
param resourceGroupName string = ''

@description('Tags for every resource.')
param tags Tags = {}

var allTags = union(tags, { 'azd-env-name': environmentName })
var account = split(automationAccountId, '/')
var workspace = split(workspaceId, '/')
// What lies outside the watched subscriptions is read there, too.
var scopes = union(map(subscriptions, id => toLower(id)), [toLower(account[2]), toLower(workspace[2])])
var names = {
  reader: guid(subscription().id, environmentName, 'reader')
  writer: guid(subscription().id, environmentName, 'writer')
  prober: guid(subscription().id, environmentName, 'prober')
  // Storage accounts share one namespace with the whole world.
  storage: 'stpw${uniqueString(subscription().id, environmentName)}'
  app: 'func-patchwright-${environmentName}-${take(uniqueString(subscription().id, environmentName), 5)}'
}
var writes = allowWrites && !candidate

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: empty(resourceGroupName) ? 'rg-patchwright-${environmentName}' : resourceGroupName
  location: location
  tags: allTags
}

module identities 'modules/identities.bicep' = {
  name: 'patchwright-${environmentName}-identities'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
  }
}

module roles 'modules/roles.bicep' = if (grants == 'subscriptions') {
  name: 'patchwright-${environmentName}-roles'
  params: {
    environmentName: environmentName
    readerRole: names.reader
    writerRole: names.writer
    proberRole: names.prober
    assignableSubscriptions: scopes
  }
}

module assignments 'modules/assignments.bicep' = [
  for id in scopes: if (grants == 'subscriptions') {
    name: 'patchwright-${environmentName}-assignments'
    scope: subscription(id)
    params: {
      readerRole: names.reader
      writerRole: names.writer
      proberRole: names.prober
      reader: identities.outputs.reader.principalId
      writer: identities.outputs.writer.principalId
      prober: identities.outputs.prober.principalId
      writes: writes
      probes: allowProbes && !candidate
    }
    dependsOn: [roles]
  }
]

module monitoring 'modules/monitoring.bicep' = {
  name: 'patchwright-${environmentName}-monitoring'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    publisher: identities.outputs.reader.principalId
    retentionDays: logRetentionDays
    tags: allTags
  }
}

module network 'modules/network.bicep' = if (privateNetwork != null) {
  name: 'patchwright-${environmentName}-network'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    addressPrefix: privateNetwork.?addressPrefix ?? ''
    tags: allTags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'patchwright-${environmentName}-storage'
  scope: group
  params: {
    name: names.storage
    location: location
    owner: identities.outputs.reader.principalId
    publiclyReachable: privateNetwork == null
    tags: allTags
  }
}

module endpoints 'modules/endpoints.bicep' = if (privateNetwork != null) {
  name: 'patchwright-${environmentName}-endpoints'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    storageId: storage.outputs.id
    networkId: network.?outputs.?networkId ?? ''
    subnetId: network.?outputs.?endpointsSubnetId ?? ''
    tags: allTags
  }
}

module app 'modules/function-app.bicep' = {
  name: 'patchwright-${environmentName}-app'
  scope: group
  params: {
    name: names.app
    location: location
    settings: candidate ? union(settings, { DRY_RUN: 'true', PATCHWRIGHT_MODES: '' }) : settings
    automationAccountId: automationAccountId
    workspaceId: workspaceId
    subscriptions: subscriptions
    reader: identities.outputs.reader
    writer: identities.outputs.writer
    prober: identities.outputs.prober
    storageName: storage.outputs.name
    packages: storage.outputs.packages
    connectionString: monitoring.outputs.connectionString
    subnetId: network.?outputs.?appSubnetId
    secureWebhook: secureWebhook
    scale: scale
    tags: allTags
  }
  dependsOn: [endpoints]
}

// A rule has to be in the region of the workspace that it asks.
module asked 'modules/workspace.bicep' = {
  name: 'patchwright-${environmentName}-workspace'
  scope: resourceGroup(workspace[2], workspace[4])
  params: {
    name: last(workspace)
  }
}

module alerting 'modules/alerts.bicep' = if (alerts && !candidate) {
  name: 'patchwright-${environmentName}-alerts'
  scope: group
  params: {
    environmentName: environmentName
    appName: app.outputs.name
    workspaceId: workspaceId
    workspaceLocation: asked.outputs.location
    secureWebhook: secureWebhook
    tags: allTags
  }
}

// Such a rule has to be in the subscription of what the alerts are about.
module noise 'modules/noise.bicep' = if (alerts && !candidate) {
  name: 'patchwright-${environmentName}-noise'
  scope: resourceGroup(workspace[2], workspace[4])
  params: {
    environmentName: environmentName
    workspaceId: workspaceId
    quietHours: quietHours
    tags: allTags
  }
}

@description('Where the app answers.')
output PATCHWRIGHT_URL string = app.outputs.url

@description('Name of the function app.')
output PATCHWRIGHT_APP string = app.outputs.name

@description('The resource group that holds the app.')
output PATCHWRIGHT_RESOURCE_GROUP string = group.name

@description('Principal id of the identity that reads: management-group.bicep wants it.')
output PATCHWRIGHT_READER_PRINCIPAL_ID string = identities.outputs.reader.principalId

@description('Principal id of the identity that writes: management-group.bicep wants it.')
output PATCHWRIGHT_WRITER_PRINCIPAL_ID string = identities.outputs.writer.principalId

@description('Principal id of the identity that looks into machines: management-group.bicep wants it.')
output PATCHWRIGHT_PROBER_PRINCIPAL_ID string = identities.outputs.prober.principalId

@description('The storage account: the ledger is in its tables.')
output PATCHWRIGHT_STORAGE string = storage.outputs.name
