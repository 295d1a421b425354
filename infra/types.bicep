metadata description = 'What the templates take, as types: a value that does not fit is refused with its name before anything is deployed.'

@export()
@description('A subscription GUID.')
@minLength(36)
@maxLength(36)
type SubscriptionId = string

@export()
@description('A resource id in full, beginning with /subscriptions/.')
@minLength(75)
@maxLength(400)
type ResourceId = string

@export()
@description('Tags for every resource that can bear them.')
type Tags = {
  @description('Any name and its value.')
  *: string
}

@export()
@description('When no alert calls the app; what it would have looked at is looked at by the next nightly sweep.')
@sealed()
type QuietHours = {
  @description('The days on which the quiet begins.')
  @minLength(1)
  @maxLength(7)
  days: ('Monday' | 'Tuesday' | 'Wednesday' | 'Thursday' | 'Friday' | 'Saturday' | 'Sunday')[]

  @description('When it begins, as HH:MM:SS.')
  @minLength(8)
  @maxLength(8)
  from: string

  @description('When it ends, as HH:MM:SS, on the same day.')
  @minLength(8)
  @maxLength(8)
  to: string

  @description('A Windows time zone name, such as W. Europe Standard Time.')
  @minLength(3)
  @maxLength(64)
  timeZone: string
}

@export()
@description('A virtual network of the app\'s own, in which its storage has no public address.')
@sealed()
type PrivateNetwork = {
  @description('Address range in CIDR notation, /24 or larger; the app and the private endpoints take a /26 each.')
  @minLength(9)
  @maxLength(18)
  addressPrefix: string
}

@export()
@description('The Entra application that Azure Monitor authenticates as when it calls the app, beside the function key.')
@sealed()
type SecureWebhook = {
  @description('Object id of the service principal that action groups use, from the Entra portal.')
  @minLength(36)
  @maxLength(36)
  objectId: string

  @description('Client id of the application that stands for this app.')
  @minLength(36)
  @maxLength(36)
  clientId: string

  @description('Its application ID URI, such as api://patchwright.')
  @minLength(5)
  @maxLength(200)
  identifierUri: string
}

@export()
@description('How far the app may scale out, and how large an instance is.')
@sealed()
type Scale = {
  @description('Most instances at a time. Azure takes no fewer than 40; sweeps use one.')
  @minValue(40)
  @maxValue(1000)
  maximumInstanceCount: int

  @description('Memory of an instance.')
  instanceMemoryMB: 512 | 2048 | 4096
}

@export()
@description('Where a role is assigned: here, subscription by subscription, or by management-group.bicep.')
type Grants = 'subscriptions' | 'managementGroup'
