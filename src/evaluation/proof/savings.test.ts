import { describe, expect, it } from 'vitest'
import type { TrialEvidence } from '../../ledger/index.js'
import { addMoney, toDollars, usd, zeroMoney } from '../../quantities/index.js'
import { evidenceOfSimulated, simulatedTraffic, type SimulatedTraffic } from './fixtures/simulated-trials.js'
import { isUnknown, type Saving } from './scope-estimate.js'
import { dollarsSaved, savedInTheEnd, SavingsEstimator, type Savings, type SavingsDimension } from './savings.js'

function estimated(
  traffic: SimulatedTraffic,
  change: (trial: TrialEvidence) => TrialEvidence = (trial) => trial,
  by: readonly SavingsDimension[] = [],
): Savings {
  const estimator = new SavingsEstimator({ margin: 0.03, by })
  for (const one of simulatedTraffic(traffic)) estimator.add(change(evidenceOfSimulated(one)))
  return estimator.result()
}

function saved({ all }: Savings): Saving {
  const saving = dollarsSaved(all)
  if (saving === undefined) throw new Error('unknown')
  return saving
}

describe('SavingsEstimator', () => {
  it('holds what was truly saved, and adds up: spent, the same by the reference, not saved on what was held out', () => {
    let held = 0
    for (let seed = 0; seed < 15; seed++) {
      const { perRequest, total, spent, share, heldOut } = saved(estimated({ seed, requests: 1_000 }))
      // An answer costs 1 cent times a size of mean 1; the small arm's a tenth.
      if (perRequest.low <= 0.009 && 0.009 <= perRequest.high) held += 1
      expect(share?.value).toBeCloseTo(total.value / (spent + total.value), 12)
      expect(heldOut.value / total.value).toBeGreaterThan(0.05)
    }
    expect(held).toBeGreaterThanOrEqual(14)
  })

  it('counts what the policy answered exactly, and takes off what it cost to learn', () => {
    let exact = zeroMoney
    for (const { cost, decision } of simulatedTraffic({ seed: 3, requests: 800 }))
      if (decision.trial?.heldOut === false) exact = addMoney(exact, cost.usd ?? zeroMoney)
    const savings = estimated({ seed: 3, requests: 800 })
    expect(savings.all.spentUsd).toBe(exact)
    expect(saved(savings).spent).toBe(toDollars(exact))
    const end = savedInTheEnd(saved(savings), usd(0.5))
    expect(end.value).toBeCloseTo(saved(savings).total.value - 0.5, 12)
    expect(end.high - end.low).toBeCloseTo(saved(savings).total.high - saved(savings).total.low, 12)
  })

  it('never takes an unknown price for nothing', () => {
    const { all } = estimated({ seed: 1, requests: 600, largeUsd: null })
    expect(all.savings.usd).toEqual({ unknown: all.heldOut, arms: ['large'] })
    expect(isUnknown(all.savings.seconds)).toBe(false)
    expect(all.savings.joules).toMatchObject({ unknown: 600 })
  })

  it('saves nothing, for certain, where the policy has the reference answer', () => {
    const { all } = estimated({ seed: 1, requests: 400, judge: { share: 1 } }, (trial) => ({
      ...trial,
      trial: { ...trial.trial, policyArm: 'large' },
    }))
    expect(all.savings.usd).toMatchObject({ perRequest: { value: -0, low: -0, high: -0 } })
    expect(all.verdict).toBe('proven')
  })

  it('proves what is as good, tells what is worse, and says how much is missing', () => {
    expect(estimated({ seed: 2, requests: 7_000, judge: { share: 1 }, holdout: 0.5 }).all).toMatchObject({
      verdict: 'proven',
      evidence: 'judge',
      more: undefined,
    })
    expect(estimated({ seed: 2, requests: 2_500, worse: 0.5, judge: { share: 0.5 } }).all.verdict).toBe('worse')
    const early = estimated({ seed: 2, requests: 2_000, judge: { share: 0.2 } }).all
    expect(early.verdict).toBe('not yet')
    expect(early.more).toBeGreaterThan(2_000)
    expect(estimated({ seed: 2, requests: 500 }).all).toMatchObject({ verdict: 'none', quality: [], evidence: undefined })
  })

  it('takes the verdict from evidence of which there is enough, before any of which there is too little', () => {
    // The judge looked at few of the held-out answers; verifiers looked at all.
    const all = estimated({ seed: 2, requests: 1_500, holdout: 0.2, judge: { share: 0.1, people: 0.5 } }, (trial) => ({
      ...trial,
      outcomes: [
        ...trial.outcomes,
        {
          outcomeId: 'check',
          at: trial.decision.at,
          decisionId: trial.decision.decisionId,
          key: 'k',
          source: 'verifier:json_schema',
          score: 1,
        },
      ],
    })).all
    const judge = all.quality.find(({ kind }) => kind === 'judge')
    expect(judge?.observed.heldOut).toBeLessThan(50)
    expect(judge?.difference.low).toBe(-Infinity)
    expect(all.evidence).toBe('check')
  })

  it('is misled by a judge who flatters as long as no person labels, and not any more when some do', () => {
    const flattered = estimated({ seed: 4, requests: 4_000, holdout: 0.3, judge: { share: 0.5, flatters: 0.15 } }).all.quality[0]
    expect(flattered?.difference.low).toBeGreaterThan(0)
    const corrected = estimated({ seed: 4, requests: 4_000, holdout: 0.3, judge: { share: 0.5, flatters: 0.15, people: 0.25 } }).all
      .quality[0]
    expect(corrected?.labels).toBeGreaterThan(800)
    expect(corrected?.difference.low).toBeLessThan(0)
    expect(Math.abs(corrected?.difference.value ?? 1)).toBeLessThan(0.04)
  })

  it('compares both answers to one request where the reference answered too', () => {
    const { all } = estimated({ seed: 5, requests: 3_000, worse: 0.3, shadow: 0.3 })
    expect(all.evidence).toBe('pair')
    const pair = all.quality.find(({ kind }) => kind === 'pair')
    expect(pair?.difference.low).toBeLessThan(-0.24)
    expect(pair?.difference.high).toBeGreaterThan(-0.24)
    expect(all.verdict).toBe('worse')
  })

  it('keeps feedback apart, and rests on it only where there is nothing else', () => {
    expect(estimated({ seed: 6, requests: 1_500, feedback: 0.8 }).all.evidence).toBe('feedback')
    const both = estimated({ seed: 6, requests: 1_500, feedback: 0.8, judge: { share: 0.8 } }).all
    expect(both.quality.map(({ kind }) => kind)).toEqual(['judge', 'feedback'])
    expect(both.evidence).toBe('judge')
  })

  it('has wider intervals for conversations than for as many requests by themselves', () => {
    const width = (savings: Savings) => saved(savings).perRequest.high - saved(savings).perRequest.low
    const whole = estimated({ seed: 7, requests: 4_000, turns: 10 }, (trial) => ({
      ...trial,
      expected: { policy: undefined, reference: undefined },
    }))
    const cut = estimated({ seed: 7, requests: 4_000, turns: 10 }, (trial) => ({
      ...trial,
      expected: { policy: undefined, reference: undefined },
      trial: { ...trial.trial, unit: undefined },
    }))
    expect(whole.all.units).toBe(400)
    expect(width(whole)).toBeGreaterThan(1.5 * width(cut))
  })

  it('tells routes, keys and categories apart, with verdicts that hold together', () => {
    const savings = estimated({ seed: 8, requests: 3_000, judge: { share: 0.5 } }, undefined, ['route', 'key', 'category'])
    expect(savings.by.map(({ dimension, scopes }) => [dimension, scopes.map(({ name }) => name)])).toEqual([
      ['route', ['auto (balanced)']],
      ['key', ['web', 'ci']],
      ['category', ['easy', 'hard']],
    ])
    for (const { scopes } of savings.by) expect(scopes.reduce((sum, { requests }) => sum + requests, 0)).toBe(3_000)
    for (const { scopes } of savings.by)
      for (const { verdict, quality } of scopes) if (verdict === 'proven') expect(quality[0]?.pOfInferior).toBeLessThanOrEqual(0.05)
  })

  it('gives the same for the same trials, over time, by arm and by expectation', () => {
    const traffic = { seed: 9, requests: 700, judge: { share: 0.5 } }
    const savings = estimated(traffic)
    expect(estimated(traffic)).toEqual(savings)
    expect(savings.timeline.at(-1)).toMatchObject({ requests: 700, at: savings.last, savedUsd: { value: saved(savings).total.value } })
    expect(savings.timeline.length).toBeLessThanOrEqual(129)
    expect(savings.arms.map(({ arm }) => arm).sort()).toEqual(['large', 'small'])
    for (const { expected, observed } of savings.calibration) expect(Math.abs(expected - observed.value)).toBeLessThan(0.3)
  })

  it('refuses a margin or a level that is none', () => {
    expect(() => new SavingsEstimator({ margin: 0 })).toThrow(RangeError)
    expect(() => new SavingsEstimator({ margin: 0.1, level: 1 })).toThrow(RangeError)
  })
})
