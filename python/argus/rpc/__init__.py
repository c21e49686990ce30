"""The gRPC side: translates between messages and features, and decides nothing."""
