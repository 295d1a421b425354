"""The command line: the same engine and the same process as the function app, without Functions."""
