import { describe, expect, it } from 'vitest'
import { KEY, startBench, type Bench } from './harness.js'

async function start(routing: Record<string, unknown>): Promise<Bench> {
  return startBench((config) => {
    config['providers'] = { box: { type: 'sandbox', speed: 1000 } }
    config['models'] = {}
    config['prices'] = {}
    config['routing'] = routing
    config['proof'] = { holdout: 0 }
  })
}

async function answers(bench: Bench, count: number, headers: Record<string, string> = {}, model = 'auto:best'): Promise<Response[]> {
  const all: Response[] = []
  for (let at = 0; at < count; at++)
    all.push(await bench.post('/v1/chat/completions', { model, messages: [{ role: 'user', content: `What is ${at} * 23?` }] }, headers))
  return all
}

describe('routing.policy', () => {
  it.each(['thompson', 'lin_ucb'])(
    '%s picks by what it learns, gives others no more than the share, and says how probable the choice was',
    async (kind) => {
      const bench = await start({ policy: { kind }, exploration: { share: 0.3 }, sticky: false })
      try {
        const all = await answers(bench, 12, { 'x-bursar-explore': 'on' })
        expect(all.every(({ status }) => status === 200)).toBe(true)
        expect(all[0]?.headers.get('x-bursar-policy')).toBe(kind === 'lin_ucb' ? 'linucb' : 'thompson')
        const told = (await (
          await fetch(`${bench.url}/v1/decisions/${all[0]?.headers.get('x-bursar-decision')}`, {
            headers: { authorization: `Bearer ${KEY}` },
          })
        ).json()) as { propensity: number }
        expect(told.propensity).toBeGreaterThan(0)
        expect(told.propensity).toBeLessThanOrEqual(1)
      } finally {
        await bench.close()
      }
    },
  )

  it('constrained keeps a conversation within its dollars, whatever it would rather have', async () => {
    const bench = await start({
      policy: { kind: 'constrained', limits: { turns: 8, usd: 0.002 } },
      exploration: { share: 0 },
      sticky: false,
    })
    try {
      const all = await answers(bench, 8, { 'x-bursar-session': 'one' })
      const spent = all.reduce((sum, response) => sum + Number(response.headers.get('x-bursar-cost') ?? 0), 0)
      expect(all[0]?.headers.get('x-bursar-policy')).toContain('constrained')
      expect(spent).toBeGreaterThan(0)
      expect(spent).toBeLessThanOrEqual(0.002)
    } finally {
      await bench.close()
    }
  })

  it('asks whether an instant arm is sure enough, and where arms run, when the configuration says so', async () => {
    const bench = await start({
      arms: [
        { name: 'quick', model: 'box/small', effort: 'none', mode: 'instant', place: 'device', quality: 0.95 },
        { name: 'deep', model: 'box/large', effort: 'high', mode: 'reason', quality: 0.99 },
      ],
      policy: { prefer_instant: { threshold: 0.9 } },
    })
    try {
      const [response] = await answers(bench, 1)
      expect(response?.headers.get('x-bursar-policy')).toBe('exploring(sticky(placement(prefer-instant(value-of-information))))')
    } finally {
      await bench.close()
    }
  })

  it.each([
    ['a policy that there is not', { kind: 'luck' }, 'routing.policy.kind'],
    ['limits that are missing', { kind: 'constrained' }, 'routing.policy.limits'],
    ['limits of nothing', { kind: 'constrained', limits: { turns: 3 } }, 'routing.policy.limits'],
    ['turns of none', { kind: 'constrained', limits: { turns: 0, usd: 1 } }, 'routing.policy.limits.turns'],
  ])('refuses %s, with its path', async (_, policy, path) => {
    await expect(start({ policy })).rejects.toThrow(path)
  })
})

describe('names that leave the choice to Bursar', () => {
  it('stand in the list of models, and other methods on addresses that exist are told which they take', async () => {
    const bench = await start({
      arms: ['box/small', { name: 'careful', model: 'box/large', effort: 'high' }],
      objectives: { support: { lambda: 1 } },
    })
    try {
      const get = async (path: string, method = 'GET') => {
        const response = await fetch(`${bench.url}${path}`, { method, headers: { authorization: `Bearer ${KEY}` } })
        return {
          status: response.status,
          allow: response.headers.get('allow'),
          body: (await response.json()) as { data?: { id: string }[]; id?: string; error?: { code: string } },
        }
      }
      const ids = (await get('/v1/models')).body.data?.map(({ id }) => id) ?? []
      expect(ids).toEqual(expect.arrayContaining(['auto', 'auto:cheap', 'auto:support', 'careful']))
      expect(new Set(ids).size).toBe(ids.length)
      expect((await get('/v1/models/auto:support')).body.id).toBe('auto:support')
      expect((await get('/v1/models/auto:nothing')).status).toBe(404)
      expect(await get('/v1/usage', 'DELETE')).toMatchObject({ status: 405, allow: 'GET', body: { error: { code: 'method_not_allowed' } } })
      expect((await get('/v1/nowhere', 'DELETE')).status).toBe(404)
    } finally {
      await bench.close()
    }
  })
})

describe('what a user thinks', () => {
  it('is learned of that user alone, from feedback', async () => {
    const bench = await start({
      arms: ['box/small', 'box/large'],
      reference: 'box/large',
      predictor: { kind: 'preference', settings: { base: { kind: 'domain' } } },
      learning: { trusted_keys: ['test'] },
      exploration: { share: 0 },
      sticky: false,
    })
    try {
      const expected = async (user: string) => {
        const [response] = await answers(bench, 1, { 'x-bursar-user': user }, 'auto')
        const told = (await (
          await fetch(`${bench.url}/v1/decisions/${response?.headers.get('x-bursar-decision')}`, {
            headers: { authorization: `Bearer ${KEY}` },
          })
        ).json()) as { alternatives: { arm: string; quality: number }[] }
        return Object.fromEntries(told.alternatives.map(({ arm, quality }) => [arm, quality]))
      }
      for (const [user, score] of [
        ['ann', 1],
        ['bob', 0],
      ] as const)
        for (const response of await answers(bench, 30, { 'x-bursar-user': user }, 'auto'))
          expect(
            (await bench.post('/v1/feedback', { decision_id: response.headers.get('x-bursar-decision'), score, source: 'user' })).status,
          ).toBeLessThan(300)
      const [ann, bob, eve] = [await expected('ann'), await expected('bob'), await expected('eve')]
      const liked = Math.max(...Object.keys(ann).map((arm) => (ann[arm] ?? 0) - (bob[arm] ?? 0)))
      expect(liked).toBeGreaterThan(0.1)
      for (const arm of Object.keys(eve)) expect(eve[arm]).toBeGreaterThanOrEqual(Math.min(ann[arm] ?? 0, bob[arm] ?? 0))
    } finally {
      await bench.close()
    }
  })
})
