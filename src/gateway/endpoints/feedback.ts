import { randomUUID } from 'node:crypto'
import type { Context, Hono } from 'hono'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import type { Ledger, OutcomeRecord } from '../../ledger/index.js'
import { parseBody } from '../../protocol/index.js'
import { readWithin } from '../http/body.js'

/** Longest comment that is kept; characters. */
const MAX_COMMENT_LENGTH = 4_000
const MAX_ID_LENGTH = 256
const MAX_BODY_BYTES = 64 * 1024
const MAX_LISTED = 1_000
/** Sources that only Bursar itself writes. */
const RESERVED_SOURCE = 'verifier:'
const fields: ReadonlySet<string> = new Set(['decision_id', 'run_id', 'score', 'comment', 'source'])
const queryFields: ReadonlySet<string> = new Set(['decision_id', 'run_id', 'limit'])

/** Who gives or reads feedback. */
export interface FeedbackCaller {
  /** Name of the key. */
  readonly name: string
  /** Whether the key may speak of every key's decisions. */
  readonly admin?: boolean | undefined
}

export interface FeedbackParts {
  /** Throws `missing_key`, `invalid_key` or `key_expired` (401). */
  authenticate(headers: Headers): FeedbackCaller | Promise<FeedbackCaller>
  ledger(): Ledger
  /** Told of each outcome once it is recorded. */
  told?(outcome: OutcomeRecord): void
  /** Probability with which a person was asked for a word on this decision; `undefined` where none was. */
  peopleSought?(decisionId: string): number | undefined
  /** Unix seconds. */
  now(): number
}

/** What feedback is about: one decision, or a whole agent run. */
interface Subject {
  readonly decisionId?: string
  readonly run?: string
}

/** `POST /v1/feedback` and `GET /v1/feedback`. */
export function addFeedbackRoutes(app: Hono, { authenticate, ledger, now, told, peopleSought }: FeedbackParts): void {
  app.post('/v1/feedback', async (c) => {
    const caller = await authenticate(c.req.raw.headers)
    const body = await readJson(c.req.raw)
    for (const name of Object.keys(body))
      if (!fields.has(name)) throw invalid(name, `this field isn't known; feedback has ${[...fields].join(', ')}.`)
    const subject = subjectOf(body['decision_id'], body['run_id'])
    const score = scoreOf(body['score'])
    const comment = commentOf(body['comment'])
    const source = sourceOf(body['source'])
    const key = await ownerOf(subject, caller, ledger())
    const sought = subject.decisionId === undefined || source.startsWith('judge') ? undefined : peopleSought?.(subject.decisionId)
    const record: OutcomeRecord = {
      outcomeId: `out_${randomUUID()}`,
      at: now(),
      ...subject,
      key,
      source,
      score,
      ...(comment !== undefined && { comment }),
      ...(sought !== undefined && { sought }),
    }
    await ledger().recordOutcome(record)
    told?.(record)
    return c.json(outcomeJson(record), 201)
  })
  app.get('/v1/feedback', async (c) => {
    const caller = await authenticate(c.req.raw.headers)
    for (const name of Object.keys(c.req.queries()))
      if (!queryFields.has(name)) throw invalid(name, `this parameter isn't known; there are ${[...queryFields].join(', ')}.`)
    const subject = subjectOf(c.req.query('decision_id'), c.req.query('run_id'))
    const limit = limitOf(c)
    const key = await ownerOf(subject, caller, ledger())
    const outcomes = await ledger().outcomes({ ...subject, key, limit })
    return c.json({ object: 'list', data: outcomes.map(outcomeJson) })
  })
}

/** An outcome as callers read it. */
export function outcomeJson({ outcomeId, at, decisionId, run, source, score, comment }: OutcomeRecord): Record<string, unknown> {
  return {
    id: outcomeId,
    object: 'feedback',
    created: Math.floor(at),
    decision_id: decisionId ?? null,
    run_id: run ?? null,
    source,
    score,
    comment: comment ?? null,
  }
}

/** The key that the subject belongs to. Throws `not_found` (404) also for what is another key's, so that nothing is told of it. */
async function ownerOf({ decisionId, run }: Subject, caller: FeedbackCaller, ledger: Ledger): Promise<string> {
  if (decisionId !== undefined) {
    const decision = await ledger.decision(decisionId)
    if (decision && (decision.key === caller.name || caller.admin === true)) return decision.key
    throw new BursarError('There is no such decision, or it is no longer remembered.', {
      code: 'not_found',
      status: 404,
      path: 'decision_id',
    })
  }
  // A run's id is unique only within its key, so a run is always the caller's own.
  const [call] = await ledger.calls({ key: caller.name, run, limit: 1 })
  if (call) return caller.name
  throw new BursarError('This key has made no calls in such a run, or they are no longer remembered.', {
    code: 'not_found',
    status: 404,
    path: 'run_id',
  })
}

function subjectOf(decisionId: unknown, run: unknown): Subject {
  const given = (value: unknown) => value !== undefined && value !== null
  if (given(decisionId) && given(run)) throw invalid('run_id', 'give either decision_id or run_id, not both.')
  if (given(decisionId)) return { decisionId: idOf(decisionId, 'decision_id') }
  if (given(run)) return { run: idOf(run, 'run_id') }
  throw invalid(
    'decision_id',
    'this field is required, or run_id: what the feedback is about. An answer names its decision in the header x-bursar-decision.',
  )
}

function idOf(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_ID_LENGTH && storable(value)) return value
  throw invalid(path, `a text of 1 to ${MAX_ID_LENGTH} characters was expected.`)
}

function scoreOf(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw invalid('score', `a number from 0 (useless) to 1 (right) was expected${typeof value === 'number' ? `, not ${value}` : ''}.`)
}

function commentOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw invalid('comment', 'a text was expected.')
  if (value.length > MAX_COMMENT_LENGTH)
    throw invalid('comment', `at most ${MAX_COMMENT_LENGTH} characters are kept; this has ${value.length}.`)
  if (!storable(value)) throw invalid('comment', 'the text holds a NUL character or half of a surrogate pair, which cannot be stored.')
  return value
}

function sourceOf(value: unknown): string {
  if (value === undefined || value === null) return 'user'
  if (typeof value !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,99}$/.test(value))
    throw invalid('source', 'a name such as "user" or "judge:rubric-2" was expected: letters, digits and ". _ : @ / -", at most 100.')
  if (value.startsWith(RESERVED_SOURCE))
    throw invalid('source', `names that begin with "${RESERVED_SOURCE}" are those of checks that Bursar makes itself.`)
  return value
}

function limitOf(c: Context): number {
  const text = c.req.query('limit') ?? '100'
  const limit = Number(text)
  if (/^\d{1,6}$/.test(text) && limit >= 1 && limit <= MAX_LISTED) return limit
  throw invalid('limit', `a whole number from 1 to ${MAX_LISTED} was expected.`)
}

/** PostgreSQL stores no NUL, and UTF-8 has no lone surrogates. */
function storable(text: string): boolean {
  return !/[\0\p{Cs}]/u.test(text)
}

function invalid(path: string, what: string): InvalidRequest {
  return new InvalidRequest(`${path}: ${what}`, { path })
}

async function readJson(request: globalThis.Request): Promise<Readonly<Record<string, unknown>>> {
  const type = request.headers.get('content-type')
  if (type === null || !/^application\/([\w.+-]*\+)?json\b/i.test(type))
    throw new InvalidRequest('Send the feedback as application/json.', { code: 'unsupported_media_type', status: 415 })
  return parseBody(await readWithin(request, MAX_BODY_BYTES, 'Feedback has'), { maxDepth: 8 }).json
}
