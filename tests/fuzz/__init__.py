"""Fuzzing of every reader: bytes that are accepted give a right result, all others the documented error, in bounds.

``python -m tests.fuzz`` runs it; docs/development.md says how.
"""
