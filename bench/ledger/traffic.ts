import { noUsage, picoUsd, type Usage } from '../../src/quantities/index.js'
import type { CallEnd, CallRecord, IntentRecord, LedgerRecord } from '../../src/ledger/index.js'
import { childRandom, type Random } from '../../src/statistics/index.js'

export interface TrafficSettings {
  readonly seed: number
  /** Decisions, intents, calls and outcomes together; the last request may add a few. */
  readonly records: number
  readonly days: number
  readonly keys: number
  /** Unix seconds at which the last day ends. */
  readonly until: number
}

const models = [
  ['openai', 'gpt-5', 1_250_000n],
  ['openai', 'gpt-5-mini', 250_000n],
  ['openai', 'gpt-5-nano', 50_000n],
  ['anthropic', 'claude-sonnet-4-5', 3_000_000n],
  ['anthropic', 'claude-haiku-4-5', 1_000_000n],
  ['google', 'gemini-2.5-flash', 300_000n],
  ['google', 'gemini-2.5-pro', 1_250_000n],
  ['local', 'qwen3-8b', 20_000n],
] as const

interface Caller {
  readonly key: string
  readonly user: string
  readonly team: string
  readonly organisation: string
  /** Models that this caller uses, and features that it is called for. */
  readonly models: readonly number[]
  readonly features: readonly number[]
  run: { readonly name: string; left: number } | undefined
  session: { readonly name: string; left: number } | undefined
}

/**
 * Made-up traffic of a company, in order of time: few callers make most of the calls; a day has its busy hours; a third of the calls are made by agents
 * in runs of about twelve, half of them belong to sessions of about six; each has two tags (a caller has up to four values of one, and two of the other); one request in twenty is tried twice, one in
 * twenty is judged: three records a call. The same settings give the same records.
 */
export function* traffic({ seed, records, days, keys, until }: TrafficSettings): Generator<LedgerRecord[]> {
  const random = childRandom(seed, 'traffic')
  const callers = Array.from({ length: keys }, (_, index): Caller => {
    const team = index % Math.max(1, Math.floor(keys / 25))
    const some = 1 + Math.floor(random.next() * 3)
    return {
      key: `key-${index}`,
      user: `user-${Math.floor(index / 2)}@example.com`,
      team: `team-${team}`,
      organisation: `org-${team % 3}`,
      models: Array.from({ length: some }, () => Math.floor(random.next() * models.length)),
      features: Array.from({ length: 4 }, () => Math.floor(20 * random.next() ** 2)),
      run: undefined,
      session: undefined,
    }
  })
  const start = until - days * 86_400
  let made = 0
  while (made < records) {
    // Twice as busy at noon as at midnight: the share of the whole that lies before a moment is bent by a sine.
    const whole = (made / records) * days
    const hour = whole % 1
    const at = Math.round((start + (Math.floor(whole) + hour - Math.sin(2 * Math.PI * hour) / (6 * Math.PI)) * 86_400) * 1000) / 1000
    const request = requestOf(callers[Math.floor(keys * random.next() ** 3)] ?? fail(), at, random)
    made += request.length
    yield request
  }
}

function requestOf(caller: Caller, at: number, random: Random): LedgerRecord[] {
  const uuid = timeOrdered(at, random)
  const ids = { requestId: `req_${uuid}`, decisionId: `dec_${uuid}` }
  const [provider, model, price] = models[caller.models[Math.floor(random.next() * caller.models.length)] ?? 0] ?? fail()
  const name = `${provider}/${model}`
  caller.run = next(caller.run, 0.33, 12, uuid, random)
  caller.session = next(caller.session, 0.5, 6, uuid, random)
  const records: LedgerRecord[] = [
    {
      type: 'decision',
      record: {
        ...ids,
        at,
        key: caller.key,
        requestedModel: name,
        arm: `single:${name}`,
        policy: 'as-named',
        propensity: 1,
        reason: 'the caller named this model',
      },
    },
  ]
  const attempts = random.next() < 0.05 ? 2 : 1
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const plan = {
      ...ids,
      callId: `call_${uuid}_${attempt}`,
      at,
      organisation: caller.organisation,
      team: caller.team,
      user: caller.user,
      key: caller.key,
      run: caller.run?.name,
      session: caller.session?.name,
      tags: { feature: `feature-${caller.features[Math.floor(4 * random.next())]}`, env: random.next() < 0.9 ? 'prod' : 'staging' },
      requestedModel: name,
      provider,
      deployment: name,
      model,
      operation: 'generate' as const,
      stream: random.next() < 0.6,
      attempt,
    }
    const end: CallEnd = attempt < attempts ? 'failed' : random.next() < 0.97 ? 'complete' : 'cancelled'
    const usage: Usage = {
      ...noUsage,
      inputTokens: Math.ceil(4000 * random.next() ** 3),
      cacheReadTokens: random.next() < 0.4 ? Math.ceil(6000 * random.next()) : 0,
      outputTokens: end === 'failed' ? 0 : Math.ceil(1500 * random.next() ** 2),
      reasoningTokens: random.next() < 0.2 ? Math.ceil(2000 * random.next()) : 0,
    }
    const usd =
      price * BigInt(usage.inputTokens + 8 * (usage.outputTokens + usage.reasoningTokens)) + (price / 10n) * BigInt(usage.cacheReadTokens)
    const seconds = 0.2 + (usage.outputTokens + usage.reasoningTokens) / (40 + 60 * random.next())
    const bound = 3n * usd
    const counters = [
      `organisation:${caller.organisation}/usd/month:2026-11`,
      `team:${caller.team}/usd/month:2026-11`,
      `key:${caller.key}/usd/day:2026-11-21`,
    ]
    const intent: IntentRecord = {
      ...plan,
      usage: { ...usage, outputTokens: 4096 },
      cost: { usd: picoUsd(bound), seconds: 60, joules: null, gramsCO2e: null },
      held: counters.map((counter) => ({ counter, amount: bound })),
    }
    const call: CallRecord = {
      ...plan,
      end,
      status: end === 'failed' ? 503 : 200,
      errorCode: end === 'failed' ? 'upstream_error' : undefined,
      usage,
      usageEstimated: end === 'cancelled',
      cost: { usd: picoUsd(usd), seconds, joules: usage.outputTokens * 0.4, gramsCO2e: usage.outputTokens * 0.00005 },
      serviceTier: 'standard',
      priceSource: 'catalog 2026-11-01',
      firstTokenSeconds: end === 'failed' ? undefined : 0.2 + random.next(),
      cacheSavings: picoUsd((price * 9n * BigInt(usage.cacheReadTokens)) / 10n),
      settled: counters.map(() => usd),
    }
    records.push({ type: 'intent', record: intent }, { type: 'call', record: call })
  }
  if (random.next() < 0.05)
    records.push({
      type: 'outcome',
      record: {
        outcomeId: `out_${uuid}`,
        at: at + 30,
        decisionId: ids.decisionId,
        key: caller.key,
        source: random.next() < 0.5 ? 'user' : 'verifier:json_schema',
        score: random.next() < 0.8 ? 1 : 0,
      },
    })
  return records
}

/** Goes on with a run or session, or begins one: so that this share of the calls lie in one of about this length. */
function next(current: { readonly name: string; left: number } | undefined, share: number, length: number, uuid: string, random: Random) {
  if (current !== undefined && current.left > 0) {
    current.left--
    return current
  }
  if (random.next() >= share / (share + length * (1 - share))) return undefined
  return { name: uuid, left: Math.ceil(2 * length * random.next()) }
}

/** A UUID of version 7. */
function timeOrdered(at: number, random: Random): string {
  const time = Math.floor(at * 1000)
    .toString(16)
    .padStart(12, '0')
  const digits = (count: number) =>
    Math.floor(random.next() * 16 ** count)
      .toString(16)
      .padStart(count, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digits(3)}-8${digits(3)}-${digits(6)}${digits(6)}`
}

function fail(): never {
  throw new Error('no such caller')
}
