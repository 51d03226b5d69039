import type {
  Anomalies,
  DecisionRow,
  DecisionWhole,
  Deployments,
  Forecasts,
  Listed,
  ProofStatus,
  Routing,
  Savings,
  Subject,
  Usage,
} from './answers.js'

type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** Why a question to the gateway has no answer. `status` 0: it can't be reached. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
  ) {
    super(message)
  }
}

/** The gateway's endpoints, with the key as a header. Every method throws `Refusal`. */
export function createClient(key: string | undefined) {
  async function call<Answer>(
    method: 'GET' | 'POST',
    path: string,
    query: Query = {},
    signal?: AbortSignal,
    body?: unknown,
  ): Promise<Answer> {
    const parameters = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value))
    const text = parameters.toString()
    const headers: Record<string, string> = {}
    if (key !== undefined) headers['authorization'] = `Bearer ${key}`
    if (body !== undefined) headers['content-type'] = 'application/json'
    let response: Response
    try {
      response = await fetch(text === '' ? path : `${path}?${text}`, {
        method,
        headers,
        cache: 'no-store',
        credentials: 'omit',
        ...(signal === undefined ? {} : { signal }),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (thrown) {
      if (signal?.aborted === true) throw thrown
      throw new Refusal('The gateway can’t be reached. Is it still running?', 0, 'away')
    }
    if (!response.ok) throw await refusalOf(response)
    const answer: Answer = await response.json()
    return answer
  }
  const get =
    <Answer>(path: string) =>
    (query: Query = {}, signal?: AbortSignal) =>
      call<Answer>('GET', path, query, signal)
  return {
    usage: get<Usage>('/v1/usage'),
    forecast: get<Forecasts>('/v1/usage/forecast'),
    anomalies: get<Anomalies>('/v1/usage/anomalies'),
    savings: get<Savings>('/v1/usage/savings'),
    decisions: get<Listed<DecisionRow>>('/v1/decisions'),
    decision: (id: string, signal?: AbortSignal) => call<DecisionWhole>('GET', `/v1/decisions/${encodeURIComponent(id)}`, {}, signal),
    routing: get<Routing>('/admin/routing'),
    budgets: get<Listed<Subject>>('/admin/budgets'),
    deployments: get<Deployments>('/admin/deployments'),
    proof: get<ProofStatus>('/admin/proof'),
    resume: (scope: string) => call<ProofStatus>('POST', '/admin/proof/resume', {}, undefined, { scope }),
  }
}

export type Client = ReturnType<typeof createClient>

/** What a key may see. `why`: the gateway's own words on what it may not. */
export type Rights = { readonly sees: 'all' } | { readonly sees: 'own' | 'open'; readonly why: string }

/** Asks what a key may see. Throws `Refusal`: 401 where the key isn't one, or one is needed. */
export async function rightsOf(key: string | undefined): Promise<Rights> {
  const client = createClient(key)
  try {
    await client.proof()
    return { sees: 'all' }
  } catch (thrown) {
    // A gateway that proves nothing says so to the admin key only.
    if (thrown instanceof Refusal && thrown.status === 404) return { sees: 'all' }
    if (!(thrown instanceof Refusal) || thrown.status !== 403) throw thrown
    await client.usage({ from: '1h', limit: 1 })
    return { sees: key === undefined ? 'open' : 'own', why: thrown.message }
  }
}

async function refusalOf(response: Response): Promise<Refusal> {
  try {
    const { error }: { error?: { message?: string; code?: string } } = await response.json()
    return new Refusal(error?.message ?? `The gateway answered ${response.status}.`, response.status, error?.code ?? 'unknown')
  } catch {
    return new Refusal(`The gateway answered ${response.status} without a reason. Is a proxy in between?`, response.status, 'unknown')
  }
}
