import { describe, expect, it } from 'vitest'
import type { OutcomeRecord } from '../../ledger/index.js'
import { evidenceOrder, qualityEvidence } from './quality-evidence.js'

const word = (source: string, score: number, more: Partial<OutcomeRecord> = {}): OutcomeRecord => ({
  outcomeId: `${source}${score}`,
  at: 1,
  decisionId: 'd',
  key: 'k',
  source,
  score,
  ...more,
})

describe('qualityEvidence', () => {
  it('tells judges, people, verifiers and feedback apart, the last word of each', () => {
    const outcomes = [
      word('judge:m', 0.2, { sought: 0.5 }),
      word('judge:m', 0.4, { sought: 0.5 }),
      word('expert', 1, { sought: 0.1 }),
      word('verifier:json_schema', 0),
      word('verifier:json_schema', 1),
      word('verifier:tool_call', 0),
      word('user', 0),
      word('user', 0.75),
    ]
    expect(qualityEvidence({ outcomes })).toEqual({
      judge: { score: 0.4, sought: 0.5 },
      label: { score: 1, sought: 0.1 },
      check: 0.5,
      feedback: 0.75,
      unusable: 0,
    })
  })

  it('pairs grades of both answers, and takes neither for a grade of one alone', () => {
    const pair = [word('judge-pair:m', 0.9, { sought: 0.01 }), word('judge-pair:m', 0.6, { sought: 0.01, arm: 'large' })]
    expect(qualityEvidence({ outcomes: pair }).pair?.score).toBeCloseTo(0.3, 12)
    expect(qualityEvidence({ outcomes: pair }).judge).toBeUndefined()
    expect(qualityEvidence({ outcomes: [word('judge:m', 0.5, { sought: 0.2 }), ...pair] })).toMatchObject({
      judge: { score: 0.5, sought: 0.2 },
      pair: { sought: 0.01 },
    })
    expect(qualityEvidence({ outcomes: pair.slice(1) })).toEqual({ unusable: 0 })
  })

  it('takes the word of a judge of the caller’s own for feedback, as the guardrail does, and has no use for pairs nobody knows the share of, nor for words on answers nobody was given', () => {
    expect(qualityEvidence({ outcomes: [word('judge:m', 1), word('user', 0.5, { arm: 'large' })] })).toEqual({ feedback: 1, unusable: 0 })
    expect(qualityEvidence({ outcomes: [word('judge-pair:m', 1)] })).toEqual({ unusable: 1 })
  })

  it('believes a judge whom people correct first, and feedback last', () => {
    expect(evidenceOrder(1)[0]).toBe('judge')
    expect(evidenceOrder(0)[0]).toBe('pair')
    expect(evidenceOrder(0).at(-1)).toBe('feedback')
  })
})
