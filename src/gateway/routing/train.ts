import { readOutcomeTable, requestOfRow, type OutcomeRow } from '../../environment/index.js'
import { BursarError } from '../../errors/index.js'
import { outcomeObservations, type ArmFacts, type Observation, type PredictorKind } from '../../routing/index.js'
import type { Understanding } from '../../understanding/index.js'
import type { Learned } from './state-file.js'

export interface TrainingSettings {
  readonly kind: PredictorKind
  readonly settings: unknown
  readonly seed: number
  readonly facts: readonly ArmFacts[]
  readonly understanding: Understanding
  readonly signal: AbortSignal
  /** Told every thousand rows. */
  onRows?(rows: number): void
}

export interface Trained {
  /** What the predictor serialised. */
  readonly bytes: Uint8Array
  readonly rows: number
  /** Of each arm of the table: outcomes, and the mean of their qualities (`null` where none has any). In the order in which they came. */
  readonly arms: readonly TrainedArm[]
}

export interface TrainedArm {
  readonly arm: string
  readonly outcomes: number
  /** Of the outcomes those that say a quality. */
  readonly judged: number
  readonly quality: number | null
  /** Whether it is an arm of the configuration. */
  readonly known: boolean
}

/** The same as a part of a state file. */
export function learnedOf(bytes: Uint8Array, arms: readonly TrainedArm[]): Learned {
  return { bytes, outcomes: new Map(arms.map(({ arm, judged }) => [arm, judged])) }
}

/**
 * Trains a predictor on an outcome table (see `design/formats.md`). Arms of the table go by the id of a configured arm, or by the end
 * of it after the provider's name where only one fits; others are learned under their own names. Throws `invalid_configuration` with
 * file, row and field for what isn't as it should be. Memory: the features of every row.
 */
export async function trainOnTable(file: string, settings: TrainingSettings): Promise<Trained> {
  const { kind, facts, understanding, signal } = settings
  const nameOf = armNames(facts.map(({ id }) => id))
  const tallies = new Map<string, { outcomes: number; sum: number; judged: number }>()
  const observations: Observation[] = []
  let rows = 0
  for await (const row of readOutcomeTable(file)) {
    signal.throwIfAborted()
    const features = await understanding.of(requestOf(row, file, rows + 1), signal)
    for (const [table, outcome] of Object.entries(row.outcomes)) {
      const arm = nameOf(table)
      for (const observation of outcomeObservations(features, arm, outcome, row.weight)) {
        observations.push(observation)
        const tally = tallies.get(arm) ?? { outcomes: 0, sum: 0, judged: 0 }
        tally.outcomes++
        if (observation.quality !== undefined) {
          tally.judged++
          tally.sum += observation.quality
        }
        tallies.set(arm, tally)
      }
    }
    rows++
    if (rows % 1000 === 0) settings.onRows?.(rows)
  }
  if (observations.length === 0)
    throw new BursarError(`${file} holds no outcome to learn from: ${rows === 0 ? 'it has no rows' : 'no row says a quality or tokens'}.`, {
      code: 'invalid_configuration',
      status: 500,
    })
  const known = new Set(facts.map(({ id }) => id))
  const all = [...facts, ...[...tallies.keys()].filter((arm) => !known.has(arm)).map((id) => ({ id, card: {} }))]
  const predictor = kind.train(observations, all, settings.settings, settings.seed)
  return {
    bytes: predictor.serialize(),
    rows,
    arms: [...tallies].map(([arm, { outcomes, sum, judged }]) => ({
      arm,
      outcomes,
      judged,
      quality: judged === 0 ? null : sum / judged,
      known: known.has(arm),
    })),
  }
}

function requestOf(row: OutcomeRow, file: string, number: number) {
  try {
    return requestOfRow(row)
  } catch (thrown) {
    if (!BursarError.is(thrown)) throw thrown
    throw new BursarError(`${file}, row ${number}: ${thrown.message}`, {
      code: 'invalid_configuration',
      status: 500,
      path: thrown.path,
      cause: thrown,
    })
  }
}

/**
 * The configured arm that a table means: by its id, inside the `single(…)` of an export, or by what follows the provider's name where
 * that tells it.
 */
function armNames(ids: readonly string[]): (name: string) => string {
  const own = new Set(ids)
  const byEnd = new Map<string, string | null>()
  for (const id of ids) {
    const end = id.slice(id.indexOf('/') + 1)
    byEnd.set(end, byEnd.has(end) ? null : id)
  }
  return (name) => {
    const bare = /^single\((.+)\)$/.exec(name)?.[1] ?? name
    return own.has(bare) ? bare : (byEnd.get(bare) ?? bare)
  }
}
