"""What simulated estates suffer from, and what only looks as if.

Each story is one machine, set of machines, deployment or subscription. It writes the documents and rows that Azure
would have, and what a sweep must say about it.
"""
