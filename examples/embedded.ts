// The gateway inside a program of your own: no file, no second process. From a project that depends on Bursar, import from
// 'bursar/gateway' instead.
//   npx tsx examples/embedded.ts
import { Gateway, parseConfig } from '../src/gateway/index.js'

const { config } = parseConfig(
  `
server: { port: 0 }
log: { level: warn }
keys: [{ name: app, key: sk-only-for-this-program, budget_usd: 0.01 }]
providers: { sandbox: { type: sandbox, speed: instant } }
models: { quick: sandbox/small }
`,
  process.env,
)
const gateway = await Gateway.create({ config, version: 'example' })
const { url } = await gateway.listen()

const answer = await fetch(`${url}/v1/chat/completions`, {
  method: 'POST',
  headers: { authorization: 'Bearer sk-only-for-this-program', 'content-type': 'application/json' },
  body: JSON.stringify({ model: 'quick', max_tokens: 100, messages: [{ role: 'user', content: 'What is 6 * 7?' }] }),
})
console.log(JSON.stringify(await answer.json()))

for (const { deployment, usage, cost } of await gateway.ledger.calls({ limit: 10 }))
  console.log(`${deployment}: ${usage.inputTokens} tokens in, ${usage.outputTokens} out, ${cost.usd} picodollars`)
await gateway.close()
