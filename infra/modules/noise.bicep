metadata description = 'Keeps alerts from calling the app where a call would be for nothing.'

import { QuietHours, ResourceId, Tags } from '../types.bicep'

@description('Name of this deployment.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Resource id of the workspace that the alerts are about.')
param workspaceId ResourceId

@description('When alerts are kept from calling; null for never.')
param quietHours QuietHours?

@description('Tags for every resource.')
param tags Tags

var ours = {
  field: 'AlertRuleName'
  operator: 'Contains'
  values: ['patchwright-${environmentName}-']
}

resource resolved 'Microsoft.AlertsManagement/actionRules@2021-08-08' = {
  name: 'patchwright-${environmentName}-resolved'
  location: 'global'
  tags: tags
  properties: {
    description: 'An alert that is over needs no sweep.'
    enabled: true
    scopes: [workspaceId]
    conditions: [
      ours
      {
        field: 'MonitorCondition'
        operator: 'Equals'
        values: ['Resolved']
      }
    ]
    actions: [
      {
        actionType: 'RemoveAllActionGroups'
      }
    ]
  }
}

resource quiet 'Microsoft.AlertsManagement/actionRules@2021-08-08' = if (quietHours != null) {
  name: 'patchwright-${environmentName}-quiet'
  location: 'global'
  tags: tags
  properties: {
    description: 'While many machines restart anyway, alerts wait for the nightly sweep.'
    enabled: true
    scopes: [workspaceId]
    conditions: [ours]
    schedule: {
      timeZone: quietHours.?timeZone ?? 'UTC'
      recurrences: [
        {
          recurrenceType: 'Weekly'
          daysOfWeek: quietHours.?days ?? []
          startTime: quietHours.?from ?? '00:00:00'
          endTime: quietHours.?to ?? '00:00:01'
        }
      ]
    }
    actions: [
      {
        actionType: 'RemoveAllActionGroups'
      }
    ]
  }
}
