"""The decision service: what Envoy asks about each request, and the metadata documents that it publishes.

A worker process has two Unix sockets with an application each, and a control socket on which its supervisor says which
generations of the configuration it judges by.
"""
