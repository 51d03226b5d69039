import { ADMIN_KEY } from './gateway-process.js'
import { picoOf } from './callers.js'

/** One call as the gateway's ledger tells it to those who ask from outside. */
export interface RecordedCall {
  readonly callId: string
  readonly requestId: string
  /** The session that the caller named. */
  readonly session: string | undefined
  readonly end: string
  /** Picodollars; `undefined` when the price is unknown. */
  readonly cost: bigint | undefined
}

/** What the ledger says that a key has spent, ever; picodollars. */
export async function keySpend(url: string, key: string): Promise<bigint> {
  return usdOf(await getJson(`${url}/v1/usage?key=${encodeURIComponent(key)}&from=2020-01-01`))
}

/** What the ledger says that everybody has spent, ever; picodollars. */
export async function totalSpend(url: string): Promise<bigint> {
  return usdOf(await getJson(`${url}/v1/usage?from=2020-01-01`))
}

/** What counts against the first limit of a key, reservations included; picodollars. */
export async function keyUsed(url: string, key: string): Promise<bigint> {
  const { budgets } = (await getJson(`${url}/admin/keys/${encodeURIComponent(key)}/usage`)) as {
    budgets?: { unit?: string; used?: number }[]
  }
  const [first] = budgets ?? []
  if (first?.unit !== 'usd' || first.used === undefined) throw new Error(`the usage of key ${key} tells of no limit in dollars`)
  return BigInt(Math.round(first.used * 1e12))
}

/** Every call since a moment (Unix seconds), by the export. */
export async function readCalls(url: string, from: number): Promise<readonly RecordedCall[]> {
  const response = await ask(
    `${url}/v1/usage/export/calls?format=jsonl&from=${encodeURIComponent(new Date(Math.floor(from * 1000)).toISOString())}`,
  )
  const lines = (await response.text()).split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const { callId, requestId, session, end, usd } = JSON.parse(line) as {
      callId: string
      requestId: string
      session?: string
      end: string
      usd: string | null
    }
    return { callId, requestId, session, end, cost: usd === null ? undefined : picoOf(usd) }
  })
}

function usdOf(report: unknown): bigint {
  const usd = (report as { total?: { usd?: string | null } }).total?.usd
  if (typeof usd !== 'string') throw new Error(`the report of usage has no total.usd: ${JSON.stringify(report).slice(0, 300)}`)
  return picoOf(usd)
}

async function getJson(url: string): Promise<unknown> {
  return (await ask(url)).json()
}

async function ask(url: string): Promise<Response> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${ADMIN_KEY}` }, signal: AbortSignal.timeout(30_000) })
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}: ${(await response.text()).slice(0, 300)}`)
  return response
}
