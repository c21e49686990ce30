"""The hot RPCs, asked of the engine itself over a real Valkey."""
