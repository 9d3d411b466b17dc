"""KEDA's external scaler: `externalscaler.proto`, what is generated from it, and the server.

`externalscaler_pb2*.py` are made by `make proto` and never edited.
"""
