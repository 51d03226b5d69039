import { chatReply, chatStream, plainUsage, type Bill } from '../../test/upstream/index.js'
import { benchPrices } from '../gateway/targets.js'
import { chat, judge, notApplicable, type Check } from './check.js'
import { at, call, eventData, parsed, type Answer } from './client.js'

/** Dollars of a bill at the configured prices, as an exact decimal: prices are whole picodollars a token. */
function exactUsd(bill: Bill): string {
  const pico = (dollarsPerMillion: number) => BigInt(Math.round(dollarsPerMillion * 1e6))
  const cached = bill.cached ?? 0
  const total =
    BigInt(bill.input - cached) * pico(benchPrices.input) +
    BigInt(cached) * pico(benchPrices.cache_read) +
    BigInt(bill.output) * pico(benchPrices.output)
  return `0.${total.toString().padStart(12, '0')}`.replace(/0+$/, '')
}

/** The value of a response header that tells the cost, whatever a gateway calls it. */
function costHeader(answer: Answer): string | undefined {
  const found = Object.entries(answer.headers).find(([name]) => /(^|-)cost$/.test(name))?.[1]
  return typeof found === 'string' ? found : undefined
}

const plain = (value: unknown): string => (typeof value === 'number' ? value.toFixed(12).replace(/0+$/, '') : String(value))
const usages = (answer: Answer) =>
  eventData(answer.body).flatMap((data) =>
    typeof at(parsed(data), 'usage') === 'object' && at(parsed(data), 'usage') !== null ? [at(parsed(data), 'usage')] : [],
  )
const awkward: Bill = { input: 12_347, cached: 4_096, output: 777, reasoning: 512 }

export const accountingChecks: readonly Check[] = [
  {
    id: 'usage-unasked',
    group: 'accounting',
    expects: 'a stream tells its usage also when the caller did not ask',
    async run(subject, upstream) {
      upstream.always('/chat/completions', (request) =>
        chatStream(at(request.json, 'stream_options', 'include_usage') === true ? {} : { usage: null }),
      )
      const answer = await call(subject, { body: chat(subject, { stream: true }) })
      const told = usages(answer).at(-1)
      return judge(
        at(told, 'completion_tokens') === plainUsage.output,
        told === undefined ? 'no usage' : `completion_tokens ${String(at(told, 'completion_tokens'))}`,
      )
    },
  },
  {
    id: 'usage-kept',
    group: 'accounting',
    expects: 'token counts of the upstream arrive unchanged, cached and reasoning tokens too',
    async run(subject, upstream) {
      upstream.enqueue(chatReply({ usage: awkward }))
      const usage = at(parsed((await call(subject, { body: chat(subject) })).body), 'usage')
      const got = [
        at(usage, 'prompt_tokens'),
        at(usage, 'prompt_tokens_details', 'cached_tokens'),
        at(usage, 'completion_tokens'),
        at(usage, 'completion_tokens_details', 'reasoning_tokens'),
      ]
      return judge(
        JSON.stringify(got) === JSON.stringify([awkward.input, awkward.cached, awkward.output, awkward.reasoning]),
        got.join(' / '),
      )
    },
  },
  {
    id: 'cost-exact',
    group: 'accounting',
    expects: 'usage.cost is exact, cached tokens at their own price, and a header says the same',
    async run(subject, upstream) {
      upstream.enqueue(chatReply({ usage: awkward }))
      const answer = await call(subject, { body: chat(subject) })
      const cost = at(parsed(answer.body), 'usage', 'cost')
      const header = costHeader(answer)
      if (cost === undefined && header === undefined) return notApplicable('tells no cost')
      const wanted = exactUsd(awkward)
      return judge(
        plain(cost) === wanted && header !== undefined && plain(Number(header)) === wanted,
        `body ${plain(cost)}, header ${header ?? 'none'}, exact ${wanted}`,
      )
    },
  },
  {
    id: 'cost-stream',
    group: 'accounting',
    expects: 'the last usage of a stream has the exact cost',
    async run(subject, upstream) {
      upstream.enqueue(chatStream({ usage: awkward }))
      const answer = await call(subject, { body: chat(subject, { stream: true, stream_options: { include_usage: true } }) })
      const cost = at(usages(answer).at(-1), 'cost')
      if (cost === undefined) return notApplicable('tells no cost')
      return judge(plain(cost) === exactUsd(awkward), `${plain(cost)}, exact ${exactUsd(awkward)}`)
    },
  },
]
