import { describe, expect, it } from 'vitest'
import { BudgetExceeded } from '../../errors/index.js'
import { childRandom, seededRandom } from '../../statistics/index.js'
import { textOf } from '../calls.js'
import { ran } from '../fixtures/ran.js'
import { single } from '../single.js'
import { createFeatures } from './fixtures/plain-features.js'
import { question, scriptedEnvironment } from './fixtures/scripted-environment.js'
import { answerForm } from './gate-inputs.js'
import { createThinkGate, loadThinkGate, type ThinkGate, type ThinkObservation } from './think-gate.js'
import { thinkIfNeeded, type ThinkEvent } from './think-if-needed.js'

/** Easy questions need no thought, hard ones do, and hopeless ones gain nothing by it. An instant "no" to a hard question is always wrong. */
const rates = { easy: [0.95, 0.96], hard: [0.3, 0.9], hopeless: [0.2, 0.2] } as const
type Kind = keyof typeof rates
const kinds: readonly Kind[] = ['easy', 'hard', 'hopeless']
const of = (kind: Kind) => createFeatures({ category: kind })

function taught(settings = {}, seed = 5): ThinkGate {
  const random = seededRandom(seed)
  const gate = createThinkGate(settings)
  const rows: ThinkObservation[] = []
  for (let index = 0; index < 90; index++)
    for (const kind of kinds) {
      const right = random.next() < rates[kind][0]
      const text = kind === 'hard' ? (right || random.next() < 0.2 ? 'yes' : 'no') : 'maybe'
      rows.push({ features: of(kind), mode: 'instant', quality: Number(right), outputTokens: 3, signals: { text } })
      rows.push({
        features: of(kind),
        mode: 'reasoned',
        quality: Number(random.next() < rates[kind][1]),
        outputTokens: 200 + 100 * random.next(),
        signals: { text },
      })
    }
  gate.train(rows, 1)
  return gate
}

const price = { qualityPerToken: 0.0005 }

describe('think gate', () => {
  it('thinks where it pays, and nowhere else', () => {
    const gate = taught()
    expect(kinds.map((kind) => gate.decide(of(kind), price).mode)).toEqual(['instant', 'reasoned', 'instant'])
    const { instant, reasoned } = gate.estimate(of('hard'))
    expect(instant.quality).toBeGreaterThan(0.2)
    expect(instant.quality).toBeLessThan(0.4)
    expect(reasoned.quality).toBeGreaterThan(0.8)
    expect(reasoned.outputTokens).toBeGreaterThan(200)
    expect(reasoned.outputTokens).toBeLessThan(300)
  })

  it('looks at an instant answer that is there', () => {
    const gate = taught()
    const [yes, no] = ['yes', 'no'].map((text) => gate.estimate(of('hard'), { text }).instant.quality)
    expect(yes).toBeGreaterThan(0.5)
    expect(no).toBeLessThan(0.15)
  })

  it('a dearer token never means more thinking', () => {
    const gate = taught()
    for (const kind of kinds) {
      let gain = Infinity
      for (const qualityPerToken of [0, 1e-5, 1e-4, 1e-3, 1e-2, 1]) {
        const { netGain, mode } = gate.decide(of(kind), { qualityPerToken })
        expect(netGain).toBeLessThanOrEqual(gain)
        expect(mode).toBe(netGain > 0 ? 'reasoned' : 'instant')
        gain = netGain
      }
    }
  })

  it('begins with plain facts: sums and steps are thought about', () => {
    const gate = createThinkGate()
    expect(gate.decide(createFeatures({ level: 5, traits: { stepCues: 2, numeric: 0.3 } }), price).mode).toBe('reasoned')
    expect(gate.estimate(createFeatures({ level: 1 })).reasoned).toMatchObject({ outputTokens: null })
    expect(gate.estimate(createFeatures({ level: 1 })).instant.quality).toBeGreaterThan(
      gate.estimate(createFeatures({ level: 5 })).instant.quality,
    )
  })

  it('the adaptive penalty counts a gain less where instant answers mostly succeed, the floor thinks where they lose', () => {
    const free = taught().decide(of('easy'), { qualityPerToken: 0 })
    const fined = taught({ penalty: { threshold: 0.75, exponent: 2 } }).decide(of('easy'), { qualityPerToken: 0 })
    expect(Math.abs(fined.netGain)).toBeCloseTo(Math.abs(free.netGain) * (1 - free.estimate.instant.quality ** 2))
    const floored = taught({ mostLoss: 0.3 })
    expect(floored.decide(of('hard'), { qualityPerToken: 1 }).mode).toBe('reasoned')
    expect(floored.decide(of('hopeless'), { qualityPerToken: 1 }).mode).toBe('instant')
  })

  it('explores as often as it says, and only with a random source', () => {
    const gate = taught({ exploration: 0.1 })
    const random = seededRandom(2)
    const drawn = Array.from({ length: 4000 }, () => gate.decide(of('easy'), { ...price, random }))
    const others = drawn.filter(({ mode }) => mode === 'reasoned')
    expect(others.length / drawn.length).toBeGreaterThan(0.08)
    expect(others.length / drawn.length).toBeLessThan(0.12)
    expect(others.every(({ propensity }) => propensity === 0.1)).toBe(true)
    expect(gate.decide(of('easy'), price).propensity).toBe(1)
  })

  it('learns online, is the same after a load, and forgets another version', () => {
    const gate = createThinkGate({ version: '1' })
    for (let index = 0; index < 100; index++) {
      gate.observe({
        features: of('hard'),
        mode: 'instant',
        quality: 0,
        outputTokens: 2,
        signals: { text: '7' },
        weight: index === 0 ? 1e9 : 1,
      })
      gate.observe({ features: of('hard'), mode: 'reasoned', quality: 1, outputTokens: 50 })
    }
    expect(gate.estimate(of('hard')).instant.quality).toBeLessThan(0.05)
    const again = loadThinkGate(gate.serialize(), { version: '1' })
    expect(again.estimate(of('hard'), { text: '7' })).toEqual(gate.estimate(of('hard'), { text: '7' }))
    expect(Buffer.compare(again.serialize(), gate.serialize())).toBe(0)
    expect(loadThinkGate(gate.serialize(), { version: '2' }).estimate(of('hard'))).toEqual(createThinkGate().estimate(of('hard')))
    for (const bytes of [new Uint8Array(0), new Uint8Array(9), gate.serialize().subarray(1)])
      expect(() => loadThinkGate(bytes)).toThrow(expect.objectContaining({ code: 'invalid_configuration' }))
  })

  it.each([{ quality: NaN }, { quality: 2 }, { outputTokens: Infinity }, { weight: 0 }, { weight: NaN }])(
    'learns nothing from %j',
    (fault) => {
      const gate = createThinkGate()
      const before = gate.serialize()
      const bad: ThinkObservation = { features: of('easy'), mode: 'instant', quality: 1, ...fault }
      expect(() => gate.observe(bad)).toThrow(RangeError)
      expect(() => gate.train([bad], 1)).toThrow(RangeError)
      expect(Buffer.compare(gate.serialize(), before)).toBe(0)
      expect(() => gate.decide(of('easy'), { qualityPerToken: NaN })).toThrow(RangeError)
    },
  )

  it.each([
    ['(B)', 'choice b'],
    ['Yes.', 'word yes'],
    ['1,024', 'number 10'],
    ['-3', 'number -2'],
    ['', 'nothing'],
    ['a b c d e f g h', 'text 3'],
  ])('the form of %j is %s', (text, form) => expect(answerForm(text)).toBe(form))
})

describe('thinkIfNeeded', () => {
  const gate = taught()
  const strategy = (kind: Kind, more = {}) =>
    thinkIfNeeded({
      instant: single('quick'),
      reasoned: single('slow'),
      gate,
      featuresOf: () => of(kind),
      qualityPerToken: 0.0005,
      explore: false,
      ...more,
    })
  const world = (quick: string) =>
    scriptedEnvironment((model) => ({ text: model === 'quick' ? quick : 'long thoughts. The answer is yes' }))

  it('streams what is clear from the one model', async () => {
    const env = world('yes')
    const easy = await ran(strategy('easy', { look: 0 }).run(question('?'), env))
    const hard = await ran(strategy('hard', { look: 0 }).run(question('?'), env))
    expect(env.calls.map(({ model }) => model)).toEqual(['quick', 'slow'])
    expect([textOf(easy.answer.completion), easy.answer.usage.outputTokens]).toEqual(['yes', 1])
    expect(hard.answer.steps).toBeUndefined()
  })

  it('looks at an unclear answer, and pays for both when it is not good enough', async () => {
    const events: ThinkEvent[] = []
    for (const [said, models] of [
      ['yes', ['quick']],
      ['no', ['quick', 'slow']],
    ] as const) {
      const env = world(said)
      const { deltas, answer } = await ran(
        strategy('hard', { look: Infinity, qualityPerToken: 0.002, decided: (event: ThinkEvent) => events.push(event) }).run(
          question('?'),
          env,
        ),
      )
      expect(env.calls.map(({ model }) => model)).toEqual(models)
      expect(answer.usage.outputTokens).toBe(said === 'yes' ? 1 : 1 + 8)
      expect(deltas.filter(({ type }) => type === 'finish')).toHaveLength(1)
      expect(deltas.filter(({ type }) => type === 'start')).toHaveLength(1)
    }
    expect(events.map(({ decision, signals }) => [decision.mode, signals?.text])).toEqual([
      ['instant', 'yes'],
      ['reasoned', 'no'],
    ])
  })

  it('asks a second time where told to, and says whether both agree', async () => {
    const env = scriptedEnvironment((_, __, call) => ({ text: call === 0 ? 'yes' : 'no' }))
    const { answer } = await ran(strategy('hard', { look: Infinity, repeat: true }).run(question('?'), env))
    expect(answer.steps?.[0]).toMatchObject({ name: 'instant again', note: 'another answer' })
  })

  it('gives the instant answer when there is no money for thinking', async () => {
    const env = scriptedEnvironment((model) => (model === 'quick' ? { text: 'no' } : { fails: new BudgetExceeded('spent') }))
    const { answer } = await ran(strategy('hard', { look: Infinity }).run(question('?'), env))
    expect(textOf(answer.completion)).toBe('no')
    expect(answer.evidence?.source).toBe('think_gate')
  })

  it('cancels the call of a reader that leaves, and explores with its own random numbers only', async () => {
    const env = world('no')
    const running = strategy('hard', { look: 0 }).run(question('?'), env)
    await running.next()
    await running.return(undefined as never)
    expect(env.calls[0]?.ended).toBe('stopped')
    const random = childRandom(1, 'x')
    expect(taught({ exploration: 0 }).decide(of('easy'), { ...price, random }).propensity).toBe(1)
    expect(() => strategy('easy', { qualityPerToken: -1 })).toThrow(RangeError)
    expect(() => strategy('easy', { look: NaN })).toThrow(RangeError)
  })
})
