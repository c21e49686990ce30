// The main job by stubs that @grpc/proto-loader makes of proto/, over TLS.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const job = JSON.parse(readFileSync(0, "utf-8"));
const options = { keepCase: false, longs: String, enums: String, defaults: true };
const load = (files, folders) => grpc.loadPackageDefinition(loadSync(files, { ...options, includeDirs: folders }));
const argus = load(
  ["token", "session", "authentication"].map((name) => `argus/v1/${name}_service.proto`),
  [job.Proto],
).argus.v1;
const healthProto = createRequire(import.meta.url)("grpc-health-check").protoPath;
const health = load([healthProto], []).grpc.health.v1;
const trusted = grpc.credentials.createSsl(readFileSync(job.Authority));
const deadline = () => ({ deadline: Date.now() + 60_000 });

const metadata = new grpc.Metadata();
const stub = (Service) => new Service(job.Address, trusted);
const call = (client, method, request) =>
  promisify((done) => client[method](request, metadata, deadline(), done))();

// Code and reason of a refusal: the reason is the first field of the ErrorInfo in the details.
const reason = (error) => {
  const [details] = error.metadata.get("grpc-status-details-bin");
  return `${grpc.status[error.code]} ${/google\.rpc\.ErrorInfo\x12[^]{1,2}\n[^]([A-Z_]+)/.exec(details.toString("latin1"))[1]}`;
};

const tokens = stub(argus.TokenService);
const sessions = stub(argus.SessionService);
const issued = await call(tokens, "issueClientToken", {
  parent: job.Parent,
  clientId: job.ClientID,
  clientSecret: job.ClientSecret,
});
metadata.set("authorization", `Bearer ${issued.tokens.accessToken}`);

const created = await call(sessions, "createSession", { parent: job.User });
const verify = (token) => call(tokens, "verifyAccessToken", { accessToken: token });
const verified = await verify(created.tokens.accessToken);
const refreshed = await call(tokens, "refreshToken", { refreshToken: created.tokens.refreshToken });
const again = await verify(refreshed.tokens.accessToken);
const listed = await call(sessions, "listSessions", { parent: job.User });
await call(sessions, "terminateSession", { name: created.session.name });
const refused = await verify(refreshed.tokens.accessToken).then(() => undefined, (error) => error);
const watching = stub(health.Health).watch({ service: "" });
const serving = await new Promise((done, failed) => watching.once("data", done).once("error", failed));
watching.on("error", () => {});
watching.cancel();

console.log(
  JSON.stringify({
    session: created.session.name,
    verified: verified.session,
    again: again.session,
    listed: listed.sessions.length,
    ended: reason(refused),
    health: serving.status,
  }),
);
process.exit(0);
