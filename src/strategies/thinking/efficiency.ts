import type { Round } from './rounds.js'

/** A trace of thoughts as rounds, and what came of it. */
export interface RoundTrace {
  readonly rounds: readonly Round[]
  /** Whether the answer that went out is right. */
  readonly right: boolean
  /** The right answer as `answerKey` writes it; where nobody knows it, the one on which most agree. */
  readonly target: string
}

/**
 * Outcome efficiency ξ_O (paper 030): mean over traces of 1[right]·(size up to the end of the first right round / whole size). 1: everything was needed.
 * `null` of no trace that has a size. Sizes are in characters, as a stand-in for tokens.
 */
export function outcomeEfficiency(traces: readonly RoundTrace[]): number | null {
  return meanOf(
    traces.map(({ rounds, right, target }) => {
      const whole = sizeOf(rounds)
      if (whole === 0) return null
      const first = rounds.findIndex(({ answer }) => answer === target)
      // A right answer that no round states was only come to at the end.
      return right ? sizeOf(first < 0 ? rounds : rounds.slice(0, first + 1)) / whole : 0
    }),
  )
}

/**
 * Process efficiency ξ_P (paper 030): mean over traces of (size of rounds whose strategy was not seen before in the trace / whole size). `strategyOf` names
 * a round's strategy: a judge's word, a cluster of vectors, or a cheap stand-in. `null` of no trace that has a size.
 */
export function processEfficiency<R extends Round>(traces: readonly (readonly R[])[], strategyOf: (round: R) => string): number | null {
  return meanOf(
    traces.map((rounds) => {
      const whole = sizeOf(rounds)
      const seen = new Set<string>()
      let distinct = 0
      for (const round of rounds) {
        const strategy = strategyOf(round)
        if (!seen.has(strategy)) distinct += round.end - round.start
        seen.add(strategy)
      }
      return whole === 0 ? null : distinct / whole
    }),
  )
}

/** Valid-thinking rate VT (paper 083): size of the shortest prefix that states the answer over the whole; `null` where it is never stated or nothing is there. */
export function validThinkingRate(rounds: readonly Round[], answer: string): number | null {
  const first = rounds.findIndex((round) => round.answer === answer)
  const whole = sizeOf(rounds)
  return first < 0 || whole === 0 ? null : sizeOf(rounds.slice(0, first + 1)) / whole
}

function sizeOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, { start, end }) => sum + end - start, 0)
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}
