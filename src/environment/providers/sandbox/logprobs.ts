import type { TokenLogprob } from '../../../protocol/index.js'
import type { Random } from '../../../statistics/index.js'

const WORDS = [
  ' the',
  ' a',
  ' and',
  ' of',
  ' to',
  ' is',
  ' in',
  ' that',
  ' it',
  ' for',
  ' as',
  ' with',
  ' on',
  ' this',
  ' by',
  ' or',
  ' an',
  ' be',
  ' not',
  ' at',
  ' from',
  ' are',
]
const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '12', '15', '20', '24', '30', '42', '50', '64', '72', '99', '100']

/** Where in the text the words stand that the whole answer hangs on, and how sure the model is of them. */
export interface Crux {
  readonly answer: string
  readonly confidence: number
}

/**
 * Log-probabilities for tokens. The token with which the crux begins carries the model's confidence, so that a cascade that reads
 * log-probabilities has the signal that real ones carry; others are as sure as filler is. The alternatives share what is left.
 */
export function tokenLogprobs(tokens: readonly string[], top: number, crux: Crux | undefined, random: Random): TokenLogprob[] {
  const text = tokens.join('')
  const cruxStart = crux ? text.lastIndexOf(crux.answer) : -1
  const cruxEnd = crux && cruxStart >= 0 ? cruxStart + crux.answer.length : -1
  let at = 0
  let first = true
  return tokens.map((token) => {
    const end = at + token.length
    const inside = cruxStart >= 0 && end > cruxStart && at < cruxEnd
    at = end
    const probability = inside && crux ? (first ? crux.confidence : 0.9 + 0.099 * random.next()) : 0.6 + 0.39 * Math.sqrt(random.next())
    if (inside) first = false
    const chosen = entry(token, probability)
    return { ...chosen, top: alternatives(chosen, probability, top) }
  })
}

function alternatives(chosen: Omit<TokenLogprob, 'top'>, probability: number, count: number): TokenLogprob['top'] {
  const { token } = chosen
  const list = [chosen]
  const pool = /^ ?\d+$/.test(token) ? DIGITS.map((digit) => (token.startsWith(' ') ? ` ${digit}` : digit)) : WORDS
  let rest = 1 - probability
  for (const other of pool) {
    if (list.length >= count) break
    if (other === token) continue
    rest /= 2
    list.push(entry(other, rest))
  }
  list.sort((a, b) => b.logprob - a.logprob)
  return list.slice(0, count)
}

function entry(token: string, probability: number): Omit<TokenLogprob, 'top'> {
  return { token, logprob: Math.log(probability), bytes: [...Buffer.from(token)] }
}
