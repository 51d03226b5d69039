import type { Features } from '../../understanding/index.js'

/** Tells requests apart: 53 bits of two hashes of the lexical vector, so that no text has to be kept. O(n-grams). */
export function requestKey({ lexical: { indices, weights } }: Features): number {
  let high = 0x811c9dc5
  let low = 0x9747b28c
  for (let at = 0; at < indices.length; at++) {
    const index = indices[at] ?? 0
    const weight = Math.round((weights[at] ?? 0) * 2 ** 20)
    high = Math.imul(high ^ index, 0x01000193) ^ weight
    low = Math.imul(low ^ weight, 0x85ebca6b) ^ (index >>> 3)
    low = Math.imul(low ^ index, 0xc2b2ae35)
  }
  return ((high >>> 0) & 0x1f_ffff) * 0x1_0000_0000 + (low >>> 0)
}
