metadata description = 'The function app on a Flex Consumption plan: Python 3.13, no instance kept ready, every setting by name.'

import { Settings } from '../generated/settings.bicep'
import { ResourceId, Scale, SecureWebhook, SubscriptionId, Tags } from '../types.bicep'
import { Identity } from 'identities.bicep'

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param name string

@description('Region.')
@minLength(1)
param location string

@description('Settings that differ from their defaults.')
param settings Settings

@description('Resource id of the Automation account.')
param automationAccountId ResourceId

@description('Resource id of the workspace.')
param workspaceId ResourceId

@description('Subscriptions that are watched.')
@minLength(1)
param subscriptions SubscriptionId[]

@description('The identity that reads, and that opens the app\'s own storage.')
param reader Identity

@description('The identity that the one door for writes uses.')
param writer Identity

@description('The identity that looks into machines.')
param prober Identity

@description('Name of the storage account.')
@minLength(3)
@maxLength(24)
param storageName string

@description('Address of the container for packages.')
@minLength(1)
param packages string

@description('Connection string of Application Insights.')
@minLength(1)
param connectionString string

@description('Resource id of the subnet that the app sends from; null for none.')
param subnetId string?

@description('The Entra application that alerts authenticate with; null for the function key alone.')
param secureWebhook SecureWebhook?

@description('How far the app may scale out.')
param scale Scale

@description('Tags for every resource.')
param tags Tags

var clouds = {
  AzureCloud: 'public'
  AzureUSGovernment: 'usgovernment'
  AzureChinaCloud: 'china'
}
var defaults = loadJsonContent('../generated/settings.json')

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${name}'
  location: location
  kind: 'functionapp'
  tags: tags
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  kind: 'functionapp,linux'
  // `azd deploy` looks for the app by this tag.
  tags: union(tags, { 'azd-service-name': 'app' })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${reader.id}': {}
      '${writer.id}': {}
      '${prober.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: subnetId
    functionAppConfig: {
      runtime: {
        name: 'python'
        version: '3.13'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packages
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: reader.id
          }
        }
      }
      scaleAndConcurrency: {
        alwaysReady: []
        instanceMemoryMB: scale.instanceMemoryMB
        maximumInstanceCount: scale.maximumInstanceCount
      }
    }
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
    }
  }

  resource values 'config' = {
    name: 'appsettings'
    properties: union(defaults, settings, {
      PATCHWRIGHT_AUTOMATION_ACCOUNTS: automationAccountId
      PATCHWRIGHT_CLOUD: clouds[environment().name]
      PATCHWRIGHT_LEDGER: account.properties.primaryEndpoints.table
      PATCHWRIGHT_PROBER_CLIENT_ID: prober.clientId
      PATCHWRIGHT_READER_CLIENT_ID: reader.clientId
      PATCHWRIGHT_SUBSCRIPTIONS: join(subscriptions, ',')
      PATCHWRIGHT_WORKSPACES: workspaceId
      PATCHWRIGHT_WRITER_CLIENT_ID: writer.clientId
      // The host's own: storage and logs, both by identity.
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${reader.clientId};Authorization=AAD'
      APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
      AzureWebJobsStorage__accountName: account.name
      AzureWebJobsStorage__clientId: reader.clientId
      AzureWebJobsStorage__credential: 'managedidentity'
      // A hub of this app's own, even where somebody points two apps at one account.
      AzureFunctionsJobHost__extensions__durableTask__hubName: 'Patchwright${uniqueString(name)}'
    })
  }

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }

  resource authentication 'config' = if (secureWebhook != null) {
    name: 'authsettingsV2'
    properties: {
      platform: {
        enabled: true
      }
      globalValidation: {
        requireAuthentication: true
        unauthenticatedClientAction: 'Return401'
        // A smoke test has no token; what it is told there is no secret.
        excludedPaths: ['/api/health']
      }
      identityProviders: {
        azureActiveDirectory: {
          enabled: true
          registration: {
            clientId: secureWebhook.?clientId
            openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          }
          validation: {
            allowedAudiences: [secureWebhook.?identifierUri ?? '']
          }
        }
      }
    }
  }
}

@description('Name of the app.')
output name string = app.name

@description('Where it answers.')
output url string = 'https://${app.properties.defaultHostName}'
