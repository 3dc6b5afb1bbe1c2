"""The flow through ports: ingest, evaluate, respond, perform, runs, timers."""
