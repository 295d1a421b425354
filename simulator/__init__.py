"""A simulated Azure: an HTTP server on loopback that answers the real SDK clients in Microsoft's wire format.

`python -m simulator` starts one; `simulator.serve.running` starts one inside a process, on a thread. Nothing else of
ours imports this package: the app reaches it over HTTP, as it reaches Azure.
"""
