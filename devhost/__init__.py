"""A development host for the function app: HTTP, timers and the host's half of Durable Functions, on loopback.

It stands where Azure Functions stands in the cloud, for development and tests. The app's side is the real thing:
Microsoft's worker library indexes `function_app.py` and invokes its functions.
"""
