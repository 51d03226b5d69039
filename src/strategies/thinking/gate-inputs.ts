import type { Features } from '../../understanding/index.js'
import type { SparseInput } from './sparse-regression.js'

/** What an instant answer shows of itself. */
export interface InstantSignals {
  /** The visible text. */
  readonly text: string
  /** Mean log-probability of its tokens, where the provider told. */
  readonly meanLogprob?: number | undefined
  /** Whether a second instant answer said the same, where one was asked for. */
  readonly repeated?: boolean | undefined
}

/** Numbers that a gate's regressions take. */
export const gateInputSize = 8192
const lexicalSize = 4096

/** A short name for what kind of answer it is, such as `choice b`, `word yes`, `number 1`, `text 3`: few enough to count successes by. */
export function answerForm(text: string): string {
  const said = text.trim().toLowerCase()
  if (said === '') return 'nothing'
  const choice = /^\(?([a-z])[).]?$/.exec(said)
  if (choice) return `choice ${choice[1]}`
  const number = Number(said.replace(/[,$%\s]/g, ''))
  if (Number.isFinite(number)) return `number ${number < 0 ? '-' : ''}${Math.floor(Math.log2(Math.abs(number) + 1))}`
  if (/^[\p{L}'-]{1,12}\.?$/u.test(said)) return `word ${said.replace(/\.$/, '')}`
  return `text ${Math.min(9, Math.floor(Math.log2(said.length)))}`
}

/** A request (and an instant answer to it) as the regressions take it. O(entries of the lexical vector). */
export function gateInput({ lexical, traits, difficulty, category }: Features, signals?: InstantSignals): SparseInput {
  const indices: number[] = []
  const weights: number[] = []
  const put = (name: string, value: number): void => {
    indices.push(lexicalSize + (hashed(name) % (gateInputSize - lexicalSize)))
    weights.push(value)
  }
  for (let at = 0; at < lexical.indices.length; at++) {
    indices.push((lexical.indices[at] ?? 0) % lexicalSize)
    weights.push(lexical.weights[at] ?? 0)
  }
  const size = Math.log2(traits.characters + 1) / 8 - 1
  const group = category?.name ?? ''
  put('any', 0.5)
  // Each plain fact for all requests, and for those of the category alone.
  for (const [name, value] of [
    ['size', size],
    ['numeric', 2 * traits.numeric],
    ['steps', Math.min(3, traits.stepCues) / 3],
    ['choices', Math.min(10, traits.choices) / 10],
    ['difficulty', difficulty.value - 0.5],
    ['code', traits.code ? 1 : 0],
  ] as const) {
    if (value === 0) continue
    put(name, value)
    put(`${name} ${group}`, value)
  }
  if (signals !== undefined) {
    const form = answerForm(signals.text)
    put(`says ${form}`, 0.5)
    put(`says ${form} ${group}`, 0.5)
    if (signals.repeated !== undefined) put('repeated', signals.repeated ? 1 : -1)
    if (signals.meanLogprob !== undefined && Number.isFinite(signals.meanLogprob)) put('logprob', Math.max(-3, signals.meanLogprob) + 0.3)
    if (traits.choices > 0 && form.startsWith('choice ') && form.charCodeAt(7) - 96 > traits.choices) put('no such choice', 1)
  }
  return { indices, weights }
}

/** FNV-1a. */
function hashed(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
