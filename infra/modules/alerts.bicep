metadata description = 'Log alerts that watch between two sweeps, with the detectors\' own queries, and the action group that calls the app.'

import { ResourceId, SecureWebhook, Tags } from '../types.bicep'

@description('Name of this deployment.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Name of the function app.')
@minLength(2)
@maxLength(60)
param appName string

@description('Resource id of the workspace that is asked.')
param workspaceId ResourceId

@description('Its region, where rules about it have to be.')
@minLength(1)
param workspaceLocation string

@description('The Entra application that alerts authenticate with; null for the function key alone.')
param secureWebhook SecureWebhook?

@description('Tags for every resource.')
param tags Tags

// Which states, how often, how grave: `detectors/alerting.py` says so, `make docs` writes it down.
var rules = loadJsonContent('../generated/alert-rules.json')
var queries = {
  'cloned-machine': loadTextContent('../../detectors/cloned-machine.kql')
  'duplicate-computer-name': loadTextContent('../../detectors/duplicate-computer-name.kql')
  'machines-dont-install': loadTextContent('../../detectors/machines-dont-install.kql')
  'no-heartbeat': loadTextContent('../../detectors/no-heartbeat.kql')
  'not-assessed': loadTextContent('../../detectors/not-assessed.kql')
  'registration-blocked': loadTextContent('../../detectors/registration-blocked.kql')
  'scope-excluded': loadTextContent('../../detectors/scope-excluded.kql')
  'source-id-changed': loadTextContent('../../detectors/source-id-changed.kql')
  'update-agent-error': loadTextContent('../../detectors/update-agent-error.kql')
}

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-patchwright-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'patchwright'
    webhookReceivers: [
      {
        name: 'patchwright'
        serviceUri: 'https://${app.properties.defaultHostName}/api/alerts?code=${listKeys('${app.id}/host/default', app.apiVersion).functionKeys.default}'
        useCommonAlertSchema: true
        useAadAuth: secureWebhook != null
        objectId: secureWebhook.?objectId
        identifierUri: secureWebhook.?identifierUri
        tenantId: secureWebhook == null ? null : tenant().tenantId
      }
    ]
  }
}

resource watching 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'patchwright-${environmentName}-${rule.state}'
    location: workspaceLocation
    kind: 'LogAlert'
    tags: tags
    properties: {
      displayName: 'patchwright-${environmentName}-${rule.state}'
      description: rule.description
      enabled: true
      severity: rule.severity
      scopes: [workspaceId]
      evaluationFrequency: rule.every
      // The longest that Azure lets an alert look back.
      windowSize: 'P2D'
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: queries[rule.query]
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: rule.dimensions
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [group.id]
        // What `triggers/alert_schema.py` reads: the sweep looks for this state and no other.
        customProperties: {
          'patchwright.state': rule.state
        }
      }
    }
  }
]
