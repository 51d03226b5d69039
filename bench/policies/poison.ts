import { learningGuard, predictorKinds, valueOfInformation, type Predictor, type Situation } from '../../src/routing/index.js'
import { childRandom, type Random } from '../../src/statistics/index.js'
import type { Features } from '../../src/understanding/index.js'
import { armOf, estimateOf, featuresOf, situationOf } from './scene.js'

export interface PoisonRow {
  readonly attack: string
  readonly predictor: string
  /** How far the mean predicted quality of the attacked arm moved. */
  readonly shift: number
  /** Share of requests whose arm is another than before the attack. */
  readonly trafficMoved: number
  readonly note: string
}

const arms: Situation['arms'] = [armOf('reference'), armOf('small')]
const truth = { reference: 0.9, small: 0.8 }
const prices = { reference: 0.01, small: 0.001 }

/** An honest past from forty keys, then an attack, with and without the guard, over the product's k-NN and its domain table. */
export function poisoned(honest: number, hostile: number, seed: number): readonly PoisonRow[] {
  return ['knn', 'domain'].flatMap((kind) =>
    [false, true].flatMap((guarded) => [
      attacked(kind, guarded, 'one key says the small arm is always wrong', honest, hostile, seed, () => ({
        source: 'attacker',
        quality: 0,
      })),
      attacked(kind, guarded, 'the judge flips', honest, hostile, seed, (random) => ({
        source: 'judge',
        quality: Number(random.next() >= truth.small),
      })),
    ]),
  )
}

function attacked(
  kind: string,
  guarded: boolean,
  attack: string,
  honest: number,
  hostile: number,
  seed: number,
  lie: (random: Random) => { readonly source: string; readonly quality: number },
): PoisonRow {
  const made = predictorKinds[kind]
  if (!made) throw new Error(`there is no predictor "${kind}"`)
  const inner = made.train([], arms, {}, seed)
  // The judge is the operator's own, so the cap doesn't hold it: being watched must do.
  const guard = guarded
    ? learningGuard(inner, {
        load: (bytes) => made.load(bytes, arms, {}),
        clock: { now: () => 0 },
        trusted: (source) => source === 'judge',
      })
    : undefined
  const predictor: Predictor = guard ?? inner
  const random = childRandom(seed, attack)
  const questions = Array.from({ length: 200 }, () => draw(random))
  const tell = (arm: 'reference' | 'small', source: string, quality: number) =>
    predictor.update({ features: draw(random), arm, source, quality })
  for (let at = 0; at < honest; at++) {
    const arm = at % 2 === 0 ? 'reference' : 'small'
    tell(arm, at % 4 < 2 ? 'judge' : `key-${at % 40}`, Number(random.next() < truth[arm]))
  }
  const before = stateOf(predictor, questions)
  for (let at = 0; at < hostile; at++) {
    const { source, quality } = lie(random)
    tell('small', source, quality)
    if (at % 4 === 0) tell('small', `key-${at % 40}`, Number(random.next() < truth.small))
  }
  const after = stateOf(predictor, questions)
  const report = guard?.report()
  return {
    attack,
    predictor: `${kind}${guarded ? ', guarded' : ''}`,
    shift: Math.abs(after.quality - before.quality),
    trafficMoved: after.choices.filter((choice, index) => choice !== before.choices[index]).length / questions.length,
    note: report ? `${report.capped} capped, ${report.quarantined} in quarantine, ${report.rollbacks} rolled back` : '',
  }
}

function stateOf(predictor: Predictor, questions: readonly Features[]): { readonly quality: number; readonly choices: readonly string[] } {
  const policy = valueOfInformation({ leastFamiliarity: 0 })
  let quality = 0
  const choices = questions.map((features) => {
    const [reference, small] = predictor.predict(features, ['reference', 'small'])
    quality += (small?.quality?.mean ?? 0) / questions.length
    const estimates = [
      estimateOf('reference', reference?.quality?.mean ?? 0, reference?.quality?.variance ?? 0, prices.reference),
      estimateOf('small', small?.quality?.mean ?? 0, small?.quality?.variance ?? 0, prices.small),
    ]
    return policy.choose(situationOf(arms, estimates, features, childRandom(1, 'unused'), { objective: { relativeLambda: 4 } })).arm.id
  })
  return { quality, choices }
}

function draw(random: Random): Features {
  return featuresOf([...new Set(Array.from({ length: 12 }, () => Math.floor(random.next() * 3000)))])
}
