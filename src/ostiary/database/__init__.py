"""Engines and schemas: how the rooms above keep rows in SQLite, one file a store, one writer a file."""
