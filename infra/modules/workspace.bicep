metadata description = 'Looks at the workspace that is watched: a deployment stops here, by its name, where there is none.'

@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param name string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: name
}

@description('Its region.')
output location string = workspace.location
