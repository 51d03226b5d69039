/**
 * `npm run bench:cascade [-- --train DIR --test DIR --json FILE --seed N --only NAME]`: the product's sampling strategies and cascades on recorded and simulated answers.
 * Everything that is learned or chosen (prompts, weights, thresholds, stop rules, what agreement is worth) comes from training rows; with only `--train`, from four fifths of the
 * rows for the fifth that is measured. Baselines run on the same rows.
 */
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { difficultySection } from './cascade/difficulty.js'
import { lettersSection } from './cascade/letters.js'
import { motSection, strongPrice, type MotAim } from './cascade/mot.js'
import { saturationSection } from './cascade/saturation.js'
import { qwenSection, switchSection } from './cascade/scored.js'
import type { Line, Section } from './cascade/world.js'
import { loadModelSwitch } from './data/modelswitch.js'
import { loadMotCascade, type LoadedRows, type MotName } from './data/mot-cascade.js'
import { loadLastLetters, loadQwenMath } from './data/multi-sample.js'
import { DataProblem, dataRoot } from './data/source.js'
import { commandLine, packageVersion, table, writeReport, type DataSource, type Estimate } from './report.js'

const names = ['date', 'mot', 'letters', 'qwen', 'saturation', 'difficulty', 'modelswitch'] as const
interface Options {
  readonly train: string
  readonly test?: string
  readonly seed: number
  readonly json?: string
  readonly only?: (typeof names)[number]
}

const command = new Command('bench:cascade')
  .option('--train <dir>', 'folder that holds the data sets to learn from (default: $BURSAR_DATA)', dataRoot())
  .option('--test <dir>', 'folder with other rows of the same data sets, to measure on; without it: five-fold cross-validation')
  .option('--seed <number>', 'of folds, orders of samples and bootstraps', wholeNumber, 1)
  .addOption(new Option('--only <part>', 'one part only').choices(names))
  .option('--json <file>', 'also write the report as JSON')
  .parse()
const options = command.opts<Options>()

try {
  await bench(options)
} catch (thrown) {
  process.stderr.write(
    `bench:cascade: ${thrown instanceof DataProblem ? thrown.message : thrown instanceof Error ? thrown.stack : String(thrown)}\n`,
  )
  process.exitCode = 1
}

async function bench({ train, test, seed, json, only }: Options): Promise<void> {
  const started = performance.now()
  const sources: DataSource[] = []
  const sections: Section[] = []
  const how =
    test === undefined
      ? 'five-fold cross-validation by question: no row is measured by anything that was learned from it'
      : `learned from ${train}, measured on ${test}`
  console.log(
    `bench:cascade, seed ${seed}; ${how}.\nIntervals: bootstrap over questions, 95 %. Every accuracy is a mean over orders of the recorded samples.\n`,
  )
  const load = <Rows extends LoadedRows>(
    folder: string,
    loader: (folder: string) => Rows,
  ): { readonly train: Rows; readonly test: Rows | undefined } => {
    const loaded = { train: loader(join(train, folder)), test: test === undefined ? undefined : loader(join(test, folder)) }
    sources.push(loaded.train.source, ...(loaded.test === undefined ? [] : [loaded.test.source]))
    return loaded
  }
  const add = (section: Section | null) => {
    if (section === null) return
    sections.push(section)
    print(section)
  }
  const mot = async (name: MotName, label: string, cheap: RegExp, aim: MotAim) => {
    const data = load('mot_cascade', (folder) => loadMotCascade(folder, name))
    add(await motSection(label, data.train.rows, data.test?.rows, cheap, aim, seed))
  }
  const parts: Readonly<Record<(typeof names)[number], () => Promise<void>>> = {
    date: () => mot('date', 'DATE: GPT-3.5 → GPT-4, at most 25 % escalated', /^GPT3\//, { escalated: 0.25 }),
    mot: async () => {
      for (const [name, label] of [
        ['date', 'DATE'],
        ['gsm', 'GSM8K'],
        ['crepe', 'CREPE'],
      ] as const)
        await mot(
          name,
          `${label}: Llama-2-13B → GPT-4, accuracy − 0.05 × cost (a strong call costs ${strongPrice} cheap samples)`,
          /^llama2_13B\//,
          { costWeight: 0.05 },
        )
    },
    letters: async () => {
      const data = load('multi_sample', loadLastLetters)
      add(await lettersSection(data.train.rows, data.test?.rows, seed))
    },
    qwen: async () => {
      const data = load('multi_sample', loadQwenMath)
      add(await qwenSection(data.train.rows, data.test?.rows, new Map([...data.train.rewards, ...(data.test?.rewards ?? [])]), seed))
    },
    saturation: async () => {
      const data = load('mot_cascade', (folder) => loadMotCascade(folder, 'date'))
      add(await saturationSection((data.test ?? data.train).rows, 'GPT3/cot1_40', seed))
    },
    difficulty: async () => {
      const data = load('mot_cascade', (folder) => loadMotCascade(folder, 'gsm'))
      add(await difficultySection('GSM8K, Llama-2-13B: samples by difficulty', data.train.rows, data.test?.rows, 'llama2_13B/pot2', seed))
    },
    modelswitch: async () => {
      const data = load('modelswitch', loadModelSwitch)
      add(await switchSection(data.train.rows, data.test?.rows, seed))
    },
  }
  for (const name of names) {
    if (only !== undefined && only !== name) continue
    try {
      await parts[name]()
    } catch (thrown) {
      // A data set that isn't there costs its own part only.
      if (!(thrown instanceof DataProblem)) throw thrown
      process.stderr.write(`bench:cascade, ${name}: ${thrown.message}\n`)
      process.exitCode = 1
    }
  }
  const seconds = Math.round((performance.now() - started) / 100) / 10
  console.log(`${seconds} s`)
  if (json === undefined) return
  const byName = (pick: 'baselines' | 'results') => Object.fromEntries(sections.map((section) => [section.name, section[pick]]))
  writeReport(json, {
    command: commandLine('bench:cascade'),
    seed,
    data: [...new Map(sources.map((source) => [`${source.name} ${source.sha256}`, source])).values()],
    settings: { train, test: test ?? 'cross-validation', notes: Object.fromEntries(sections.map(({ name, notes }) => [name, notes])) },
    baselines: byName('baselines'),
    results: byName('results'),
    seconds,
    version: packageVersion(),
  })
}

function print({ name, baselines, results, notes }: Section): void {
  console.log(`## ${name}`)
  const cells = (kind: string) => (one: Line) => [
    kind,
    one.policy,
    interval(one.accuracy),
    one.escalated ? percent(one.escalated) : '',
    one.samples ? one.samples.value.toFixed(2) : '',
    one.note ?? '',
  ]
  console.log(
    table(['', 'policy', 'accuracy', 'escalated', 'samples', ''], [...baselines.map(cells('baseline')), ...results.map(cells('ours'))]),
  )
  for (const note of notes) console.log(`- ${note}`)
  console.log('')
}

function interval({ value, low, high }: Estimate): string {
  const digits = Math.abs(value) > 2 ? 2 : 4
  return `${value.toFixed(digits)} (${low.toFixed(digits - 1)} – ${high.toFixed(digits - 1)})`
}

function percent({ value, low, high }: Estimate): string {
  return `${(100 * value).toFixed(1)} % (${(100 * low).toFixed(0)} – ${(100 * high).toFixed(0)})`
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('a whole number of at least 0')
  return value
}
