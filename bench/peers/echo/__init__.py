"""An empty gRPC server in the extension: what a call costs where there is nothing to be done."""
