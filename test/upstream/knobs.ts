/**
 * Behaviours chosen by the model's name, so that they pass through any gateway unchanged (as `provider/mock-…` too):
 *
 * | name | behaviour |
 * |---|---|
 * | `mock` | as fast as possible |
 * | `mock-slow-N` | N ms before the first byte |
 * | `mock-drip-N` | N ms between the events of a stream |
 * | `mock-429-N`, `mock-500-N` | the first N calls fail with this status (429 says `retry-after: 1`), then 200 |
 * | `mock-cut` | the socket is destroyed after ten events |
 */
export type Knob =
  | { readonly kind: 'plain' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'drip'; readonly ms: number }
  | { readonly kind: 'fail'; readonly status: 429 | 500; readonly times: number }
  | { readonly kind: 'cut' }

const plain: Knob = { kind: 'plain' }
const cutKnob: Knob = { kind: 'cut' }

/** Reads the knob of a model name; any name that isn't one of the table is plain. */
export function knobOf(model: string): Knob {
  if (model === 'mock') return plain
  const match = /(?:^|\/)mock-(?:(slow|drip|429|500)-(\d+)|(cut))$/.exec(model)
  if (!match) return plain
  const count = Number(match[2])
  switch (match[1]) {
    case 'slow':
      return { kind: 'slow', ms: count }
    case 'drip':
      return { kind: 'drip', ms: count }
    case '429':
      return { kind: 'fail', status: 429, times: count }
    case '500':
      return { kind: 'fail', status: 500, times: count }
    default:
      return cutKnob
  }
}
