import type { Command } from 'commander'
import { BursarError } from '../../errors/index.js'
import { keptKeyFor } from '../kept-key.js'

const USUAL_URL = 'http://127.0.0.1:8787'
/** How long an answer may take; milliseconds. */
const ANSWER_MS = 30_000
const MAX_PAGE = 1000

export interface AdminOptions {
  readonly url?: string
  readonly adminKey?: string
}

export type Json = Readonly<Record<string, unknown>>

/** The admin API of a running gateway. */
export interface AdminClient {
  /** Resolves to the answer; throws `BursarError` with what the gateway says, or with why none answers. */
  call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: Json): Promise<Json>
  /** At most `limit` of a list, over as many pages as that takes, and whether there are more. */
  list(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    limit: number,
  ): Promise<{ readonly items: readonly Json[]; readonly more: boolean }>
}

export function withAdminOptions(command: Command): Command {
  return command
    .option('--url <url>', `the running gateway (default: BURSAR_URL, or ${USUAL_URL})`)
    .option(
      '--admin-key <key>',
      'the admin key (default: BURSAR_ADMIN_KEY, or .bursar/admin-key of this folder; on the command line others on this machine can see it)',
    )
    .option('--json', 'print what the gateway answers as JSON')
}

/** Throws `invalid_configuration` when there is no admin key to send, or the address is none. */
export function adminClient({ url, adminKey }: AdminOptions, env: NodeJS.Dict<string>): AdminClient {
  const base = originOf(url ?? (env['BURSAR_URL']?.trim() || USUAL_URL))
  const key = adminKey ?? (env['BURSAR_ADMIN_KEY']?.trim() || env['LITELLM_MASTER_KEY']?.trim() || keptKeyFor(base, 'admin-key'))
  if (key === undefined || key === '')
    throw unusable(
      'There is no admin key to send. Set BURSAR_ADMIN_KEY, here and where the gateway runs (`openssl rand -hex 24` makes a good one), or give --admin-key.',
    )
  const call: AdminClient['call'] = async (method, path, body) => {
    let response: Response
    try {
      response = await fetch(base + path, {
        method,
        signal: AbortSignal.timeout(ANSWER_MS),
        redirect: 'error',
        headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (cause) {
      throw new BursarError(
        `No gateway answers at ${base} (${reasonOf(cause)}). Start one with \`bursar serve\`, or name another with --url.`,
        {
          code: 'upstream_unreachable',
          status: 502,
          cause,
        },
      )
    }
    return answerOf(response, base)
  }
  return {
    call,
    async list(path, query, limit) {
      const items: Json[] = []
      let after: unknown
      do {
        const parameters = new URLSearchParams({ limit: String(Math.min(MAX_PAGE, limit)) })
        for (const [name, value] of Object.entries({ ...query, after: typeof after === 'string' ? after : undefined }))
          if (value !== undefined) parameters.set(name, value)
        const { data, next } = await call('GET', `${path}?${parameters}`)
        if (!Array.isArray(data)) throw notBursar(base)
        items.push(...data.filter(isJson))
        after = next
      } while (typeof after === 'string' && items.length < limit)
      return { items: items.slice(0, limit), more: items.length > limit || typeof after === 'string' }
    },
  }
}

async function answerOf(response: Response, base: string): Promise<Json> {
  let body: unknown
  try {
    body = await response.json()
  } catch {
    throw notBursar(base)
  }
  if (!isJson(body)) throw notBursar(base)
  if (response.ok) return body
  const { error } = body
  const message = isJson(error) && typeof error['message'] === 'string' ? error['message'] : undefined
  if (message === undefined) throw notBursar(base)
  throw new BursarError(message, { code: 'invalid_request', status: response.status })
}

function notBursar(base: string): BursarError {
  return new BursarError(`What answers at ${base} is not a Bursar gateway (or an older one). Name another with --url.`, {
    code: 'upstream_malformed',
    status: 502,
  })
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw unusable(`--url: "${text}" is no address such as ${USUAL_URL}.`)
  // The address of a client's base URL is as good: .../v1
  return url.origin
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof Error && thrown.name === 'TimeoutError') return `nothing came for ${ANSWER_MS / 1000} seconds`
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
  return code === 'ECONNREFUSED'
    ? 'nothing listens there'
    : code === 'ENOTFOUND'
      ? 'there is no such host'
      : cause instanceof Error
        ? cause.message
        : String(cause)
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unusable(message: string): BursarError {
  return new BursarError(message, { code: 'invalid_configuration', status: 500 })
}
