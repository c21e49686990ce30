"""What people do to their accounts by mail: one file a way, and the workers behind them."""
