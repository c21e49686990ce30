"""What stands before a service's handlers and lets in only calls whose token is good: for gRPC, and for ASGI."""
