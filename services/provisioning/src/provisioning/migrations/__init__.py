"""Numbered SQL of the schema provisioning."""
