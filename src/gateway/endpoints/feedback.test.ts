import { Hono } from 'hono'
import { beforeEach, describe, expect, it } from 'vitest'
import { BursarError, toBursarError } from '../../errors/index.js'
import { plannedCall } from '../../ledger/fixtures/records.js'
import { createMemoryLedger, type CallRecord, type DecisionRecord, type Ledger } from '../../ledger/index.js'
import { noUsage, zeroMoney } from '../../quantities/index.js'
import { addFeedbackRoutes } from './feedback.js'

let ledger: Ledger
let app: Hono

const callers: Readonly<Record<string, { name: string; admin?: boolean }>> = {
  a: { name: 'key-a' },
  b: { name: 'key-b' },
  root: { name: 'admin', admin: true },
}

beforeEach(async () => {
  ledger = createMemoryLedger({ rememberCalls: 100 })
  app = new Hono()
  app.onError((thrown) => {
    const error = toBursarError(thrown)
    return Response.json({ code: error.code, path: error.path ?? null, message: error.message }, { status: error.status })
  })
  addFeedbackRoutes(app, {
    authenticate: (headers) => {
      const caller = callers[headers.get('x-api-key') ?? '']
      if (!caller) throw new BursarError('no key', { code: 'missing_key', status: 401 })
      return caller
    },
    ledger: () => ledger,
    now: () => 1_800_000_000.5,
  })
  ledger.recordDecision(decision('dec_1', 'key-a'))
  ledger.recordDecision(decision('dec_2', 'key-b'))
  await ledger.recordCall(callOf('key-a', 'run-1'))
})

function decision(decisionId: string, key: string): DecisionRecord {
  return {
    decisionId,
    requestId: `req_${decisionId}`,
    at: 1,
    key,
    requestedModel: 'm',
    arm: 'single(m)',
    policy: 'as-named',
    propensity: 1,
    reason: 'named',
  }
}

function callOf(key: string, run: string): CallRecord {
  return {
    ...plannedCall,
    callId: `call_${run}`,
    key,
    run,
    end: 'complete',
    status: 200,
    usage: noUsage,
    usageEstimated: false,
    cost: { usd: zeroMoney, seconds: 0, joules: null, gramsCO2e: null },
  }
}

const post = (body: unknown, key = 'a', headers: Record<string, string> = {}) =>
  app.request('/v1/feedback', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const get = (query: string, key = 'a') => app.request(`/v1/feedback?${query}`, { headers: { 'x-api-key': key } })

describe('POST /v1/feedback', () => {
  it('writes an outcome to the ledger and answers 201 with its id', async () => {
    const answer = await post({ decision_id: 'dec_1', score: 0.75, comment: 'right, but long', source: 'judge:rubric-2' })
    expect(answer.status).toBe(201)
    const body = (await answer.json()) as { id: string }
    expect(body).toEqual({
      id: expect.stringMatching(/^out_/) as string,
      object: 'feedback',
      created: 1_800_000_000,
      decision_id: 'dec_1',
      run_id: null,
      source: 'judge:rubric-2',
      score: 0.75,
      comment: 'right, but long',
    })
    expect(await ledger.outcomes({ decisionId: 'dec_1', limit: 10 })).toEqual([
      {
        outcomeId: body.id,
        at: 1_800_000_000.5,
        decisionId: 'dec_1',
        key: 'key-a',
        source: 'judge:rubric-2',
        score: 0.75,
        comment: 'right, but long',
      },
    ])
  })

  it('takes the whole range of scores; the source is the user unless it is named', async () => {
    for (const score of [0, 1]) expect((await post({ decision_id: 'dec_1', score })).status).toBe(201)
    const outcomes = await ledger.outcomes({ limit: 10 })
    expect(outcomes.map(({ score, source }) => [score, source])).toEqual([
      [1, 'user'],
      [0, 'user'],
    ])
  })

  it('takes feedback on a run of the caller’s own, not on another’s', async () => {
    expect((await post({ run_id: 'run-1', score: 1 })).status).toBe(201)
    expect(await ledger.outcomes({ run: 'run-1', limit: 10 })).toMatchObject([{ run: 'run-1', key: 'key-a', score: 1 }])
    for (const key of ['b', 'root']) expect((await post({ run_id: 'run-1', score: 1 }, key)).status).toBe(404)
  })

  it('knows no decision of another key; an admin key knows them all, and writes under the decision’s key', async () => {
    const foreign = await post({ decision_id: 'dec_2', score: 1 })
    const none = await post({ decision_id: 'dec_9', score: 1 })
    expect([foreign.status, none.status]).toEqual([404, 404])
    expect(await foreign.json()).toEqual(await none.json())
    expect(await ledger.outcomes({ limit: 10 })).toEqual([])
    expect((await post({ decision_id: 'dec_2', score: 1 }, 'root')).status).toBe(201)
    expect(await ledger.outcomes({ key: 'key-b', limit: 10 })).toHaveLength(1)
  })

  it.each([
    [{ score: 1 }, 'decision_id'],
    [{ decision_id: 'dec_1', run_id: 'run-1', score: 1 }, 'run_id'],
    [{ decision_id: 7, score: 1 }, 'decision_id'],
    [{ decision_id: '', score: 1 }, 'decision_id'],
    [{ decision_id: 'd'.repeat(257), score: 1 }, 'decision_id'],
    [{ run_id: 'a\0b', score: 1 }, 'run_id'],
    [{ decision_id: 'dec_1' }, 'score'],
    [{ decision_id: 'dec_1', score: '1' }, 'score'],
    [{ decision_id: 'dec_1', score: 1.01 }, 'score'],
    [{ decision_id: 'dec_1', score: -0.01 }, 'score'],
    [{ decision_id: 'dec_1', score: null }, 'score'],
    [{ decision_id: 'dec_1', score: 1, comment: 5 }, 'comment'],
    [{ decision_id: 'dec_1', score: 1, comment: 'c'.repeat(4_001) }, 'comment'],
    [{ decision_id: 'dec_1', score: 1, comment: 'a\0' }, 'comment'],
    [{ decision_id: 'dec_1', score: 1, source: '' }, 'source'],
    [{ decision_id: 'dec_1', score: 1, source: 'a b' }, 'source'],
    [{ decision_id: 'dec_1', score: 1, source: 'verifier:json_schema' }, 'source'],
    [{ decision_id: 'dec_1', score: 1, rating: 5 }, 'rating'],
  ])('refuses %j with the path of the field', async (body, path) => {
    const answer = await post(body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'invalid_request', path, message: expect.stringContaining(`${path}: `) as string })
    expect(await ledger.outcomes({ limit: 10 })).toEqual([])
  })

  it('refuses half of a surrogate pair, which JSON can hold and no database', async () => {
    expect((await post('{"decision_id":"dec_1","score":1,"comment":"\\ud800"}')).status).toBe(400)
  })

  it('refuses what is no JSON object, other content types, and bodies that are too large', async () => {
    expect(await (await post('[1]')).json()).toMatchObject({ code: 'invalid_json' })
    expect(await (await post('{"score":')).json()).toMatchObject({ code: 'invalid_json' })
    expect(await (await post('{"score":1,"score":0,"decision_id":"dec_1"}')).json()).toMatchObject({ code: 'duplicate_field' })
    expect((await post({ decision_id: 'dec_1', score: 1 }, 'a', { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await post({ decision_id: 'dec_1', score: 1, comment: 'c'.repeat(70_000) })).status).toBe(413)
    expect((await post({ decision_id: 'dec_1', score: 1 }, 'nobody')).status).toBe(401)
  })
})

describe('GET /v1/feedback', () => {
  it('lists what was said of a decision or a run, the newest first', async () => {
    for (const score of [0.1, 0.2, 0.3]) await post({ decision_id: 'dec_1', score })
    await post({ run_id: 'run-1', score: 1 })
    const scores = async (query: string) =>
      ((await (await get(query)).json()) as { data: { score: number }[] }).data.map(({ score }) => score)
    expect(await scores('decision_id=dec_1')).toEqual([0.3, 0.2, 0.1])
    expect(await scores('decision_id=dec_1&limit=1')).toEqual([0.3])
    expect(await scores('run_id=run-1')).toEqual([1])
  })

  it('shows nothing of another key', async () => {
    await post({ decision_id: 'dec_1', score: 1 })
    expect((await get('decision_id=dec_1', 'b')).status).toBe(404)
    expect((await get('decision_id=dec_1', 'root')).status).toBe(200)
  })

  it.each(['', 'decision=dec_1', 'decision_id=dec_1&limit=0', 'decision_id=dec_1&limit=x', 'decision_id=dec_1&limit=1001'])(
    'refuses "%s"',
    async (query) => {
      expect((await get(query)).status).toBe(400)
    },
  )
})
