import { describe, expect, it } from 'vitest'
import { UpstreamFailure } from '../../environment/index.js'
import { seededRandom } from '../../statistics/index.js'
import { asking, played, scriptedEnvironment, wordsOf } from '../planning/fixtures/scripted-environment.js'
import { kindsOf, oneCall, playFixed, playLibrary, selfConsistency } from './fixtures/puzzles.js'
import { askGuide, dominates, fromLibrary, MOST_ENTRIES, StrategyLibrary } from './index.js'

const failure = new UpstreamFailure('down', { code: 'upstream_error', status: 502, upstreamStatus: 500, retryable: true, phase: 'request' })

/** So many runs of an entry. */
function runs(library: StrategyLibrary, hash: string, cluster: string, count: number, quality: number, usd: number): void {
  for (let run = 0; run < count; run++) library.record({ cluster, hash, quality, usd })
}

describe('a library of strategies', () => {
  it('chooses by what a right answer is worth, for each kind of question', () => {
    const library = new StrategyLibrary()
    const [cheap, dear] = [library.add('small'), library.add('large')]
    runs(library, cheap, 'easy', 20, 0.9, 0.001)
    runs(library, dear, 'easy', 20, 1, 0.01)
    runs(library, cheap, 'hard', 20, 0.1, 0.001)
    runs(library, dear, 'hard', 20, 0.9, 0.01)
    expect(library.choose('easy', 0.02)?.entry.hash).toBe(cheap)
    expect(library.choose('hard', 0.02)?.entry.hash).toBe(dear)
    expect(library.choose('easy', Infinity)?.entry.hash).toBe(dear)
    expect(library.choose('hard', 0)?.entry.hash).toBe(cheap)
    // A kind that was never seen is judged by all others.
    expect(library.choose('new', 0)?.entry.hash).toBe(cheap)
    expect(new StrategyLibrary().choose('easy', 1)).toBeUndefined()
    expect(() => library.choose('easy', Number.NaN)).toThrow(RangeError)
  })

  it('never takes a cost that is not known for a low one', () => {
    const library = new StrategyLibrary()
    const [known, unknown, thrice] = [
      library.add('small'),
      library.add('large'),
      library.add({ kind: 'self_consistency', model: 'small', most: 3, stop: 'never' }),
    ]
    runs(library, known, 'k', 10, 0.5, 0.001)
    for (const hash of [unknown, thrice]) for (let run = 0; run < 10; run++) library.record({ cluster: 'k', hash, quality: 0.6, usd: null })
    // A model without a price is as dear as the dearest known; three calls cost three.
    expect(library.choose('k', 0)?.entry.hash).toBe(known)
    expect(library.choose('k', 0.1)?.entry.hash).toBe(unknown)
  })

  it('counts what agreement and checks say less than the truth', () => {
    const library = new StrategyLibrary()
    const [told, weak] = [library.add('a'), library.add('b')]
    library.record({ cluster: 'k', hash: told, quality: 1, usd: 0 })
    library.record({ cluster: 'k', hash: weak, quality: 1, usd: 0, weak: true })
    expect(library.choose('k', 1)?.entry.hash).toBe(told)
    expect(library.failures).toBe(0)
    library.record({ cluster: 'k', hash: weak, quality: 0, weak: true })
    expect(library.failures).toBe(0)
    library.record({ cluster: 'k', hash: weak, quality: 0 })
    expect(library.failures).toBe(1)
  })

  it.each([{ quality: Number.NaN }, { quality: 1.1 }, { quality: -0.1 }, { usd: Number.NaN }, { usd: -1 }, { usd: Infinity }])(
    'learns nothing from %j',
    (outcome) => {
      const library = new StrategyLibrary()
      const hash = library.add('a')
      const before = library.serialize()
      expect(() => library.record({ cluster: 'k', hash, ...outcome })).toThrow(RangeError)
      expect(library.serialize()).toEqual(before)
    },
  )

  it('lets those leave that others beat wherever they were tried, but no seeds and nothing untried', () => {
    const library = new StrategyLibrary()
    const seed = library.add('seed', { source: 'seed' })
    const [good, bad, special, fresh] = ['good', 'bad', 'special', 'fresh'].map((model) => library.add(model)) as [
      string,
      string,
      string,
      string,
    ]
    for (const cluster of ['x', 'y']) {
      runs(library, good, cluster, 10, 0.9, 0.001)
      runs(library, bad, cluster, 10, 0.5, 0.002)
      runs(library, seed, cluster, 10, 0.2, 0.01)
      runs(library, special, cluster, 10, cluster === 'x' ? 1 : 0.3, 0.005)
    }
    runs(library, fresh, 'x', 2, 0, 1)
    expect(library.consolidate()).toEqual({ merged: 0, evicted: 1 })
    expect(library.entries.map(({ hash }) => hash).toSorted()).toEqual([seed, good, special, fresh].toSorted())
    expect(dominates({ n: 9, ok: 5, priced: 9, usd: 1 }, { n: 9, ok: 5, priced: 9, usd: 1 })).toBe(false)
  })

  it('makes one of near duplicates, with the experience of both', () => {
    const library = new StrategyLibrary()
    const five = library.add({ kind: 'self_consistency', model: 'a', most: 5 })
    const six = library.add({ kind: 'self_consistency', model: 'a', most: 6 })
    library.add({ kind: 'self_consistency', model: 'b', most: 5 })
    library.add({ kind: 'self_consistency', model: 'a', most: 20 })
    runs(library, five, 'k', 3, 1, 0.001)
    runs(library, six, 'k', 7, 0, 0.002)
    library.note(five, 'wrong on long ones')
    expect(library.consolidate()).toEqual({ merged: 1, evicted: 0 })
    const kept = library.entries.find(({ hash }) => hash === six)
    expect(kept?.stats.get('k')).toEqual({ n: 10, ok: 3, priced: 10, usd: expect.closeTo(0.017, 12) })
    expect(kept?.notes).toEqual(['wrong on long ones'])
    expect(library.entries).toHaveLength(3)
  })

  it('holds at most 64 entries, with its seeds among them, and 200 kinds', () => {
    const library = new StrategyLibrary()
    const seed = library.add('seed', { source: 'seed' })
    runs(library, seed, 'k', 20, 0, 1)
    for (let index = 0; index < 200; index++) runs(library, library.add(`m${index}`), `k${index}`, 6, index / 200, 0.001)
    expect(library.entries).toHaveLength(MOST_ENTRIES)
    expect(library.entries.some(({ hash }) => hash === seed)).toBe(true)
    for (let index = 0; index < 300; index++) library.record({ cluster: `kind ${index}`, hash: seed, quality: 1 })
    expect(library.entries.find(({ hash }) => hash === seed)?.stats.size).toBeLessThanOrEqual(201)
  })

  it('is the same after it was saved, and refuses what it did not save', () => {
    const library = new StrategyLibrary()
    const random = seededRandom(3)
    for (let index = 0; index < 20; index++) {
      const hash = library.add({ kind: 'self_consistency', model: `m${index % 7}`, most: 2 + index }, { tags: ['t'], source: 'guide' })
      for (let run = 0; run < 8; run++) library.record({ cluster: `k${run % 3}`, hash, quality: random.next(), usd: random.next() })
      library.note(hash, 'a note')
    }
    const loaded = StrategyLibrary.load(library.serialize())
    expect(loaded.serialize()).toEqual(library.serialize())
    for (let run = 0; run < 20; run++)
      expect(loaded.choose('k1', 0.5, seededRandom(run))?.entry.hash).toBe(library.choose('k1', 0.5, seededRandom(run))?.entry.hash)
    const text = Buffer.from(library.serialize()).toString()
    for (const bad of [
      '',
      '{}',
      '[]',
      text.slice(0, 50),
      text.replace('"version":1', '"version":2'),
      text.replace('self_consistency', 'magic'),
      text.replace('"most":2,', '"most":3,'),
      text.replace(/"n":\d+/, '"n":-1'),
    ])
      expect(() => StrategyLibrary.load(Buffer.from(bad))).toThrow(expect.objectContaining({ code: 'invalid_configuration' }))
  })
})

describe('the guide', () => {
  const settings = { use: { model: 'guide' }, models: ['a', 'b'], expectedUsd: 0.001, everyFailures: 3 }
  const failing = (usd: number): StrategyLibrary => {
    const library = new StrategyLibrary()
    runs(library, library.add('a', { source: 'seed' }), 'k', 3, 0, usd)
    return library
  }

  it('is asked when enough went wrong and its share has room, and only what holds is taken', async () => {
    const library = failing(1)
    const env = scriptedEnvironment(
      () =>
        `Try: ${JSON.stringify({ strategies: [{ strategy: { kind: 'self_consistency', model: 'b' }, tags: ['vote'] }, { strategy: 'c' }, { strategy: { kind: 'magic' } }, { strategy: 'a' }, { strategy: { kind: 'repeat', strategy: { kind: 'self_consistency', model: 'a', most: 40 }, until: { number: true }, most: 10 } }] })}`,
    )
    const report = await askGuide(library, 'k', env, settings)
    expect(report).toMatchObject({ refused: 3, added: [expect.any(String)] })
    expect(library.entries.map(({ source, tags }) => [source, tags])).toEqual([
      ['seed', []],
      ['guide', ['vote']],
    ])
    expect(library.spent.guide).toBeCloseTo(0.001, 12)
    const told = env.heard[0]
    expect(told === undefined ? '' : wordsOf(told.request)).toMatch(/kind "k"[^]*Asks a\. About \d+ % right/)
    // It begins to count anew.
    expect(await askGuide(library, 'k', env, settings)).toEqual({ added: [], refused: 0, left: '0 of 3 failures' })
  })

  it('never takes more than its share, whatever it costs', async () => {
    const poor = failing(0.001)
    const env = scriptedEnvironment(() => '{}')
    expect(await askGuide(poor, 'k', env, settings)).toMatchObject({ left: expect.stringContaining('share') })
    expect(env.heard).toHaveLength(0)
    const library = new StrategyLibrary()
    const hash = library.add('a')
    for (let run = 0; run < 300; run++) {
      library.record({ cluster: 'k', hash, quality: 0, usd: 0.001 })
      await askGuide(library, 'k', env, settings)
      expect(library.spent.guide).toBeLessThanOrEqual(0.05 * (library.spent.runs + library.spent.guide) + 1e-12)
    }
    expect(library.spent.guide).toBeGreaterThan(0)
  })

  it('is no fault of the library when it fails or talks nonsense, and stops with the request', async () => {
    expect(
      await askGuide(
        failing(1),
        'k',
        scriptedEnvironment(() => failure),
        settings,
      ),
    ).toEqual({ added: [], refused: 0, left: 'it failed (upstream_error)' })
    expect(
      await askGuide(
        failing(1),
        'k',
        scriptedEnvironment(() => 'Hm.'),
        settings,
      ),
    ).toEqual({ added: [], refused: 1 })
    const gone = new AbortController()
    const env = scriptedEnvironment(() => (gone.abort(new Error('gone')), failure), { signal: gone.signal })
    await expect(askGuide(failing(1), 'k', env, settings)).rejects.toBe(failure)
  })
})

describe('a strategy from the library', () => {
  it('runs what is chosen, streams, and learns what it took and found', async () => {
    const library = new StrategyLibrary()
    const hash = library.add({ kind: 'self_consistency', model: 'a', most: 3, stop: 'never' })
    const chosen: string[] = []
    const strategy = fromLibrary({ library, cluster: () => 'k', lambda: 1, onChosen: (choice) => chosen.push(choice.hash) })
    expect(strategy.plan).toEqual([expect.objectContaining({ model: 'a', most: 3 })])
    const { text } = await played(
      strategy.run(
        asking('?', { stream: true }),
        scriptedEnvironment(() => 'The answer is 4.'),
      ),
    )
    expect(text).toBe('The answer is 4.')
    expect(chosen).toEqual([hash])
    expect(library.entries[0]?.stats.get('k')).toEqual({ n: 0.3, ok: expect.closeTo(0.3, 12), priced: 1, usd: expect.closeTo(0.003, 12) })
  })

  it('counts a failure against the strategy, but nothing that the caller or the budget stopped', async () => {
    const library = new StrategyLibrary()
    library.add('a')
    const strategy = fromLibrary({ library, cluster: () => 'k', lambda: 1 })
    await expect(
      played(
        strategy.run(
          asking('?'),
          scriptedEnvironment(() => failure),
        ),
      ),
    ).rejects.toBe(failure)
    expect(library.entries[0]).toMatchObject({ notes: ['failed with upstream_error'] })
    const before = library.serialize()
    await expect(
      played(
        strategy.run(
          asking('?'),
          scriptedEnvironment(() => 'x', { mostCalls: 0 }),
        ),
      ),
    ).rejects.toMatchObject({ code: 'budget_exceeded' })
    await expect(
      played(
        strategy.run(
          asking('?'),
          scriptedEnvironment(() => 'x', { signal: AbortSignal.abort(new Error('gone')) }),
        ),
      ),
    ).rejects.toThrow('gone')
    expect(library.serialize()).toEqual(before)
    await expect(
      played(
        fromLibrary({ library: new StrategyLibrary(), cluster: () => 'k', lambda: 1 }).run(
          asking('?'),
          scriptedEnvironment(() => 'x'),
        ),
      ),
    ).rejects.toMatchObject({ code: 'invalid_configuration' })
  })
})

it('gets cheaper with experience than fixed self-consistency, a solved puzzle, on puzzles where the way to ask matters', async () => {
  const order = kindsOf(180, 2)
  const [fixed, { played: learned, library }] = [await playFixed(selfConsistency, order, 2), await playLibrary(order, 2)]
  const cost = (games: readonly { solved: boolean; usd: number }[]) =>
    games.reduce((sum, { usd }) => sum + usd, 0) / games.filter(({ solved }) => solved).length
  expect(cost(learned.slice(-60))).toBeLessThan(0.6 * cost(fixed.slice(-60)))
  expect(learned.slice(-60).filter(({ solved }) => solved).length).toBeGreaterThan(fixed.slice(-60).filter(({ solved }) => solved).length)
  expect(library.spent.guide).toBeLessThanOrEqual(0.05 * (library.spent.runs + library.spent.guide))
  const [some, again] = [await playLibrary(order.slice(0, 40), 2), await playLibrary(order.slice(0, 40), 2)]
  expect(again.library.serialize()).toEqual(some.library.serialize())
  expect(library.entries.map(({ spec }) => spec)).toContainEqual(oneCall)
})
