// An agent that stops before its money does: a budget for one run, set by the caller and kept by Bursar.
//   npx tsx examples/budgets.ts
import OpenAI from 'openai'
import { key, model, url } from './connection.js'

const run = `example-${Date.now()}`
const client = new OpenAI({
  baseURL: `${url}/v1`,
  apiKey: key,
  // Every call of this client belongs to the run. What the key may spend stays as it is: a header only narrows it.
  defaultHeaders: { 'x-bursar-run': run, 'x-bursar-run-budget': 'usd=0.05; calls=4' },
})

for (let step = 1; ; step++)
  try {
    const { response } = await client.chat.completions
      .create({
        model,
        max_tokens: 60,
        messages: [{ role: 'user', content: `Step ${step}: name a river that is longer than the last one.` }],
      })
      .withResponse()
    const left = (unit: string) => response.headers.get(`x-bursar-budget-remaining-${unit}`)
    console.log(`step ${step}: $${left('usd')} and ${left('calls')} calls left, ${response.headers.get('x-bursar-budget-regime')}`)
  } catch (error) {
    // Refused before anything was sent, so nothing was spent; the client doesn't repeat it.
    if (!(error instanceof OpenAI.APIError) || error.code !== 'budget_exceeded') throw error
    console.log(`step ${step}: ${error.message}`)
    break
  }

// What the run took, and a word on how it went; `bursar report --cost-of-pass` makes use of that.
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
const feedback = await fetch(`${url}/v1/feedback`, {
  method: 'POST',
  headers,
  body: JSON.stringify({ run_id: run, score: 1, comment: 'stopped in time' }),
})
const usage = (await (await fetch(`${url}/v1/usage/runs/${run}`, { headers })).json()) as { calls: number; usd: string }
console.log(`feedback: ${feedback.status}; the run: ${usage.calls} calls, $${usage.usd}`)
