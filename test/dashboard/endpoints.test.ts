import { describe, expect, it } from 'vitest'
import { parseStrategy, specHash } from '../../src/strategies/index.js'
import { chatReply } from '../upstream/index.js'
import { chat, KEY, type Bench } from '../gateway/harness.js'
import { openedBenches } from '../gateway/opened-benches.js'

const ADMIN = 'sk-admin-0123456789abcdef'
const OTHER = 'sk-other-0123456789abcdef'

const benches = openedBenches()

const cascade = {
  kind: 'cascade',
  rungs: [{ strategy: { kind: 'self_consistency', model: 'box/small', most: 3 }, accept: { evidence: 0.6 } }, { strategy: 'box/large' }],
}

function start(change: (config: Record<string, unknown>) => void = () => {}): Promise<Bench> {
  return benches.start((config) => {
    Object.assign(config['providers'] as object, { box: { type: 'sandbox', speed: 1000 } })
    config['admin'] = { key: ADMIN }
    config['organisations'] = { acme: { budgets: [{ usd: 100, per: 'month' }] } }
    config['keys'] = [
      {
        name: 'test',
        key: KEY,
        organisation: 'acme',
        budgets: [
          { calls: 10, per: 'day' },
          { calls: 2, per: 'total', hard: false },
        ],
      },
      { name: 'other', key: OTHER },
    ]
    config['routing'] = {
      arms: ['box/small', 'box/large', { name: 'careful', strategy: cascade }],
      reference: 'box/large',
      exploration: { share: 0 },
    }
    change(config)
  })
}

async function get<Body = Record<string, unknown>>(
  bench: Bench,
  path: string,
  key: string | undefined = ADMIN,
): Promise<{ status: number; body: Body }> {
  const response = await fetch(`${bench.url}${path}`, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } })
  const body: Body = JSON.parse(await response.text())
  return { status: response.status, body }
}

async function ask(bench: Bench, model: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await bench.post('/v1/chat/completions', chat(model, { max_tokens: 50 }), headers)
  expect(response.status).toBe(200)
  await response.arrayBuffer()
  return response.headers.get('x-bursar-decision') ?? ''
}

interface Page {
  readonly data: readonly {
    readonly id: string
    readonly key: string
    readonly weighed_arms: number
    readonly alternatives?: unknown
    readonly expected?: { readonly arm: string } | null
  }[]
  readonly next: string | null
}

describe('GET /v1/decisions', () => {
  it('lists every decision once, the newest first, page by page', async () => {
    const bench = await start()
    const made: string[] = []
    for (let turn = 0; turn < 7; turn++) made.push(await ask(bench, turn % 2 === 0 ? 'auto' : 'box/small'))
    const seen: string[] = []
    for (let after = '', pages = 0; pages < 10; pages++) {
      const { status, body } = await get<Page>(bench, `/v1/decisions?limit=3${after === '' ? '' : `&after=${after}`}`)
      expect(status).toBe(200)
      seen.push(...body.data.map(({ id }) => id))
      if (body.next === null) break
      after = body.next
    }
    expect(seen).toEqual(made.reverse())
  })

  it('lists those alone that weighed several arms, with what was expected, and leaves the alternatives to the decision itself', async () => {
    const bench = await start()
    const auto = await ask(bench, 'auto')
    await ask(bench, 'box/small')
    const { body } = await get<Page>(bench, '/v1/decisions?weighed=true')
    expect(body.data.map(({ id }) => id)).toEqual([auto])
    expect(body.data[0]).toMatchObject({ weighed_arms: 3, key: 'test' })
    expect(body.data[0]?.expected?.arm).toBeDefined()
    expect(body.data[0]?.alternatives).toBeUndefined()
    expect((await get<{ alternatives: unknown[] }>(bench, `/v1/decisions/${auto}`)).body.alternatives).toHaveLength(3)
  })

  it('shows a key its own decisions only, and refuses what it does not know', async () => {
    const bench = await start()
    const own = await ask(bench, 'box/small')
    await ask(bench, 'box/small', { authorization: `Bearer ${OTHER}` })
    expect((await get<Page>(bench, '/v1/decisions', KEY)).body.data.map(({ id }) => id)).toEqual([own])
    expect((await get(bench, '/v1/decisions?key=other', KEY)).status).toBe(403)
    expect((await get<Page>(bench, '/v1/decisions?key=other')).body.data.map(({ key }) => key)).toEqual(['other'])
    expect(await get(bench, `/v1/decisions?after=${own}`, OTHER)).toMatchObject({ status: 400, body: { error: { param: 'after' } } })
    expect(await get(bench, '/v1/decisions?limit=0')).toMatchObject({ status: 400, body: { error: { param: 'limit' } } })
    expect(await get(bench, '/v1/decisions?page=2')).toMatchObject({ status: 400, body: { error: { param: 'page' } } })
    expect((await get(bench, '/v1/decisions', 'sk-nobody')).status).toBe(401)
  })
})

describe('GET /admin/routing', () => {
  interface Answer {
    readonly reference: string
    readonly objectives: Record<string, unknown>
    readonly arms: readonly {
      readonly id: string
      readonly reference: boolean
      readonly strategy: { readonly hash: string; readonly words: string; readonly outline: unknown; readonly most_calls: number }
      readonly learned_outcomes: {
        readonly by_organisation: readonly { readonly organisation: string | null; readonly outcomes: number }[]
      }
    }[]
  }

  it('outlines each strategy with its settings, and has the hash that the strategy has', async () => {
    const bench = await start()
    const { body } = await get<Answer>(bench, '/admin/routing')
    expect(body.arms.map(({ id, reference }) => [id, reference])).toEqual([
      ['box/small', false],
      ['box/large', true],
      ['careful', false],
    ])
    expect(Object.keys(body.objectives)).toEqual(expect.arrayContaining(['cheap', 'balanced', 'best']))
    const careful = body.arms[2]
    expect(careful?.strategy.hash).toBe(specHash(parseStrategy(cascade)))
    expect(careful?.strategy.outline).toMatchObject({
      kind: 'cascade',
      parts: [
        {
          kind: 'self_consistency',
          role: 'rungs 1',
          settings: expect.arrayContaining([
            { name: 'model', value: 'box/small' },
            { name: 'most', value: '3' },
          ]),
        },
        { kind: 'single', role: 'rungs 2', settings: [{ name: 'model', value: 'box/large' }] },
      ],
    })
    expect(careful?.strategy.outline).toMatchObject({ settings: [{ name: 'rungs 1 accept', value: 'evidence: 0.6' }] })
    expect(careful?.strategy.most_calls).toBe(4)
  })

  it('counts outcomes for the arm and the organisation that they were learned of', async () => {
    const bench = await start((config) => (config['routing'] = { ...(config['routing'] as object), learning: { verifiers: false } }))
    const decision = await ask(bench, 'auto')
    const { body: decided } = await get<{ arm: string }>(bench, `/v1/decisions/${decision}`)
    expect((await bench.post('/v1/feedback', { decision_id: decision, score: 1 })).ok).toBe(true)
    const { body } = await get<Answer>(bench, '/admin/routing')
    for (const { id, learned_outcomes: learned } of body.arms) {
      const [own] = learned.by_organisation
      expect(own?.organisation).toBe('acme')
      if (id === decided.arm) expect(own?.outcomes).toBeGreaterThan(0)
      else expect(own?.outcomes).toBe(0)
    }
  })

  it('is for the admin key, and holds no secret', async () => {
    const bench = await start()
    for (const path of ['/admin/routing', '/admin/budgets', '/admin/deployments']) {
      expect((await get(bench, path, KEY)).status).toBe(403)
      expect((await get(bench, path, 'sk-nobody')).status).toBe(401)
      expect(await get(bench, `${path}?more=1`)).toMatchObject({ status: 400 })
      expect(JSON.stringify((await get(bench, path)).body)).not.toMatch(/sk-(admin|test|other|upstream|ant)/)
    }
  })
})

describe('GET /admin/budgets', () => {
  interface Answer {
    readonly data: readonly {
      readonly name: string
      readonly budgets: readonly {
        readonly level: string
        readonly unit: string
        readonly hard: boolean
        readonly limit: number
        readonly used: number
        readonly held: number
        readonly left: number
        readonly regime: string | null
      }[]
    }[]
  }

  it('tells what is spent, held and left of each limit that holds for a key, those above it included', async () => {
    const bench = await start()
    for (let turn = 0; turn < 9; turn++) await ask(bench, 'box/small')
    const { body } = await get<Answer>(bench, '/admin/budgets')
    const own = body.data.find(({ name }) => name === 'test')?.budgets ?? []
    expect(own.map(({ level, unit, hard }) => [level, unit, hard])).toEqual([
      ['organisation', 'usd', true],
      ['key', 'calls', true],
      ['key', 'calls', false],
    ])
    expect(own[1]).toMatchObject({ limit: 10, used: 9, held: 0, left: 1, regime: 'last_call' })
    expect(own[2]).toMatchObject({ limit: 2, used: 9, left: 0, regime: null })
    expect(own[0]?.regime).toBe('ample')
    expect(body.data.find(({ name }) => name === 'other')?.budgets).toEqual([])
    const accounts = await get<Answer>(bench, '/admin/budgets?kind=account')
    expect(accounts.body.data.map(({ name, budgets }) => [name, budgets.length])).toEqual([['acme', 1]])
  })

  it('shows what a call under way holds', async () => {
    const bench = await start()
    let release = (): void => {}
    const waiting = new Promise<void>((resolve) => (release = resolve))
    bench.upstream.always('/v1/chat/completions', { ...chatReply({ model: 'mock', text: 'yes' }), until: waiting })
    const answering = bench.post('/v1/chat/completions', chat('fast', { max_tokens: 20 }))
    let held = 0
    for (let turn = 0; turn < 200 && held === 0; turn++) {
      const { body } = await get<Answer>(bench, '/admin/budgets')
      held = body.data.find(({ name }) => name === 'test')?.budgets.find(({ unit, hard }) => unit === 'calls' && hard)?.held ?? 0
      if (held === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    release()
    await (await answering).arrayBuffer()
    expect(held).toBe(1)
  })
})

describe('GET /admin/deployments', () => {
  it('says which deployment rests after faults, first, and what the others cost', async () => {
    const bench = await start((config) => {
      config['cooldown'] = { after_faults: 1, seconds: 60 }
      config['retries'] = { attempts: 0, base_seconds: 0.01, max_wait_seconds: 1 }
    })
    bench.upstream.always('/v1/chat/completions', { status: 500, body: { error: { message: 'broken' } } })
    await (await bench.post('/v1/chat/completions', chat('fast'))).arrayBuffer()
    const { body } = await get<{
      data: readonly { id: string; state: string; rest_seconds: number; names: string[]; usd_per_million: unknown }[]
    }>(bench, '/admin/deployments')
    expect(body.data[0]).toMatchObject({
      id: 'up/mock',
      state: 'resting',
      names: ['fast'],
      usd_per_million: { input: 1, cache_read: 0.25, output: 4 },
    })
    expect(body.data[0]?.rest_seconds).toBeGreaterThan(0)
    expect(body.data.slice(1).map(({ state }) => state)).not.toContain('resting')
  })
})
