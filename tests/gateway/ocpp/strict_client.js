// A charging station on npm's ocpp-rpc in strict mode: each message, sent or received, is validated by its own schemas.
// node strict_client.js URL IDENTITY PASSWORD SUBPROTOCOL < plan.json: calls [action, payload] one after the other;
// "$transactionId" stands for the number that StartTransaction was answered with. Prints the answers as JSON.
const fs = require("fs");
const { createRequire } = require("module");
const { RPCClient } = createRequire(process.env.NODE_MODULES + "/")("ocpp-rpc");

async function main() {
  const [endpoint, identity, password, subprotocol] = process.argv.slice(2);
  const client = new RPCClient({ endpoint, identity, password, protocols: [subprotocol], strictMode: true, reconnect: false });
  const asked = [];
  client.handle(({ method, params }) => {
    asked.push([method, params]);
    return { status: "Accepted" };
  });
  client.on("strictValidationFailure", (failure) => {
    console.error(String(failure.error && failure.error.message), JSON.stringify(failure));
    process.exitCode = 1;
  });
  await client.connect();
  const answers = [];
  let transactionId = 0;
  for (const [action, payload] of JSON.parse(fs.readFileSync(0, "utf8"))) {
    const said = JSON.parse(JSON.stringify(payload).replaceAll('"$transactionId"', String(transactionId)));
    const answer = await client.call(action, said);
    transactionId = answer.transactionId ?? transactionId;
    answers.push(answer);
  }
  await client.close();
  console.log(JSON.stringify({ answers, asked }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
