import { InvalidRequest } from '../../../errors/index.js'
import { inputBuckets } from '../../../quantities/index.js'
import type { ShotPoint } from '../adaptation/shot-law.js'
import type { TaskExample } from '../adaptation/proxy-head.js'
import type { PastRun, RunStep } from '../agent-run/past-run.js'
import type { ConfigurationFeatures, MeasuredConfiguration } from '../configuration/forecast.js'
import type { LabelKind } from '../data-budget/annotation.js'
import { syntheticStrategies, type SyntheticPoint } from '../data-budget/synthetic.js'
import type { LossCurve, LossPoint } from '../fine-tuning/loss-curve.js'
import {
  faultOf,
  fieldOf,
  neededNumber,
  neededText,
  numberOf,
  readMeasured,
  textIn,
  type Bounds,
  type MeasuredRow,
} from './measured-table.js'

const count: Bounds = { least: 0, expected: 'a number of at least 0' }
const positive: Bounds = { least: Number.MIN_VALUE, expected: 'a number above 0' }
const share: Bounds = { least: 0, most: 1, expected: 'a share from 0 to 1' }
const any: Bounds = { expected: 'a number' }

/**
 * Columns `model`, `examples`, `loss`, and `family` if you like: one row for each size that was fine-tuned. All readers here throw
 * `InvalidRequest` with file, row and field.
 */
export function readLossCurves(file: string): readonly LossCurve[] {
  const curves = new Map<string, { readonly model: string; readonly family: string | undefined; readonly points: LossPoint[] }>()
  for (const row of readMeasured(file)) {
    const model = neededText(row, 'model')
    const curve = curves.get(model) ?? { model, family: textIn(row, 'family'), points: [] }
    const point = { examples: neededNumber(row, 'examples', count), loss: neededNumber(row, 'loss', positive) }
    if (curve.points.some(({ examples }) => examples === point.examples))
      throw faultOf(row, 'examples', `is ${point.examples} a second time for ${model}`, 'one loss for each size')
    curve.points.push(point)
    curves.set(model, curve)
  }
  return [...curves.values()]
}

/**
 * Columns `model`, `shots`, `accuracy`; `questions` (that it was measured on), `input_price` and `output_price` (dollars a million
 * tokens) if you like.
 */
export function readShots(file: string): readonly {
  readonly model: string
  readonly points: readonly ShotPoint[]
  readonly inputPrice: number | undefined
  readonly outputPrice: number | undefined
}[] {
  const models = new Map<
    string,
    {
      readonly model: string
      readonly points: ShotPoint[]
      readonly inputPrice: number | undefined
      readonly outputPrice: number | undefined
    }
  >()
  for (const row of readMeasured(file)) {
    const model = neededText(row, 'model')
    const known = models.get(model) ?? {
      model,
      points: [],
      inputPrice: numberOf(row, 'input_price', count),
      outputPrice: numberOf(row, 'output_price', count),
    }
    known.points.push({
      shots: neededNumber(row, 'shots', count),
      accuracy: neededNumber(row, 'accuracy', share),
      questions: numberOf(row, 'questions', { least: 1, expected: 'a number of questions above 0' }),
    })
    models.set(model, known)
  }
  return [...models.values()]
}

/** Columns `text`, `label`. */
export function readExamples(file: string): readonly TaskExample[] {
  return readMeasured(file).map((row) => ({ text: neededText(row, 'text'), label: neededText(row, 'label') }))
}

/** Columns `name`, `quality`, `joules`; every other column is a feature. */
export function readConfigurations(file: string): readonly MeasuredConfiguration[] {
  return readMeasured(file).map((row) => ({
    name: neededText(row, 'name'),
    quality: neededNumber(row, 'quality', any),
    joules: neededNumber(row, 'joules', positive),
    features: featuresOf(row),
  }))
}

/** Columns `name` and features; `quality` where it is known already. */
export function readCandidates(
  file: string,
): readonly { readonly name: string; readonly quality: number | undefined; readonly features: ConfigurationFeatures }[] {
  return readMeasured(file).map((row) => ({
    name: neededText(row, 'name'),
    quality: numberOf(row, 'quality', any),
    features: featuresOf(row),
  }))
}

function featuresOf(row: MeasuredRow): ConfigurationFeatures {
  return Object.fromEntries(
    Object.keys(row.fields)
      .filter((name) => !['name', 'quality', 'joules'].includes(name))
      .flatMap((name): [string, number | string][] => {
        const value = fieldOf(row, name)
        if (value === undefined) return []
        if (typeof value === 'number') return [[name, value]]
        if (typeof value === 'boolean') return [[name, String(value)]]
        if (typeof value !== 'string') throw faultOf(row, name, `is ${JSON.stringify(value)}`, 'a number or a text')
        return [[name, Number.isFinite(Number(value)) ? Number(value) : value]]
      }),
  )
}

/** Columns `name`, `usd` (a label); `already`, `available`, `gain` if you like. `points`: columns `name`, `labels`, `score`. */
export function readLabelKinds(file: string, points?: string): readonly LabelKind[] {
  const measured = (points === undefined ? [] : readMeasured(points)).map((row) => ({
    row,
    name: neededText(row, 'name'),
    labels: neededNumber(row, 'labels', count),
    score: neededNumber(row, 'score', any),
  }))
  const kinds = readMeasured(file).map((row) => {
    const name = neededText(row, 'name')
    return {
      name,
      usdPerLabel: neededNumber(row, 'usd', positive),
      already: numberOf(row, 'already', count),
      available: numberOf(row, 'available', count),
      gain: numberOf(row, 'gain', count),
      points: measured.filter((point) => point.name === name).map(({ labels, score }) => ({ labels, score })),
    }
  })
  const stray = measured.find(({ name }) => !kinds.some((kind) => kind.name === name))
  if (stray) throw faultOf(stray.row, 'name', `is "${stray.name}"`, `a kind of ${file} (${kinds.map(({ name }) => name).join(', ')})`)
  return kinds
}

/** Columns `strategy`, `seeds`, `queries`, `score`. */
export function readSyntheticPoints(file: string): readonly SyntheticPoint[] {
  return readMeasured(file).map((row) => {
    const told = neededText(row, 'strategy')
    const strategy = syntheticStrategies.find((name) => name === told)
    if (!strategy) throw faultOf(row, 'strategy', `is "${told}"`, `one of ${syntheticStrategies.join(', ')}`)
    return {
      strategy,
      seeds: neededNumber(row, 'seeds', { least: 1, expected: 'a number of at least 1' }),
      queries: neededNumber(row, 'queries', count),
      score: neededNumber(row, 'score', any),
    }
  })
}

/** Of Bursar's export the parts of the input; elsewhere one number is the whole of it. */
const exportedInput = inputBuckets.map((name) => `usage.${name}`)
const exportedCached = ['usage.cacheReadTokens', 'usage.cacheReadAudioTokens']

/**
 * Past runs, oldest first: rows of calls with `run`, `input_tokens`, `output_tokens` (in the order they were made, or with `at`),
 * `cached_tokens`, `task`, `text`, `category` if you like; or what `bursar export --what calls` writes. Calls without a run,
 * embeddings, and calls that did not complete are left out.
 */
export function readPastRuns(file: string): readonly PastRun[] {
  const runs = new Map<
    string,
    { readonly run: PastRun; readonly steps: { readonly at: string; readonly place: number; readonly step: RunStep }[] }
  >()
  for (const [place, row] of readMeasured(file).entries()) {
    const id = textIn(row, 'run')
    const [end, operation] = [textIn(row, 'end'), textIn(row, 'operation')]
    if (id === undefined || (end !== undefined && end !== 'complete') || (operation !== undefined && operation !== 'generate')) continue
    // A run is known by its name and its key.
    const name = `${id}\n${textIn(row, 'key') ?? ''}`
    const known = runs.get(name) ?? {
      run: {
        task: textIn(row, 'task') ?? textIn(row, 'text') ?? id,
        text: textIn(row, 'text') ?? '',
        category: textIn(row, 'category') ?? textIn(row, 'tags.category'),
        steps: [],
      },
      steps: [],
    }
    known.steps.push({ at: textIn(row, 'at') ?? '', place, step: stepOf(row) })
    runs.set(name, known)
  }
  if (runs.size === 0)
    throw new InvalidRequest(
      `${file} has no completed calls with a run. Give each agent run a name (header x-bursar-run) and export with: bursar export --what calls`,
      { path: 'run' },
    )
  return [...runs.values()]
    .map(({ run, steps }) => ({ run, steps: steps.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.place - b.place)) }))
    .sort((a, b) => ((a.steps[0]?.at ?? '') < (b.steps[0]?.at ?? '') ? -1 : (a.steps[0]?.at ?? '') > (b.steps[0]?.at ?? '') ? 1 : 0))
    .map(({ run, steps }) => ({ ...run, steps: steps.map(({ step }) => step) }))
}

/** The calls that a run has made so far: the same columns, `run` not needed. */
export function readCallsDone(file: string): readonly RunStep[] {
  return readMeasured(file).map(stepOf)
}

function stepOf(row: MeasuredRow): RunStep {
  const sum = (names: readonly string[]) => names.reduce((total, name) => total + (numberOf(row, name, count) ?? 0), 0)
  const exported = fieldOf(row, 'usage.inputTokens') !== undefined || fieldOf(row, 'usage.outputTokens') !== undefined
  if (exported) return { inputTokens: sum(exportedInput), outputTokens: sum(['usage.outputTokens']), cachedTokens: sum(exportedCached) }
  const cachedTokens = numberOf(row, 'cached_tokens', count)
  const inputTokens = neededNumber(row, 'input_tokens', count)
  if ((cachedTokens ?? 0) > inputTokens)
    throw faultOf(row, 'cached_tokens', `is ${cachedTokens}`, `no more than the ${inputTokens} of the whole input`)
  return { inputTokens, outputTokens: neededNumber(row, 'output_tokens', count), ...(cachedTokens === undefined ? {} : { cachedTokens }) }
}
