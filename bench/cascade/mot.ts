import type { OutcomeRow } from '../../src/environment/index.js'
import {
  acceptByEvidence,
  agreementArm,
  AgreementCalibration,
  answerKey,
  cascade,
  modelSwitch,
  selfConsistency,
  single,
  type PoolState,
  type Strategy,
  type SwitchRung,
} from '../../src/strategies/index.js'
import { average, folds, line, play, runOn, type Line, type Played, type Section } from './world.js'

/** Orders of the samples that each question is measured in, and that thresholds are chosen on. */
const MEASURED_ORDERS = 10
const FITTED_ORDERS = 6
const MOST_SAMPLES = 6
const MOST_PROMPTS = 4
/** From here on no further sample is drawn: what is left to gain is less than a sample's price. */
const EARLY = 0.97
/** A strong call costs as much as so many cheap samples; declared, near the list prices of the time. */
export const strongPrice = 20
const STRONG = /^GPT4\//

/** What is fixed before anything is measured. */
export interface MotAim {
  /** At most this share may be escalated; of training questions one standard error less, since a share on other questions differs by chance … */
  readonly escalated?: number
  /** … or else the threshold (and whether the weak rung is asked at all) maximises accuracy − this × cost, cost 1 being always asking the strong arm. */
  readonly costWeight?: number
}

interface Design {
  readonly cheap: readonly string[]
  readonly weights: readonly number[]
  readonly strong: string
  readonly threshold: number
  readonly skip: boolean
  readonly calibration: AgreementCalibration
}

/** The states of a pool after each sample, and whether its winner was right then. */
type Trajectory = readonly { readonly state: PoolState; readonly right: number }[]
interface Trained {
  readonly row: OutcomeRow
  readonly orders: readonly Trajectory[]
}

/** Baselines and the calibrated switch on one task with a cheap model of several prompts. */
export async function motSection(
  name: string,
  train: readonly OutcomeRow[],
  test: readonly OutcomeRow[] | undefined,
  cheap: RegExp,
  aim: MotAim,
  seed: number,
): Promise<Section | null> {
  const prompts = promptsOf(test === undefined ? train : [...train, ...test], cheap)
  const usable = (rows: readonly OutcomeRow[]) =>
    rows.filter(
      ({ outcomes }) =>
        prompts.length > 0 &&
        prompts.every((arm) => (outcomes[arm]?.samples?.length ?? 0) >= Math.ceil(MOST_SAMPLES / Math.min(prompts.length, MOST_PROMPTS))),
    )
  const parts = folds(usable(train), test === undefined ? undefined : usable(test), seed)
  const all = parts.flatMap(({ measure }) => measure)
  if (all.length < 20) return null
  const orders = Array.from({ length: MEASURED_ORDERS }, (_, index) => seed * 1000 + 500 + index)
  const over = async (strategyFor: (fit: readonly OutcomeRow[]) => Strategy | Promise<Strategy>): Promise<readonly Played[]> => {
    const played: Played[] = []
    for (const { fit, measure } of parts) played.push(...(await play(measure, await strategyFor(fit), orders)))
    return played
  }
  const shown = { strong: STRONG, cheap }
  const baselines: Line[] = []
  for (const arm of armsOf(all, 1).filter((one) => /^GPT4\/greedy/.test(one)))
    baselines.push(line(`always ${arm}`, await over(() => selfConsistency({ model: arm, most: 1 })), seed, shown))
  for (const arm of armsOf(all, 20).filter((one) => cheap.test(one) && /(pot|cot)[12]$/.test(one)))
    baselines.push(line(`SC-20 ${arm}`, await over(() => selfConsistency({ model: arm, most: 20, stop: { rule: 'none' } })), seed, shown))
  const pair = ['pot1', 'pot2'].map((prompt) => prompts.find((arm) => arm.replace(/_V2$/, '').endsWith(`/${prompt}`)))
  if (pair[0] !== undefined && pair[1] !== undefined) {
    const four = selfConsistency({ samplers: pair.map((model) => ({ model: model ?? '' })), most: 4, stop: { rule: 'none' } })
    baselines.push(
      line(
        '2+2 PoT unanimous, else GPT4/greedy_cot2',
        await over(() => cascade({ rungs: [{ strategy: four, accept: acceptByEvidence(1) }, { strategy: single('GPT4/greedy_cot2') }] })),
        seed,
        shown,
      ),
    )
  }
  const chosen: string[] = []
  const ours = await over(async (fit) => {
    const design = await chooseDesign(fit, cheap, aim, seed)
    chosen.push(describe(design))
    return strategyOf(design)
  })
  return {
    name: `${name} (${all.length} questions with all samples, ${MEASURED_ORDERS} orders each)`,
    baselines,
    results: [line('calibrated switch', ours, seed, shown)],
    notes: chosen.map((text, index) => (parts.length > 1 ? `fold ${index + 1}: ${text}` : text)),
  }
}

/** Draws from every prompt in turn, accepts by the calibrated probability; the strong arm answers the rest. */
function strategyOf({ cheap, weights, strong, threshold, skip, calibration }: Design): Strategy {
  const weak: SwitchRung = {
    samplers: cheap.map((model, index) => ({ model, weight: weights[index] ?? 1 })),
    samples: MOST_SAMPLES,
    worthAsking: () => !skip,
  }
  return modelSwitch({
    rungs: [weak, { model: strong, samples: 1 }],
    samplesEach: MOST_SAMPLES,
    threshold,
    early: EARLY,
    calibration,
    stop: { rule: 'none' },
  })
}

/** Everything is chosen on these rows: prompts by accuracy, votes' weights, what agreement is worth, the strong arm by how often it is right where the pool isn't sure, the threshold. */
export async function chooseDesign(fit: readonly OutcomeRow[], cheap: RegExp, aim: MotAim, seed: number): Promise<Design> {
  const accuracy = (arm: string) => average(fit.flatMap(({ outcomes }) => outcomes[arm]?.samples?.map(({ quality = 0 }) => quality) ?? []))
  const ranked = [...promptsOf(fit, cheap)].sort((a, b) => accuracy(b) - accuracy(a)).slice(0, MOST_PROMPTS)
  const odds = ranked.map((arm) => Math.max(0.2, Math.log(accuracy(arm) / (1 - accuracy(arm)))))
  const weights = odds.map((one) => one / average(odds))
  const trained: Trained[] = []
  for (const row of fit) trained.push({ row, orders: await trajectories(row, ranked, weights, seed) })
  const halves = [0, 1].map((half) => trained.filter((_, index) => index % 2 === half))
  const arm = agreementArm(ranked)
  const learned = halves.map((half) => calibrate(half, arm))
  // What a half's pools are worth is learned on the other half.
  const outcomes = halves.flatMap((half, index) => {
    const calibration = learned[1 - index] ?? new AgreementCalibration()
    return half.flatMap(({ row, orders }) =>
      orders.map((trajectory) => ({
        row,
        trajectory,
        probabilities: trajectory.map(({ state }) => calibration.probability({ arm }, state) ?? 0),
      })),
    )
  })
  const unsure = [...outcomes]
    .sort((a, b) => (a.probabilities.at(-1) ?? 0) - (b.probabilities.at(-1) ?? 0))
    .slice(0, Math.ceil(0.25 * outcomes.length))
  const strongArms = armsOf(fit, 1).filter((arm) => STRONG.test(arm))
  const byPrompt = (arm: string) => strongArms.filter((other) => other.slice(-4) === arm.slice(-4))
  const onUnsure = (arm: string) =>
    average(
      unsure.flatMap(({ row }) => byPrompt(arm).flatMap((one) => row.outcomes[one]?.samples?.map(({ quality = 0 }) => quality) ?? [])),
    )
  const strong = [...strongArms].sort((a, b) => onUnsure(b) - onUnsure(a) || (a < b ? -1 : 1))[0]
  if (strong === undefined) throw new Error('no strong arm has outcomes on every row')
  const strongRight = (row: OutcomeRow) => average(row.outcomes[strong]?.samples?.map(({ quality = 0 }) => quality) ?? [0])
  const atMost = aim.escalated === undefined ? 1 : aim.escalated - Math.sqrt((aim.escalated * (1 - aim.escalated)) / fit.length)
  let best: { readonly threshold: number; readonly skip: boolean; readonly value: number } | undefined
  for (const threshold of [...new Set(outcomes.map(({ probabilities }) => probabilities.at(-1) ?? 0))].sort((a, b) => a - b)) {
    let [right, escalated, samples] = [0, 0, 0]
    for (const { row, trajectory, probabilities } of outcomes) {
      const early = probabilities.findIndex((probability) => probability >= Math.max(EARLY, threshold))
      const end = early < 0 ? trajectory.length - 1 : early
      const accepted = (probabilities[end] ?? 0) >= threshold
      right += accepted ? (trajectory[end]?.right ?? 0) : strongRight(row)
      escalated += accepted ? 0 : 1
      samples += end + 1
    }
    const n = outcomes.length
    const value =
      aim.escalated === undefined
        ? right / n - (aim.costWeight ?? 0) * (escalated / n + samples / n / strongPrice)
        : escalated / n <= atMost
          ? escalated / n
          : -escalated / n
    if (best === undefined || value > best.value) best = { threshold, skip: false, value }
  }
  const always = average(fit.map(strongRight)) - (aim.costWeight ?? 0)
  if (best === undefined || (aim.escalated === undefined && always > best.value)) best = { threshold: 1, skip: true, value: always }
  return { cheap: ranked, weights, strong, threshold: best.threshold, skip: best.skip, calibration: calibrateBoth(trained, arm, strong) }
}

/** The product's pool on a row in several orders: its state after each sample. */
async function trajectories(
  row: OutcomeRow,
  cheap: readonly string[],
  weights: readonly number[],
  seed: number,
): Promise<readonly Trajectory[]> {
  const right = new Set(
    Object.values(row.outcomes).flatMap(({ samples = [] }) =>
      samples.flatMap(({ answer, quality }) => (quality === 1 && answer !== undefined ? [answerKey(answer)] : [])),
    ),
  )
  const all: Trajectory[] = []
  for (let order = 0; order < FITTED_ORDERS; order++) {
    const trajectory: { state: PoolState; right: number }[] = []
    const rung: SwitchRung = { samplers: cheap.map((model, index) => ({ model, weight: weights[index] ?? 1 })), samples: MOST_SAMPLES }
    const onPool = (_: string, { top, total, winner }: PoolState & { readonly winner: string | null }) =>
      trajectory.push({ state: { top, total }, right: winner !== null && right.has(winner) ? 1 : 0 })
    await runOn(
      row,
      modelSwitch({
        rungs: [rung],
        samplesEach: MOST_SAMPLES,
        threshold: 1,
        stop: { rule: 'none' },
        onPool: (name, pool) => void onPool(name, pool),
      }),
      seed * 1000 + order,
    )
    all.push(trajectory)
  }
  return all
}

function calibrate(trained: readonly Trained[], arm: string): AgreementCalibration {
  const calibration = new AgreementCalibration()
  for (const { orders } of trained)
    for (const trajectory of orders) for (const { state, right } of trajectory) calibration.learn({ arm }, state, right, 1 / FITTED_ORDERS)
  return calibration
}

function calibrateBoth(trained: readonly Trained[], arm: string, strong: string): AgreementCalibration {
  const calibration = calibrate(trained, arm)
  for (const { row } of trained)
    for (const { quality = 0 } of row.outcomes[strong]?.samples ?? [])
      calibration.learn({ arm: agreementArm([strong]) }, { top: 1, total: 1 }, quality, 1 / (row.outcomes[strong]?.samples?.length ?? 1))
  return calibration
}

/** Of each of the cheap model's prompts the arm (temperature) whose single samples are right most often, of those that a quarter of the rows have. */
function promptsOf(rows: readonly OutcomeRow[], cheap: RegExp): readonly string[] {
  const accuracy = new Map<string, { readonly arm: string; readonly right: number }>()
  for (const arm of new Set(rows.flatMap(({ outcomes }) => Object.keys(outcomes)))) {
    if (!cheap.test(arm)) continue
    const having = rows.filter(({ outcomes }) => (outcomes[arm]?.samples?.length ?? 0) > 0)
    if (having.length < 0.25 * rows.length) continue
    const prompt = /(?:pot|cot)\d/.exec(arm)?.[0] ?? arm
    const right = average(having.map(({ outcomes }) => average(outcomes[arm]?.samples?.map(({ quality = 0 }) => quality) ?? [0])))
    const known = accuracy.get(prompt)
    if (known === undefined || right > known.right) accuracy.set(prompt, { arm, right })
  }
  return [...accuracy.values()].map(({ arm }) => arm).sort()
}

/** Arms that have at least so many samples on nine rows of ten, and one at least on each. */
function armsOf(rows: readonly OutcomeRow[], samples: number): readonly string[] {
  const names = new Set(rows.flatMap(({ outcomes }) => Object.keys(outcomes)))
  return [...names]
    .filter(
      (arm) =>
        rows.filter(({ outcomes }) => (outcomes[arm]?.samples?.length ?? 0) >= samples).length >= 0.9 * rows.length &&
        rows.every(({ outcomes }) => outcomes[arm] !== undefined),
    )
    .sort()
}

function describe({ cheap, strong, threshold, skip }: Design): string {
  return skip ? `the weak rung is skipped, ${strong} answers` : `${cheap.join(', ')}, accepted from ${threshold.toFixed(3)}, else ${strong}`
}
