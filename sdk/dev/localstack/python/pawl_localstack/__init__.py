"""LocalStack 4.14.0 without Docker: see plugins.py (what is replaced) and executor.py (how functions run)."""
