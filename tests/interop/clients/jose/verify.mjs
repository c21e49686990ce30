// Verifies tokens, one a line of its input, as a service does that uses jose: keys by metadata, kept as the library
// keeps them. Says "good KID" or "refused WHY" for each.
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'

const [metadataUrl, cacheMaxAge] = process.argv.slice(2)
const metadata = await (await fetch(metadataUrl)).json()
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { cacheMaxAge: Number(cacheMaxAge) })
console.log('ready')
for await (const token of createInterface({ input: process.stdin })) {
  try {
    await jwtVerify(token, keys, { issuer: metadata.issuer, algorithms: ['RS256'], typ: 'at+jwt' })
    console.log(`good ${decodeProtectedHeader(token).kid}`)
  } catch (error) {
    console.log(`refused ${error.code ?? error}`)
  }
}
