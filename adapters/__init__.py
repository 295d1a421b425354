"""The edges: Azure's SDKs become facts, steps become requests, and the SDKs' types and errors end here."""
