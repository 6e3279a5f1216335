"""The tour: real upstreams behind a real Envoy, asked by real clients. It starts everything and guards nothing."""
