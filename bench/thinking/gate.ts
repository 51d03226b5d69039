/** Think or not on BIG-Bench-Hard: the product's gate and `thinkIfNeeded` over recorded answers, against baselines on the same rows. */
import { recordedEnvironment, type OutcomeRow } from '../../src/environment/index.js'
import type { Request } from '../../src/protocol/index.js'
import { childRandom } from '../../src/statistics/index.js'
import {
  createThinkGate,
  loadThinkGate,
  single,
  thinkIfNeeded,
  type ThinkGate,
  type ThinkGateSettings,
  type ThinkObservation,
} from '../../src/strategies/index.js'
import { createUnderstanding, type Features } from '../../src/understanding/index.js'
import { bbhArms } from '../data/bbh.js'
import { bootstrapMean } from './bootstrap.js'

/** A question with both answers. */
export interface Item {
  readonly row: OutcomeRow
  readonly features: Features
  readonly task: string
  readonly text: string
  readonly direct: Recorded
  readonly cot: Recorded
}
interface Recorded {
  readonly answer: string
  readonly quality: number
  readonly input: number
  readonly output: number
}

/** What a way of deciding did on one question. */
export interface Run {
  readonly quality: number
  readonly output: number
  readonly input: number
  readonly thought: boolean
}

export interface Variant {
  readonly name: string
  /** Whether features hold the task as the category. */
  readonly task: boolean
  readonly look: number
  readonly settings?: ThinkGateSettings
}

export const variants: readonly Variant[] = [
  { name: 'gate, text only', task: false, look: 0 },
  { name: 'gate, text only, direct answer first', task: false, look: Infinity },
  { name: 'gate, task known', task: true, look: 0 },
  { name: 'gate, task known, direct answer first', task: true, look: Infinity },
  { name: 'gate, task known, with penalty (116)', task: true, look: 0, settings: { penalty: { threshold: 0.75, exponent: 2 } } },
]

export function itemsOf(rows: Iterable<OutcomeRow>): readonly Item[] {
  const understanding = createUnderstanding({ cacheEntries: 0 })
  return [...rows].map((row) => {
    const content = row.request.messages[0]?.content
    const text = typeof content === 'string' ? content : ''
    const recorded = (arm: string): Recorded => {
      const { answer = '', quality = 0, inputTokens = 0, outputTokens = 0 } = row.outcomes[arm] ?? {}
      return { answer, quality, input: inputTokens, output: outputTokens }
    }
    return {
      row,
      text,
      task: row.category ?? '',
      features: understanding.ofText(text),
      direct: recorded(bbhArms.instant),
      cot: recorded(bbhArms.reasoned),
    }
  })
}

export function featuresOf({ features, task }: Item, { task: known }: Variant): Features {
  return known ? { ...features, category: { name: task, probability: 1 } } : features
}

/** Gates that look at the same features, as they are stored: settings and looking change no training. */
export interface TrainedGates {
  readonly whole: Uint8Array
  /** Each trained on one half of the rows, with the side of each row. */
  readonly halves: readonly [Uint8Array, Uint8Array]
  readonly side: readonly (0 | 1)[]
}

export function trainedGates(items: readonly Item[], variant: Variant, seed: number): TrainedGates {
  const random = childRandom(seed, 'halves')
  const side = items.map((): 0 | 1 => (random.next() < 0.5 ? 0 : 1))
  const half = (which: 0 | 1) =>
    trained(
      items.filter((_, index) => side[index] === which),
      variant,
      seed,
    )
  return { whole: trained(items, variant, seed), halves: [half(0), half(1)], side }
}

export function gateOf(bytes: Uint8Array, { settings }: Variant): ThinkGate {
  return loadThinkGate(bytes, { exploration: 0, ...settings })
}

function trained(items: readonly Item[], variant: Variant, seed: number): Uint8Array {
  const gate = createThinkGate()
  gate.train(
    items.flatMap((item): ThinkObservation[] => {
      const features = featuresOf(item, variant)
      const signals = { text: item.direct.answer }
      return [
        { features, mode: 'instant', quality: item.direct.quality, outputTokens: item.direct.output, signals },
        { features, mode: 'reasoned', quality: item.cot.quality, outputTokens: item.cot.output, signals },
      ]
    }),
    seed,
  )
  return gate.serialize()
}

/**
 * The price of a token at which the gate is expected to write each of these shares of always-thinking's output: found on training rows alone, each judged by
 * a gate that was trained on the other half.
 */
export function pricesFor(
  items: readonly Item[],
  shares: readonly number[],
  variant: Variant,
  { halves, side }: TrainedGates,
): readonly number[] {
  const gates = [gateOf(halves[1], variant), gateOf(halves[0], variant)]
  const judged = items.map((item, index) => {
    const gate = gates[side[index] ?? 0]
    const answered = variant.look > 0 ? { text: item.direct.answer } : undefined
    const decision = gate?.decide(featuresOf(item, variant), { qualityPerToken: 0, answered })
    const tokens = Math.max(
      1,
      (decision?.estimate.reasoned.outputTokens ?? 1) - (answered ? 0 : (decision?.estimate.instant.outputTokens ?? 0)),
    )
    return { rate: (decision?.netGain ?? 0) / tokens, more: item.cot.output - (variant.look > 0 ? 0 : item.direct.output) }
  })
  const sorted = judged.sort((a, b) => b.rate - a.rate)
  const all = items.reduce((sum, { cot }) => sum + cot.output, 0)
  const least = items.reduce((sum, { direct }) => sum + direct.output, 0)
  return shares.map((share) => {
    let output = least
    for (const { rate, more } of sorted) if (rate <= 0 || (output += more) > share * all) return Math.max(0, rate)
    return 0
  })
}

/** Runs the product's strategy on recorded answers. */
export async function runGate(
  items: readonly Item[],
  gate: ThinkGate,
  variant: Variant,
  qualityPerToken: number,
  seed: number,
): Promise<readonly Run[]> {
  const runs: Run[] = []
  for (const item of items) {
    const env = recordedEnvironment(item.row, { seed })
    let thought = false
    const strategy = thinkIfNeeded({
      instant: single(bbhArms.instant),
      reasoned: single(bbhArms.reasoned),
      gate,
      featuresOf: () => featuresOf(item, variant),
      qualityPerToken,
      look: variant.look,
      explore: false,
      decided: ({ decision }) => (thought = decision.mode === 'reasoned'),
    })
    const running = strategy.run(requestOf(item.text), env)
    for (;;) {
      const step = await running.next()
      if (!step.done) continue
      const { usage } = env.spent()
      runs.push({ quality: env.qualityOf(step.value.completion) ?? 0, output: usage.outputTokens, input: usage.inputTokens, thought })
      break
    }
  }
  return runs
}

function requestOf(text: string): Request {
  return { model: 'auto', messages: [{ role: 'user', parts: [{ type: 'text', text }] }], stream: false, paths: {}, extra: [] }
}

export function fixedRun({ direct, cot }: Item, thought: boolean): Run {
  const { quality, output, input } = thought ? cot : direct
  return { quality, output, input, thought }
}

/** Thinks on the questions with the highest scores until the output reaches the share: the oracle, and rankings that need no price. */
export function rankedRuns(items: readonly Item[], score: (item: Item) => number, share: number): readonly Run[] {
  const all = items.reduce((sum, { cot }) => sum + cot.output, 0)
  let output = items.reduce((sum, { direct }) => sum + direct.output, 0)
  const chosen = new Set<Item>()
  for (const item of [...items].sort((a, b) => score(b) - score(a))) {
    const next = output + item.cot.output - item.direct.output
    if (next > share * all) break
    output = next
    chosen.add(item)
  }
  return items.map((item) => fixedRun(item, chosen.has(item)))
}

export interface Summary {
  readonly accuracy: ReturnType<typeof bootstrapMean>
  /** Of always-thinking's output. */
  readonly share: number
  /** Of always-thinking's input and output together, characters. */
  readonly withInput: number
  /** The same with output counting four times, as its price does. */
  readonly weighted: number
  readonly thinks: number
}

export function summarise(items: readonly Item[], runs: readonly Run[], seed: number): Summary {
  const sum = (value: (run: Run) => number) => runs.reduce((total, run) => total + value(run), 0)
  const whole = (value: (cot: Recorded) => number) => items.reduce((total, { cot }) => total + value(cot), 0)
  return {
    accuracy: bootstrapMean(
      runs.map(({ quality }) => quality),
      seed,
    ),
    share: sum(({ output }) => output) / whole(({ output }) => output),
    withInput: sum(({ output, input }) => output + input) / whole(({ output, input }) => output + input),
    weighted: sum(({ output, input }) => 4 * output + input) / whole(({ output, input }) => 4 * output + input),
    thinks: sum(({ thought }) => Number(thought)) / runs.length,
  }
}
