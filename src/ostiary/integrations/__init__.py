"""The kit for other people's applications: one file a framework. It guards them; it serves nothing itself."""
