metadata description = 'Private addresses for the three services of the storage account that the app uses.'

import { Tags } from '../types.bicep'

@description('Name of this deployment.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Region.')
@minLength(1)
param location string

@description('Resource id of the storage account.')
@minLength(1)
param storageId string

@description('Resource id of the virtual network.')
@minLength(1)
param networkId string

@description('Resource id of the subnet for the endpoints.')
@minLength(1)
param subnetId string

@description('Tags for every resource.')
param tags Tags

var services = ['blob', 'queue', 'table']

resource zones 'Microsoft.Network/privateDnsZones@2020-06-01' = [
  for service in services: {
    name: 'privatelink.${service}.${environment().suffixes.storage}'
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [
  for (service, index) in services: {
    parent: zones[index]
    name: 'patchwright-${environmentName}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: networkId
      }
    }
  }
]

resource endpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [
  for service in services: {
    name: 'pe-patchwright-${environmentName}-${service}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: service
          properties: {
            privateLinkServiceId: storageId
            groupIds: [service]
          }
        }
      ]
    }
  }
]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [
  for (service, index) in services: {
    parent: endpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: service
          properties: {
            privateDnsZoneId: zones[index].id
          }
        }
      ]
    }
  }
]
