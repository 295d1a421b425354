metadata description = 'Where the app\'s own logs go; they are kept apart from the estate\'s.'

import { Tags } from '../types.bicep'

@description('Name of this deployment.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Region.')
@minLength(1)
param location string

@description('Principal id of the identity that sends.')
@minLength(36)
@maxLength(36)
param publisher string

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param retentionDays int

@description('Tags for every resource.')
param tags Tags

var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-patchwright-${environmentName}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    // A sweep logs a line a stage; more than this is a fault, and shall not become a bill.
    workspaceCapping: {
      dailyQuotaGb: 1
    }
    features: {
      disableLocalAuth: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-patchwright-${environmentName}'
  location: location
  kind: 'web'
  tags: tags
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
    DisableLocalAuth: true
  }
}

resource publishing 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, publisher, monitoringMetricsPublisher)
  scope: insights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
    principalId: publisher
    principalType: 'ServicePrincipal'
  }
}

@description('Where to send to; no secret, because keys are not accepted.')
output connectionString string = insights.properties.ConnectionString
