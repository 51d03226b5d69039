import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { KEY, type Bench } from './harness.js'
import { ask, onlySandbox, openedBenches } from './opened-benches.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-learning-'))
afterAll(() => rmSync(folder, { recursive: true }))

const benches = openedBenches()
const start = (routing: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  benches.start(onlySandbox({ proof: { holdout: 0 }, routing: { learning: { trusted_keys: ['test'] }, ...routing }, ...more }))

interface Told {
  readonly steps?: readonly { readonly name: string; readonly model: string; readonly note: string | null }[]
  readonly propensity: number
  readonly arm: string
  readonly policy: string
  readonly reason: string
  readonly calls: readonly { readonly model: string }[]
}

const authorization = { authorization: `Bearer ${KEY}` }
const decisionOf = (response: Response) => response.headers.get('x-bursar-decision') ?? ''
const told = async (bench: Bench, response: Response) =>
  (await (await fetch(`${bench.url}/v1/decisions/${decisionOf(response)}`, { headers: authorization })).json()) as Told

async function feedback(bench: Bench, response: Response, score: number, headers: Record<string, string> = {}): Promise<void> {
  expect((await bench.post('/v1/feedback', { decision_id: decisionOf(response), score }, headers)).status).toBe(201)
}

const question = 'What is 2 + 2? Reply with the number only.'
const modelsAsked = async (bench: Bench, response: Response) => new Set((await told(bench, response)).calls.map(({ model }) => model))

describe('a switch of models', () => {
  const arms = [
    'box/large',
    { name: 'switch', strategy: { kind: 'model_switch', models: ['box/large', 'box/medium'], samples: 2, threshold: 0.75, stop: 'never' } },
  ]

  it('passes on what it accepted before, once feedback said that agreement is worth little; also after a restart', async () => {
    const state = join(folder, 'switch.routing')
    const bench = await start({ arms, predictor: { state } })
    const first = await ask(bench, 'switch', question)
    expect(await modelsAsked(bench, first)).toEqual(new Set(['large']))
    for (let time = 0; time < 25; time++) await feedback(bench, await ask(bench, 'switch', question), 0)
    const later = await ask(bench, 'switch', question)
    expect(await modelsAsked(bench, later)).toEqual(new Set(['large', 'medium']))
    expect((await told(bench, later)).steps?.map(({ name }) => name)).toContain('escalate')
    await benches.close(bench)

    const again = await start({ arms, predictor: { state } })
    expect(await modelsAsked(again, await ask(again, 'switch', question))).toEqual(new Set(['large', 'medium']))
    for (let time = 0; time < 60; time++) await feedback(again, await ask(again, 'switch', question), 1)
    const model = (await told(again, await ask(again, 'switch', question))).steps
    expect(model?.some(({ note }) => note?.includes('agree') === true)).toBe(true)
  })

  it('is another organisation’s own, and one key alone moves it by no more than its bound', async () => {
    const other = 'sk-test-other-0123456789'
    const bench = await start(
      { arms, learning: { max_influence: 0.1 } },
      {
        organisations: { one: {}, two: {} },
        keys: [
          { name: 'test', key: KEY, organisation: 'one' },
          { name: 'other', key: other, organisation: 'two' },
        ],
      },
    )
    for (let time = 0; time < 25; time++) await feedback(bench, await ask(bench, 'switch', question), 0)
    expect(await modelsAsked(bench, await ask(bench, 'switch', question))).toEqual(new Set(['large']))
    const elsewhere = await ask(bench, 'switch', question, { authorization: `Bearer ${other}` })
    expect(elsewhere.status).toBe(200)
  })

  it('begins anew where its file was spoilt, and says which file', async () => {
    const state = join(folder, 'spoilt.routing')
    const bench = await start({ arms, predictor: { state } })
    for (let time = 0; time < 25; time++) await feedback(bench, await ask(bench, 'switch', question), 0)
    await benches.close(bench)
    const file = `${state}.learned`
    const kept = readFileSync(file, 'utf8')
    expect(kept).not.toContain('2 + 2')
    writeFileSync(file, kept.replace('"version":1', '"version":7'))
    const again = await start({ arms, predictor: { state } })
    expect(again.log.join('\n')).toContain('spoilt.routing.learned.refused')
    expect(await modelsAsked(again, await ask(again, 'switch', question))).toEqual(new Set(['large']))
  })
})

describe('a library of strategies', () => {
  const arms = [
    'box/large',
    {
      name: 'improving',
      strategy: {
        kind: 'library',
        lambda: 1,
        explore: 0,
        strategies: ['box/small', { kind: 'self_consistency', model: 'box/medium', most: 3 }],
      },
    },
  ]

  it('goes over to what feedback says is better, tells why, and keeps it across a restart', async () => {
    const state = join(folder, 'library.routing')
    const bench = await start({ arms, predictor: { state } })
    const first = await ask(bench, 'improving', question)
    expect(await modelsAsked(bench, first)).toEqual(new Set(['small']))
    expect((await told(bench, first)).steps?.[0]?.note).toMatch(
      /^"library" chose among 2 strategies, with probability 1\.00: Asks box\/small/,
    )
    for (let time = 0; time < 8; time++) await feedback(bench, await ask(bench, 'improving', question), 0)
    const later = await ask(bench, 'improving', question)
    expect(await modelsAsked(bench, later)).toEqual(new Set(['medium']))
    expect((await told(bench, later)).steps?.map(({ name }) => name)).toContain('answer: vote')
    await benches.close(bench)
    const again = await start({ arms, predictor: { state } })
    expect(await modelsAsked(again, await ask(again, 'improving', question))).toEqual(new Set(['medium']))
  })

  it('streams, and is refused with the path of what is wrong', async () => {
    const bench = await start({ arms })
    const response = await ask(bench, 'improving', question, {}, { stream: true })
    expect(await response.text()).toContain('[DONE]')
    const library = (more: Record<string, unknown>) =>
      start({ arms: [{ name: 'x', strategy: { kind: 'library', strategies: ['box/small'], ...more } }] })
    await expect(library({ strategies: [] })).rejects.toThrow('routing.arms[0].strategy.strategies')
    await expect(library({ lamda: 1 })).rejects.toThrow(/lamda[^]*expected name, strategies, lambda/)
    await expect(library({ explore: 2 })).rejects.toThrow('routing.arms[0].strategy.explore')
    await expect(library({ guide: { model: 'box/small', most_calls: 100 } })).rejects.toThrow('routing.arms[0].strategy.guide.most_calls')
    await expect(library({ strategies: [{ kind: 'library', strategies: ['box/small'] }] })).rejects.toThrow('holds no libraries')
  })
})

describe('a policy with a memory of its own', () => {
  it.each(['thompson', 'lin_ucb'])('%s picks after a restart as before', async (kind) => {
    const state = join(folder, `${kind}.routing`)
    const routing = { arms: ['box/small', 'box/large'], policy: { kind }, exploration: { share: 0 }, sticky: false, predictor: { state } }
    const bench = await start(routing)
    for (let time = 0; time < 15; time++) await feedback(bench, await ask(bench, 'auto:best', `${question} ${time}`), 0)
    await benches.close(bench)
    const kept = JSON.parse(readFileSync(`${state}.learned`, 'utf8').split('\n')[2] ?? '{}') as {
      policy?: { kind?: string; bytes?: string }
    }
    expect(kept.policy?.kind).toBe(kind)
    const posteriors = JSON.parse(Buffer.from(kept.policy?.bytes ?? '', 'base64').toString()) as { posteriors: [string, number][] }
    expect(posteriors.posteriors.reduce((sum, [, observations]) => sum + observations, 0)).toBe(15)
    const again = await start(routing)
    expect((await ask(again, 'auto:best', question)).status).toBe(200)
    await benches.close(again)
    expect(again.log.join('\n')).not.toContain('begins anew')
  })

  it('constrained goes on with what a conversation has spent', async () => {
    const state = join(folder, 'constrained.routing')
    const routing = {
      policy: { kind: 'constrained', limits: { turns: 4, usd: 0.0005 } },
      exploration: { share: 0 },
      sticky: false,
      predictor: { state },
    }
    const spent = async (bench: Bench) =>
      Number((await ask(bench, 'auto:best', question, { 'x-bursar-session': 'one' })).headers.get('x-bursar-cost') ?? 0)
    const bench = await start(routing)
    const before = (await spent(bench)) + (await spent(bench))
    await benches.close(bench)
    const again = await start(routing)
    const reason = (await told(again, await ask(again, 'auto:best', question, { 'x-bursar-session': 'one' }))).reason
    expect(before).toBeGreaterThan(0)
    expect(reason).toContain('left for 2 turns')
  })
})

describe('an auction', () => {
  const arms = ['box/small', 'box/large']
  const auction = (more: Record<string, unknown> = {}) => ({
    arms,
    exploration: { share: 0 },
    policy: { auction: { bidders: arms, times_plans: 1, plan_tokens: 16, ...more } },
  })

  it('is held for long work whose best arm is not known, paid by the request, and told step by step', async () => {
    const bench = await start(auction())
    const long = `Plan and carry out a migration. ${'Read every module and rewrite it. '.repeat(400)}`
    const response = await ask(bench, 'auto:best', long)
    expect(response.status).toBe(200)
    const decision = await told(bench, response)
    expect(decision.policy).toContain('auctioned')
    const forced = await ask(bench, 'auction', long)
    expect(forced.status).toBe(200)
    const { steps = [], calls } = await told(bench, forced)
    expect(steps.map(({ name }) => name)).toEqual(expect.arrayContaining(['plan', 'judge', 'work']))
    expect(calls.length).toBeGreaterThanOrEqual(5)
  })

  it('is not held for small work', async () => {
    const bench = await start(auction({ times_plans: 10_000 }))
    expect((await ask(bench, 'auto:best', question)).headers.get('x-bursar-arm')).not.toBe('auction')
  })

  it.each([
    ['bidders that are no arms', { bidders: ['box/small', 'box/larg'] }, /routing\.policy\.auction\.bidders\[1\][^]*box\/large/],
    ['one bidder', { bidders: ['box/small'] }, /routing\.policy\.auction\.bidders/],
    ['a setting that there is not', { plan_token: 5 }, /plan_tokens/],
  ])('refuses %s', async (_, more, message) => {
    await expect(start(auction(more))).rejects.toThrow(message)
  })

  it('refuses an auction of a policy that draws', async () => {
    await expect(start({ arms, policy: { kind: 'thompson', auction: { bidders: arms } } })).rejects.toThrow('routing.policy.auction')
  })
})
