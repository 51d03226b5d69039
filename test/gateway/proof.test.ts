import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { DecisionRecord, OutcomeRecord } from '../../src/ledger/index.js'
import { chatReply, openaiError, type Behaviour, type ReceivedRequest } from '../upstream/index.js'
import { KEY, type Bench } from './harness.js'
import { openedBenches } from './opened-benches.js'

const ADMIN = 'sk-admin-0123456789abcdef'
const folder = mkdtempSync(join(tmpdir(), 'bursar-proof-'))
afterAll(() => rmSync(folder, { recursive: true }))

const benches = openedBenches()

/** The reference is right, mostly; what routing picks (the cheapest) declines to answer. */
const worse = ['box/large', 'box/small?refuse']
/** Two names of the same. */
const equal = ['box/large', { name: 'twin', model: 'box/large?key=twin' }]

async function start(
  proof: Record<string, unknown>,
  {
    arms = worse,
    judge = honestJudge,
    routing = {},
    more = {},
  }: {
    arms?: readonly unknown[]
    judge?: (request: ReceivedRequest) => Behaviour
    routing?: Record<string, unknown>
    more?: Record<string, unknown>
  } = {},
): Promise<Bench> {
  const bench = await benches.start((config, upstream) => {
    Object.assign(config['providers'] as object, { box: { type: 'sandbox', speed: 1000 } })
    config['models'] = {}
    config['prices'] = { 'up/judge': { input: 1, output: 4 } }
    config['routing'] = { arms, exploration: { share: 0 }, objective: 'thrifty', objectives: { thrifty: { lambda: 0 } }, ...routing }
    config['proof'] = proof
    config['admin'] = { key: ADMIN }
    config['budgets'] = { webhook: { url: `${upstream.url}/hook` } }
    Object.assign(config, more)
  })
  bench.upstream.always('/v1/chat/completions', judge)
  bench.upstream.always('/hook', { status: 204 })
  return bench
}

/** Knows arithmetic, and is asked about one answer or two. */
function honestJudge(request: ReceivedRequest): Behaviour {
  const text = JSON.stringify(request.json)
  const [, a = '0', b = '0'] = /What is (\d+) \* (\d+)\?/.exec(text) ?? []
  const right = String(Number(a) * Number(b))
  const graded = (tag: string) => (new RegExp(`<${tag}-\\w+>(.*?)</${tag}`).exec(text)?.[1]?.includes(`= ${right}`) === true ? 10 : 0)
  return chatReply({
    model: 'judge',
    text: text.includes('<first-answer')
      ? `First: ${graded('first-answer')}\nSecond: ${graded('second-answer')}`
      : `It says so. Score: ${graded('answer')}`,
  })
}

const question = (index: number) => [{ role: 'user', content: `What is ${100 + index} * 7?` }]
const ask = (bench: Bench, index: number, headers: Record<string, string> = {}, body: Record<string, unknown> = {}) =>
  bench.post('/v1/chat/completions', { model: 'auto', messages: question(index), ...body }, headers)

/** So many requests, some at a time. */
async function drive(bench: Bench, count: number, from = 0): Promise<void> {
  for (let index = from; index < from + count; index += 20)
    await Promise.all(
      Array.from({ length: Math.min(20, from + count - index) }, async (_, offset) => {
        const response = await ask(bench, index + offset)
        expect(response.status).toBe(200)
        await response.arrayBuffer()
      }),
    )
}

const decisionsOf = (bench: Bench): Promise<readonly DecisionRecord[]> => bench.gateway.ledger.decisions({ limit: 10_000 })
const outcomesOf = (bench: Bench): Promise<readonly OutcomeRecord[]> => bench.gateway.ledger.outcomes({ limit: 10_000 })

async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    if (await met()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it never came about')
}

async function metric(bench: Bench, series: string): Promise<number> {
  const text = await (await fetch(`${bench.url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })).text()
  return Number(new RegExp(`^${series.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}

const admin = async (bench: Bench, path: string, init: RequestInit = {}) =>
  (
    await fetch(`${bench.url}${path}`, { ...init, headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' } })
  ).json() as Promise<Record<string, unknown>>

describe('holdout', () => {
  it('takes its share, and every decision says how probable it was', async () => {
    const bench = await start({ holdout: 0.25 }, { arms: equal })
    await drive(bench, 100)
    const decisions = await decisionsOf(bench)
    const held = decisions.filter(({ trial }) => trial?.heldOut === true)
    expect(held.length).toBeGreaterThan(10)
    expect(held.length).toBeLessThan(42)
    for (const { arm, propensity, trial, policy, weighed } of decisions) {
      expect(trial).toMatchObject({ holdout: 0.25, heldOut: arm === weighed?.reference ? expect.anything() : false })
      expect(propensity).toBeCloseTo(arm === trial?.policyArm ? (arm === weighed?.reference ? 1 : 0.75) : 0.25, 12)
      expect(policy).toContain('holdout(')
    }
    expect(new Set(decisions.map(({ trial }) => trial?.unit)).size).toBe(100)
    expect(await metric(bench, 'bursar_proof_trials_total{group="reference"}')).toBe(held.length)
  })

  it('is told in words', async () => {
    const bench = await start({ holdout: 0.5 })
    await drive(bench, 10)
    const held = (await decisionsOf(bench)).find(({ trial }) => trial?.heldOut === true)
    const told = (await (
      await fetch(`${bench.url}/v1/decisions/${held?.decisionId}`, { headers: { authorization: `Bearer ${KEY}` } })
    ).json()) as Record<string, unknown>
    expect(told).toMatchObject({
      arm: 'box/large',
      propensity: 0.5,
      trial: { held_out: true, holdout: 0.5, policy_arm: 'box/small?refuse' },
    })
    expect(told['explanation']).toContain('held out to the reference')
  })

  it('leaves those alone who don’t want it, named arms, and all where it is 0', async () => {
    const bench = await start({ holdout: 0.5 })
    for (let index = 0; index < 10; index++)
      expect((await ask(bench, index, { 'x-bursar-explore': 'off' })).headers.get('x-bursar-arm')).toBe('box/small?refuse')
    for (const { propensity, trial } of await decisionsOf(bench)) expect([propensity, trial]).toEqual([1, undefined])
    const off = await start({ holdout: 0 })
    await drive(off, 10)
    for (const decision of await decisionsOf(off)) expect(decision.trial).toBeUndefined()
  })

  it('keeps a conversation in its group, named or known by what was answered', async () => {
    const bench = await start({ holdout: 0.5 })
    const groups = async (headers: (index: number) => Record<string, string>) => {
      const units = new Map<string, Set<boolean>>()
      for (let index = 0; index < 12; index++) {
        const messages: Record<string, unknown>[] = [{ role: 'system', content: 'Be brief.' }]
        for (let turn = 0; turn < 3; turn++) {
          messages.push({ role: 'user', content: `What is ${index} * ${turn + 3}?` })
          const response = await bench.post('/v1/chat/completions', { model: 'auto', messages }, headers(index))
          const decision = await bench.gateway.ledger.decision(response.headers.get('x-bursar-decision') ?? '')
          const { unit = '', heldOut = false } = decision?.trial ?? {}
          units.set(unit, (units.get(unit) ?? new Set()).add(heldOut))
          const body = (await response.json()) as { choices: { message: Record<string, unknown> }[] }
          messages.push({ role: 'assistant', content: body.choices[0]?.message['content'] ?? '…' })
        }
      }
      return [...units.values()]
    }
    for (const conversations of [await groups(() => ({})), await groups((index) => ({ 'x-bursar-session': `s${index}` }))]) {
      expect(conversations.length).toBe(12)
      for (const held of conversations) expect(held.size).toBe(1)
      expect(new Set(conversations.map((held) => held.has(true))).size).toBe(2)
    }
  })
})

describe('the guardrail', () => {
  it('takes a worse arm out of use by itself, says so, keeps it beyond the process, and lets an operator resume', async () => {
    const state = join(mkdtempSync(join(folder, 'kept-')), 'kept.proof')
    const proof = { holdout: 0.5, judge: { model: 'up/judge', share: 1, usd_per_day: 1000 }, state }
    const bench = await start(proof)
    for (let round = 0; round < 8 && !bench.log.some((line) => line.includes('rolled back')); round++) {
      await drive(bench, 40, round * 40)
      await until(async () => (await outcomesOf(bench)).length >= (await decisionsOf(bench)).filter(({ trial }) => trial).length)
    }
    expect(bench.log.some((line) => line.includes('routing was rolled back'))).toBe(true)
    const after = await ask(bench, 1000)
    expect(after.headers.get('x-bursar-arm')).toBe('box/large')
    expect(after.headers.get('x-bursar-policy')).toBe('rolled-back')
    expect(after.headers.get('x-bursar-reason')).toContain('its quality is proven worse by more than 2.0 points')
    const { propensity, trial } = (await bench.gateway.ledger.decision(after.headers.get('x-bursar-decision') ?? '')) ?? {}
    expect([propensity, trial]).toEqual([1, undefined])
    expect(await metric(bench, 'bursar_proof_rollbacks_total{scope="all"}')).toBe(1)
    const told = () => bench.upstream.requests.find(({ path }) => path === '/hook')?.json
    await until(() => told() !== undefined)
    expect(told()).toMatchObject({
      type: 'proof.rolled_back',
      scope: 'all',
      margin: 0.02,
      text: expect.stringContaining('went back to the reference') as string,
    })
    const status = await admin(bench, '/admin/proof')
    expect(status).toMatchObject({ guardrail: 'on', margin: 0.02, scopes: [{ scope: 'all', rolled_back: { evidence: 'judge' } }] })
    await until(() => readFileSync(state, 'utf8').includes('"all"'))

    const next = await start(proof)
    expect((await ask(next, 1)).headers.get('x-bursar-policy')).toBe('rolled-back')
    expect(await admin(next, '/admin/proof/resume', { method: 'POST', body: '{"scope":"organisation:none"}' })).toMatchObject({
      error: { code: 'not_found' },
    })
    expect(await admin(next, '/admin/proof/resume', { method: 'POST', body: '{}' })).toMatchObject({
      scopes: [{ scope: 'all', rolled_back: null }],
    })
    expect((await ask(next, 2)).headers.get('x-bursar-policy')).not.toBe('rolled-back')
    expect(JSON.parse(readFileSync(state, 'utf8'))).toMatchObject({ rolledBack: [], since: { all: expect.any(Number) as number } })
  })

  it('leaves an arm alone that is as good', async () => {
    const bench = await start({ holdout: 0.5, judge: { model: 'up/judge', share: 1, usd_per_day: 1000 } }, { arms: equal })
    await drive(bench, 60)
    await until(async () => (await outcomesOf(bench)).length >= 60)
    const outcomes = await outcomesOf(bench)
    expect(outcomes[0]).toMatchObject({ source: 'judge:up/judge', sought: 1, key: 'test' })
    expect(new Set(outcomes.map(({ score }) => score))).toEqual(new Set([0, 1]))
    expect(await admin(bench, '/admin/proof')).toMatchObject({
      scopes: [{ scope: 'all', rolled_back: null, evidence: [{ evidence: 'judge', trials: 60 }] }],
    })
    expect((await ask(bench, 1000)).headers.get('x-bursar-policy')).toContain('holdout')
  })

  it('heeds feedback and checks, by organisation too', async () => {
    const bench = await start(
      { holdout: 0.5 },
      {
        more: {
          organisations: { acme: {}, other: {} },
          keys: [
            { name: 'test', key: KEY, organisation: 'acme' },
            { name: 'two', key: 'sk-two-0123456789abcdef', organisation: 'other' },
          ],
        },
      },
    )
    for (let round = 0; round < 7; round++)
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const response = await ask(bench, 20 * round + index)
          await bench.post('/v1/feedback', {
            decision_id: response.headers.get('x-bursar-decision'),
            score: response.headers.get('x-bursar-arm') === 'box/large' ? 1 : 0,
          })
        }),
      )
    const { scopes } = (await admin(bench, '/admin/proof')) as { scopes: { scope: string; rolled_back: unknown }[] }
    expect(scopes.map(({ scope, rolled_back }) => [scope, rolled_back !== null])).toEqual([
      ['all', true],
      ['organisation:acme', true],
    ])
    await admin(bench, '/admin/proof/resume', { method: 'POST', body: '{}' })
    expect((await ask(bench, 1)).headers.get('x-bursar-policy')).toBe('rolled-back')
    expect((await ask(bench, 1, { authorization: 'Bearer sk-two-0123456789abcdef' })).headers.get('x-bursar-policy')).not.toBe(
      'rolled-back',
    )
  })

  it('can be turned off', async () => {
    const bench = await start({ holdout: 0.5, guardrail: 'off' })
    const response = await ask(bench, 1)
    await bench.post('/v1/feedback', { decision_id: response.headers.get('x-bursar-decision'), score: 0 })
    expect(await admin(bench, '/admin/proof')).toMatchObject({
      guardrail: 'off',
      scopes: [{ scope: 'all', rolled_back: null, evidence: [] }],
    })
  })
})

describe('the sampled judge', () => {
  const judged = (more: Record<string, unknown> = {}) => ({
    holdout: 0.5,
    judge: { model: 'up/judge', share: 1, usd_per_day: 1000, ...more },
  })

  it('grades streams and whole answers of every format, and is billed to nobody who calls', async () => {
    const bench = await start(judged())
    const bodies = [
      ['/v1/chat/completions', { model: 'auto', messages: question(1), stream: true }],
      ['/v1/messages', { model: 'auto', max_tokens: 100, messages: question(2) }],
      ['/v1/messages', { model: 'auto', max_tokens: 100, messages: question(3), stream: true }],
      ['/v1/responses', { model: 'auto', input: 'What is 104 * 7?' }],
    ] as const
    for (const [path, body] of bodies) await (await bench.post(path, body)).arrayBuffer()
    await until(async () => (await outcomesOf(bench)).length === 4)
    const outcomes = await outcomesOf(bench)
    for (const { decisionId, score } of outcomes) {
      const decision = await bench.gateway.ledger.decision(decisionId ?? '')
      if (decision?.arm === 'box/small?refuse') expect(score).toBe(0)
    }
    const calls = (await bench.gateway.ledger.calls({ limit: 100 })).filter(({ model }) => model === 'judge')
    expect(calls.length).toBe(4)
    for (const call of calls)
      expect(call).toMatchObject({ key: 'bursar:learning', organisation: 'bursar:learning', tags: { purpose: 'judge' }, end: 'complete' })
    // What people wrote is in none of the records.
    expect(JSON.stringify(outcomes)).not.toContain('104')
  })

  it('never delays an answer, nor the end', async () => {
    const bench = await start(judged(), { judge: () => ({ neverAnswer: true }) })
    await drive(bench, 20)
    expect(await outcomesOf(bench)).toEqual([])
    await benches.close(bench)
  })

  it.each([
    ['is down', () => openaiError(400, 'no'), {}, 'failed'],
    ['talks nonsense', () => chatReply({ model: 'judge', text: 'I would rather not say. Score: 11' }), {}, 'unreadable'],
    ['may cost nothing', honestJudge, { usd_per_day: 0 }, 'budget_spent'],
    ['has no known price', honestJudge, { model: 'up/unpriced' }, 'unpriced'],
  ] as const)('that %s harms no request, and is counted', async (_, judge, more, result) => {
    const bench = await start(judged(more), { judge })
    await drive(bench, 5)
    await until(async () => (await metric(bench, `bursar_proof_work_total{purpose="judge",result="${result}"}`)) >= 1)
    expect(await outcomesOf(bench)).toEqual([])
  })

  it('asks people for a word, and knows how probable that was', async () => {
    const bench = await start(judged({ people_share: 0.5 }), { judge: () => openaiError(400, 'no') })
    const wanted: string[] = []
    for (let index = 0; index < 20; index++) {
      const response = await ask(bench, index)
      const decision = response.headers.get('x-bursar-decision') ?? ''
      if (response.headers.get('x-bursar-feedback') === 'wanted') wanted.push(decision)
      await bench.post('/v1/feedback', { decision_id: decision, score: 1 })
    }
    expect(wanted.length).toBeGreaterThan(2)
    expect(wanted.length).toBeLessThan(18)
    for (const { decisionId = '', sought } of await outcomesOf(bench)) expect(sought).toBe(wanted.includes(decisionId) ? 0.5 : undefined)
  })

  it('teaches what is expected of the arms', async () => {
    const bench = await start(judged(), { arms: ['box/large', 'box/small?refuse'], routing: { objective: 'best' } })
    const expected = async () =>
      (await decisionsOf(bench))[0]?.weighed?.arms.find(({ arm }) => arm === 'box/small?refuse')?.quality ?? Number.NaN
    await ask(bench, 0)
    const before = await expected()
    for (let index = 0; index < 15; index++)
      await ask(bench, index, {}, { models: ['box/small?refuse', 'box/large'], bursar: { lambda: 0 } })
    await until(async () => (await outcomesOf(bench)).length === 16)
    await ask(bench, 50)
    expect(await expected()).toBeLessThan(before - 0.1)
  })
})

describe('shadow calls', () => {
  it('let the reference answer too, and grade both in both orders', async () => {
    const bench = await start({
      holdout: 0.01,
      judge: { model: 'up/judge', share: 0, usd_per_day: 1000 },
      shadow: { share: 1, usd_per_day: 1000 },
    })
    await drive(bench, 6)
    await until(async () => (await metric(bench, 'bursar_proof_work_total{purpose="shadow",result="done"}')) === 6)
    const outcomes = await outcomesOf(bench)
    expect(outcomes.length).toBe(12)
    for (const { source, sought } of outcomes) expect([source, sought]).toEqual(['judge-pair:up/judge', 1])
    for (const { score } of outcomes.filter(({ arm }) => arm === undefined)) expect(score).toBe(0)
    expect(outcomes.filter(({ arm, score }) => arm === 'box/large' && score === 1).length).toBeGreaterThanOrEqual(5)
    const calls = await bench.gateway.ledger.calls({ key: 'bursar:learning', limit: 100 })
    expect(calls.map(({ model, tags }) => `${model} ${tags?.['purpose']}`).sort()).toEqual([
      ...Array<string>(12).fill('judge judge'),
      ...Array<string>(6).fill('large shadow'),
    ])
    expect((await bench.gateway.ledger.calls({ key: 'test', limit: 100 })).length).toBe(6)
    expect(await admin(bench, '/admin/proof')).toMatchObject({ scopes: [{ evidence: [{ evidence: 'pair', trials: 6 }] }] })
  })

  it('cost no more than they may', async () => {
    const bench = await start({ holdout: 0.01, judge: { model: 'up/judge', share: 0 }, shadow: { share: 1, usd_per_day: 0.000001 } })
    await drive(bench, 3)
    await until(async () => (await metric(bench, 'bursar_proof_work_total{purpose="shadow",result="budget_spent"}')) === 3)
    expect(await bench.gateway.ledger.calls({ key: 'bursar:learning', limit: 100 })).toEqual([])
  })
})

describe('a model that others may answer for', () => {
  it('is the reference of requests that name it', async () => {
    const bench = await start({ holdout: 0.5 }, { arms: ['box/small', 'box/large'], routing: { instead_of: ['box/med*'] } })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(bench, index, {}, { model: 'box/medium' })))
    expect(new Set(answers.map((response) => response.headers.get('x-bursar-arm')))).toEqual(new Set(['box/small', 'box/medium']))
    for (const response of answers) expect(response.headers.get('x-bursar-reference')).toBe('box/medium')
    const [decision] = await decisionsOf(bench)
    expect(decision).toMatchObject({
      requestedModel: 'box/medium',
      weighed: { reference: 'box/medium' },
      trial: { policyArm: 'box/small' },
    })
    expect(
      (await ask(bench, 1, { 'x-bursar-explore': 'off', 'x-bursar-lambda': '0' }, { model: 'box/medium' })).headers.get('x-bursar-arm'),
    ).toBe('box/small')
  })

  it('is asked itself where it isn’t named in the configuration, or is an embedding model', async () => {
    const bench = await start({ holdout: 0.5 }, { arms: ['box/small', 'box/large'], routing: { instead_of: ['box/*'] } })
    expect((await bench.post('/v1/embeddings', { model: 'box/embed', input: 'x' })).status).toBe(200)
    const plain = await start({ holdout: 0.5 }, { arms: ['box/small', 'box/large'] })
    expect((await ask(plain, 1, {}, { model: 'box/medium' })).headers.get('x-bursar-arm')).toBeNull()
  })

  it('must be the key’s to name', async () => {
    const bench = await start(
      { holdout: 0.5 },
      {
        arms: ['box/small', 'box/large'],
        routing: { instead_of: ['box/*'] },
        more: { keys: [{ name: 'test', key: KEY, models: ['box/small'] }] },
      },
    )
    expect((await ask(bench, 1, {}, { model: 'box/medium' })).status).toBe(403)
    expect((await ask(bench, 1, {}, { model: 'box/small' })).headers.get('x-bursar-arm')).toBe('box/small')
  })
})
