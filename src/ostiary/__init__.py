"""Guards the resource side of OAuth 2.0."""
