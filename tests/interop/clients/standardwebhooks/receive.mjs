// A receiver as its authors write it: it takes an event only if `standardwebhooks` verifies it. Certificate, key and secret
// come by argument; it prints its port, then a line for each request.
import { readFileSync } from "node:fs";
import https from "node:https";
import { Webhook } from "standardwebhooks";

const [certificate, key, secret] = process.argv.slice(2);
const webhook = new Webhook(secret);

function answer(request, response) {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    try {
      const event = webhook.verify(body, request.headers);
      console.log(JSON.stringify({ event, id: request.headers["webhook-id"] }));
      response.writeHead(204).end();
    } catch (error) {
      console.log(JSON.stringify({ refused: error.message }));
      response.writeHead(401).end();
    }
  });
}

const server = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer);
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
