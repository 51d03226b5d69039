import { logBetaBinomial, logGamma, probabilityAhead } from '../../statistics/index.js'
import type { Agreement } from './agreement.js'

/** When to stop drawing samples for a vote. */
export type StopRule =
  /** When P(top beats runner-up) reaches this: `probabilityAhead` with the prior (1 when absent). */
  | { readonly rule: 'beta'; readonly confidence: number; readonly prior?: number | undefined }
  /** When so many samples in a row gave the same answer, windows counted from the beginning (ESC; Li et al. 2024). */
  | { readonly rule: 'window'; readonly size: number }
  /** When another sample isn't worth its price: see `valueOfMore`. `lambda`: dollars that a right answer is worth more than a wrong one. */
  | { readonly rule: 'value'; readonly lambda: number; readonly prior?: number | undefined; readonly ceiling?: number | undefined }
  /** Never before the most. */
  | { readonly rule: 'none' }

/** How many more samples are looked ahead. */
const AHEAD = [1, 2, 3, 5, 8] as const
/** What stands for the price of a sample where it isn't known: such a pool stops by this test. */
const UNKNOWN_PRICE_CONFIDENCE = 0.95

/**
 * What so many more samples add to the probability that the vote's winner is the answer that the model truly gives most often, of two that
 * are ahead: E[max(P, 1 − P)] after them minus P now, P = `probabilityAhead`, the next votes being beta-binomial. 0 where it can't change the winner. O(more).
 */
export function gainOfMore(top: number, second: number, more: number, prior = 1): number {
  const now = probabilityAhead(top, second, prior)
  let after = 0
  for (let forTop = 0; forTop <= more; forTop++) {
    const against = more - forTop
    const log =
      logGamma(more + 1) - logGamma(forTop + 1) - logGamma(against + 1) + logBetaBinomial(forTop, against, top + prior, second + prior)
    const then = probabilityAhead(top + forTop, second + against, prior)
    after += Math.exp(log) * Math.max(then, 1 - then)
  }
  return Math.max(0, after - Math.max(now, 1 - now))
}

/**
 * VOI of drawing on, in dollars: the best over 1 … 8 more samples of λ · v · gain − price; at most `most` more. v (`ceiling`): the probability that one of the two
 * leading answers is right (the selector's ceiling, 002).
 */
export function valueOfMore(
  top: number,
  second: number,
  options: {
    readonly lambda: number
    readonly price: number
    readonly most: number
    readonly prior?: number | undefined
    readonly ceiling?: number | undefined
  },
): number {
  const { lambda, price, most, prior = 1, ceiling = 1 } = options
  let best = -Infinity
  for (const more of AHEAD) if (more <= most) best = Math.max(best, lambda * ceiling * gainOfMore(top, second, more, prior) - price * more)
  return best
}

/**
 * Whether to stop. `recent`: the answers in the order drawn; `price`: dollars of a sample, `null` where it isn't known; `left`: samples that may still be
 * drawn. The reason is a plain clause. O(answers).
 */
export function stopsAt(
  rule: StopRule,
  agreement: Agreement,
  context: { readonly recent: readonly (string | null)[]; readonly price: number | null; readonly left: number },
): string | null {
  if (context.left <= 0) return 'as many samples as allowed'
  if (agreement.drawn === 0) return null
  // A vote that no sample could be counted in will not be decided by more of the same kind.
  if (rule.rule !== 'none' && agreement.winner === null && agreement.drawn >= 3) return 'the answers can’t be compared'
  switch (rule.rule) {
    case 'none':
      return null
    case 'beta':
      return agreement.ahead(rule.prior) >= rule.confidence ? `ahead with probability ${agreement.ahead(rule.prior).toFixed(2)}` : null
    case 'window': {
      const last = context.recent.slice(-rule.size)
      const whole = context.recent.length >= rule.size && context.recent.length % rule.size === 0
      return whole && last[0] !== null && last.every((answer) => answer === last[0]) ? `${rule.size} in a row agree` : null
    }
    case 'value': {
      if (agreement.winner === null) return null
      if (context.price === null)
        return agreement.ahead(rule.prior) >= UNKNOWN_PRICE_CONFIDENCE ? 'ahead, and the price of a sample isn’t known' : null
      const value = valueOfMore(agreement.top, agreement.second, {
        lambda: rule.lambda,
        price: context.price,
        most: context.left,
        prior: rule.prior,
        ceiling: rule.ceiling,
      })
      return value > 0 ? null : 'another sample isn’t worth its price'
    }
  }
}
