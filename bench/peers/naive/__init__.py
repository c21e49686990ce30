"""What a good team writes in an afternoon: a session server of well-known libraries, as fast as they go.

grpcio.aio on uvloop, PyJWT with keys that are parsed once, redis-py with hiredis, one Lua function for rotation. It
speaks Argus's proto, signs the same claims with keys of the same size, keeps the same deadlines. Whatever Argus does
beyond that (grace, adoption, rebuilds, PostgreSQL, metrics, audit) it leaves out: that is to its advantage, on purpose.
"""
