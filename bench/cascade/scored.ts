import type { OutcomeRow } from '../../src/environment/index.js'
import { fitPlatt, plattAt } from '../../src/statistics/index.js'
import {
  agreementArm,
  AgreementCalibration,
  answerKey,
  bestOfN,
  modelSwitch,
  selfConsistency,
  type Scorer,
  type Strategy,
} from '../../src/strategies/index.js'
import { qwenArm } from '../data/multi-sample.js'
import { average, folds, line, play, type Line, type Played, type Section } from './world.js'

/** Best of n by recorded reward scores. */
export async function qwenSection(
  train: readonly OutcomeRow[],
  test: readonly OutcomeRow[] | undefined,
  rewards: ReadonlyMap<string, ReadonlyMap<string, number>>,
  seed: number,
): Promise<Section> {
  const parts = folds(train, test, seed)
  const orders = Array.from({ length: 10 }, (_, index) => seed * 1000 + index)
  const over = async (
    strategyFor: (fit: readonly OutcomeRow[]) => Strategy | ((row: OutcomeRow) => Strategy),
  ): Promise<readonly Played[]> => {
    const played: Played[] = []
    for (const { fit, measure } of parts) {
      const made = strategyFor(fit)
      for (const row of measure) played.push(...(await play([row], typeof made === 'function' ? made(row) : made, orders)))
    }
    return played
  }
  const shown = { cheap: /./ }
  const baselines: Line[] = [line('one sample', await over(() => selfConsistency({ model: qwenArm, most: 1 })), seed, shown)]
  const results: Line[] = []
  for (const n of [4, 8]) {
    baselines.push(
      line(`vote of ${n}`, await over(() => selfConsistency({ model: qwenArm, most: n, stop: { rule: 'none' } })), seed, shown),
    )
    for (const choose of ['best', 'weighted'] as const) {
      const played = await over((fit) => {
        const curve = fitPlatt(
          fit.flatMap(({ id, outcomes }) =>
            (outcomes[qwenArm]?.samples ?? []).map(({ answer = '', quality = 0 }) => ({
              score: rewards.get(id)?.get(answer) ?? 0,
              outcome: quality,
            })),
          ),
        )
        return (row) => {
          const scorer: Scorer = {
            id: 'reward',
            plan: [],
            score: (_request, { answer }) => {
              const text =
                answer.kind === 'reply'
                  ? (answer.reply.choices[0]?.parts ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')
                  : ''
              const reward = rewards.get(row.id)?.get(text)
              return Promise.resolve({ value: reward === undefined ? null : plattAt(curve, reward), note: 'recorded reward' })
            },
          }
          return bestOfN({ model: qwenArm, n, scorer, choose, together: 1 })
        }
      })
      ;(choose === 'best' ? baselines : results).push(
        line(
          choose === 'best' ? `best single reward of ${n}` : `best of ${n}, rewards calibrated and added over equal answers`,
          played,
          seed,
          shown,
        ),
      )
    }
  }
  return { name: `Qwen2.5-Math on MATH (${parts.flatMap(({ measure }) => measure).length} questions)`, baselines, results, notes: [] }
}

/** Two models of about the same size with one sample each: what their agreement is worth, and switching by it. */
export async function switchSection(train: readonly OutcomeRow[], test: readonly OutcomeRow[] | undefined, seed: number): Promise<Section> {
  const parts = folds(train, test, seed)
  const all = parts.flatMap(({ measure }) => measure)
  const [first, second] = ['gemini-1.5-pro', 'gpt-4o']
  const shown = { cheap: /./ }
  const over = async (strategyFor: (fit: readonly OutcomeRow[], category: string) => Strategy): Promise<readonly Played[]> => {
    const played: Played[] = []
    for (const { fit, measure } of parts)
      for (const category of new Set(measure.map((row) => row.category ?? '')))
        played.push(
          ...(await play(
            measure.filter((row) => row.category === category),
            strategyFor(fit, category),
            [seed],
          )),
        )
    return played
  }
  const learned = (fit: readonly OutcomeRow[]) => {
    const calibration = new AgreementCalibration()
    for (const row of fit)
      for (const model of [first, second]) {
        const outcome = row.outcomes[model]
        if (outcome?.quality !== undefined && answerKey(outcome.answer ?? '') !== null)
          calibration.learn({ arm: agreementArm([model]), category: row.category }, { top: 1, total: 1 }, outcome.quality)
      }
    return calibration
  }
  const rungs = [
    { model: first, samples: 1 },
    { model: second, samples: 1 },
  ]
  const oracle = all.map((row) => Math.max(row.outcomes[first]?.quality ?? 0, row.outcomes[second]?.quality ?? 0))
  const baselines = [
    line(`always ${first}`, await over(() => selfConsistency({ model: first, most: 1 })), seed, shown),
    line(`always ${second}`, await over(() => selfConsistency({ model: second, most: 1 })), seed, shown),
    line(
      'oracle of the two',
      all.map(({ id }, index) => ({ id, quality: oracle[index] ?? 0, calls: new Map([['oracle', 1]]) })),
      seed,
    ),
  ]
  const results: Line[] = []
  for (const threshold of [1, 0.9, 0.8])
    results.push(
      line(
        threshold === 1 ? 'switch: both asked, votes by calibrated odds' : `switch: the first accepted from ${threshold}`,
        await over((fit, category) => modelSwitch({ rungs, samplesEach: 1, threshold, calibration: learned(fit), category })),
        seed,
        shown,
      ),
    )
  // The third's answers were never scored, so it can only side with one of the two.
  const three = selfConsistency({
    samplers: [{ model: first }, { model: second }, { model: 'Llama-3.1-70B-Instruct', weight: 0.9 }],
    most: 3,
    stop: { rule: 'beta', confidence: 0.87 },
  })
  results.push(line('vote of the two, Llama-3.1-70B asked where they differ', await over(() => three), seed, shown))
  const agree = all.filter(
    (row) =>
      answerKey(row.outcomes[first]?.answer ?? '') !== null &&
      answerKey(row.outcomes[first]?.answer ?? '') === answerKey(row.outcomes[second]?.answer ?? ''),
  )
  const rightOf = (rows: readonly OutcomeRow[], model: string) => average(rows.map(({ outcomes }) => outcomes[model]?.quality ?? 0))
  const differ = all.filter((row) => !agree.includes(row))
  const notes = [
    `the two agree on ${((100 * agree.length) / all.length).toFixed(1)} % of ${all.length} questions; ${second} is right on ${(100 * rightOf(agree, second)).toFixed(1)} % of those and on ${(100 * rightOf(differ, second)).toFixed(1)} % of the rest (${first} on ${(100 * rightOf(differ, first)).toFixed(1)} %)`,
  ]
  return { name: `gpt-4o and gemini-1.5-pro, one sample each (${all.length} questions)`, baselines, results, notes }
}
