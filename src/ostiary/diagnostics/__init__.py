"""What operators see: decision records and their log, metrics, health, log lines. Clients see none of it."""
