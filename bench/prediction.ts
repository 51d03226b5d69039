// Prediction without running, against the published figures and against baselines: fine-tuning (089), shots (044), configurations
// (031), agent runs (203). Usage: npm run bench:prediction [-- --curves DIR --test DIR --only fine-tuning,shots,configuration,agent-run
// --seed N --json FILE]
import { agentRunResults } from './prediction/agent-runs.js'
import { configurationResults } from './prediction/configuration.js'
import { fineTuningResults } from './prediction/fine-tuning.js'
import { shotResults } from './prediction/shots.js'
import { DataProblem, dataRoot } from './data/source.js'
import { benchOptions } from './options.js'
import { commandLine, packageVersion, writeReport, type DataSource } from './report.js'

const { values } = benchOptions('bench:prediction', 'Prediction without running, against published figures and against baselines.', {
  curves: { type: 'string', takes: 'dir', about: 'folder benchmark of github.com/linhaowei1/Fine-tuning-Scaling-Law' },
  test: { type: 'string', takes: 'dir', about: 'folder that holds the data sets (default: $BURSAR_DATA)' },
  train: { type: 'string', takes: 'dir', about: 'the same, where --test is left out' },
  only: { type: 'string', takes: 'list', about: 'which parts', default: 'fine-tuning,shots,configuration,agent-run' },
  seed: { type: 'string', takes: 'number', about: 'of everything that is drawn', default: '1' },
  simulations: { type: 'string', takes: 'number', about: 'simulated data sets of the part shots', default: '200' },
  folds: { type: 'string', takes: 'number', about: 'of the part agent-run: shares of the runs that are held out in turn', default: '5' },
  json: { type: 'string', takes: 'file', about: 'also write the report as JSON' },
})
const startedAt = performance.now()
const root = values.test ?? values.train ?? dataRoot()
const seed = Number(values.seed)
const results: object[] = []
const sources: DataSource[] = []

interface Part {
  readonly text: string
  readonly results: readonly object[]
  readonly sources?: readonly DataSource[]
}

const parts: Readonly<Record<string, { readonly title: string; run(): Part | Promise<Part> }>> = {
  'fine-tuning': {
    title: 'Which model to fine-tune (089)',
    run() {
      if (values.curves === undefined)
        throw new DataProblem('Clone github.com/linhaowei1/Fine-tuning-Scaling-Law and give its folder benchmark with --curves.')
      return fineTuningResults(values.curves, seed)
    },
  },
  shots: { title: 'Accuracy by examples in the prompt (044)', run: () => shotResults(seed, Number(values.simulations)) },
  configuration: { title: 'Joules a token of configurations of unseen models (031)', run: () => configurationResults(root) },
  'agent-run': { title: 'Tokens of agent runs (203)', run: () => agentRunResults(root, Number(values.folds)) },
}

for (const [name, { title, run }] of Object.entries(parts)) {
  if (!values.only.split(',').includes(name)) continue
  process.stdout.write(`\n## ${title}\n\n`)
  try {
    const part = await run()
    results.push(...part.results)
    sources.push(...(part.sources ?? []))
    process.stdout.write(`${part.text}\n`)
  } catch (thrown) {
    if (!(thrown instanceof DataProblem)) throw thrown
    process.stdout.write(`Left out. ${thrown.message}\n`)
  }
}

if (values.json !== undefined)
  writeReport(values.json, {
    command: commandLine('bench:prediction'),
    seed,
    data: sources,
    settings: { simulations: Number(values.simulations), folds: Number(values.folds), target: 1_638_400 },
    baselines: 'in the results, beside each figure',
    results,
    seconds: (performance.now() - startedAt) / 1000,
    version: packageVersion(),
  })
