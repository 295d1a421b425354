"""The entrances in Azure: HTTP, alerts, a timer and the Durable process, as thin blueprints around the engine."""
