import type { OutcomeRow } from '../../src/environment/index.js'
import { AnswerShapes, answerKey, selfConsistency, type StopRule, type Strategy } from '../../src/strategies/index.js'
import { lettersArm } from '../data/multi-sample.js'
import { average, callsOf, folds, line, play, qualities, type Line, type Played, type Section } from './world.js'

const MEASURED_ORDERS = 10
const FITTED_ORDERS = 2
const CATEGORY = 'last_letters'
/** Mean samples on training questions: under the aim of 5, since the mean on other questions differs by chance. */
const MEAN_SAMPLES = 4.7

/** Early stopping of self-consistency with and without learned answer shapes; the rule's numbers are chosen on training rows. */
export async function lettersSection(
  train: readonly OutcomeRow[],
  test: readonly OutcomeRow[] | undefined,
  seed: number,
): Promise<Section> {
  const parts = folds(train, test, seed)
  const all = parts.flatMap(({ measure }) => measure)
  const orders = Array.from({ length: MEASURED_ORDERS }, (_, index) => seed * 1000 + 500 + index)
  const shown = { cheap: /./ }
  const fixed = async (policy: string, most: number, stop: StopRule): Promise<Line> =>
    line(
      policy,
      await play(
        all,
        selfConsistency({ model: lettersArm, most, stop }),
        most === 40 && stop.rule === 'none' ? orders.slice(0, 3) : orders,
      ),
      seed,
      shown,
    )
  const baselines: Line[] = [await fixed('one sample', 1, { rule: 'none' })]
  for (const most of [5, 10, 20, 40]) baselines.push(await fixed(`SC-${most}`, most, { rule: 'none' }))
  baselines.push(
    await fixed('window of 5, at most 40', 40, { rule: 'window', size: 5 }),
    await fixed('Beta 0.95, at most 40', 40, { rule: 'beta', confidence: 0.95 }),
    await fixed('Beta 0.90, at most 40', 40, { rule: 'beta', confidence: 0.9 }),
  )
  const results: Line[] = []
  const notes: string[] = []
  for (const shaped of [false, true]) {
    const played: Played[] = []
    for (const [fold, { fit, measure }] of parts.entries()) {
      const { strategy, note } = await chooseStop(fit, shaped, seed)
      notes.push(`${shaped ? 'with' : 'without'} shapes${parts.length > 1 ? `, fold ${fold + 1}` : ''}: ${note}`)
      played.push(...(await play(measure, strategy, orders)))
    }
    results.push(
      line(shaped ? 'Beta stop, votes weighed by learned answer shapes' : 'Beta stop', played, seed, {
        ...shown,
        note: 'chosen on training rows',
      }),
    )
  }
  return { name: `last letters (${all.length} questions, ${MEASURED_ORDERS} orders each)`, baselines, results, notes }
}

async function chooseStop(
  fit: readonly OutcomeRow[],
  shaped: boolean,
  seed: number,
): Promise<{ readonly strategy: Strategy; readonly note: string }> {
  const shapes = shaped ? learnShapes(fit) : undefined
  const orders = Array.from({ length: FITTED_ORDERS }, (_, index) => seed * 1000 + index)
  let best: { readonly strategy: Strategy; readonly note: string; readonly value: number } | undefined
  for (const confidence of [0.84, 0.87, 0.9, 0.94, 0.97])
    for (const most of [24, 40]) {
      const strategy = selfConsistency({
        model: lettersArm,
        most,
        stop: { rule: 'beta', confidence },
        category: CATEGORY,
        ...(shapes === undefined ? {} : { shapes }),
      })
      const played = await play(fit, strategy, orders)
      const samples = average(callsOf(played, /./))
      const value = average(qualities(played)) - 10 * Math.max(0, samples - MEAN_SAMPLES)
      if (best === undefined || value > best.value) best = { strategy, note: `P ≥ ${confidence}, at most ${most}`, value }
    }
  if (best === undefined) throw new Error('no rule was tried')
  return best
}

function learnShapes(rows: readonly OutcomeRow[]): AnswerShapes {
  const shapes = new AnswerShapes()
  for (const { outcomes } of rows)
    for (const { answer = '', quality = 0 } of outcomes[lettersArm]?.samples ?? []) {
      const key = answerKey(answer)
      if (key !== null) shapes.learn(key, quality, CATEGORY)
    }
  return shapes
}
