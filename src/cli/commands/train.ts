import type { Command } from 'commander'
import { BursarError } from '../../errors/index.js'
import { DEFAULT_KIND, inspectConfig, trainState, type Config, type Router, type TrainReport } from '../../gateway/index.js'
import { findConfig, processDependencies, USUAL_FILE, type InspectionDependencies } from '../inspection.js'
import { table } from '../table.js'

type TrainDependencies = Omit<InspectionDependencies, 'open'> & {
  open(config: Config): Promise<{ readonly router: Router; close(): Promise<void> }>
}

/** `bursar train`: learns from an outcome table what arms give and take, for `routing.predictor.state`. */
export function trainCommand(
  program: Command,
  deps: TrainDependencies = { ...processDependencies(), open: (config) => inspectConfig(config) },
): void {
  program
    .command('train')
    .description('Learn from an outcome table which models answer what, and write it as a state file for routing.predictor.state.')
    .requiredOption('--from <file>', 'outcome table: JSON Lines, also gzipped')
    .requiredOption('--out <file>', 'state file to write; one that is there is replaced')
    .option('-c, --config <file>', `configuration file (default: ${USUAL_FILE} in this folder, if there is one)`)
    .option('--kind <name>', `kind of predictor (default: routing.predictor.kind, else ${DEFAULT_KIND})`)
    .option('--seed <number>', 'seed of the training (default: routing.predictor.seed)')
    .option('--json', 'print the result as JSON')
    .action(
      async (options: {
        readonly from: string
        readonly out: string
        readonly config?: string
        readonly kind?: string
        readonly seed?: string
        readonly json?: boolean
      }) => {
        const { config } = await findConfig(options.config, deps)
        const opened = await deps.open(config)
        try {
          const report = await trainState(opened.router, config.routing, {
            from: options.from,
            out: options.out,
            kind: options.kind,
            seed: seedOf(options.seed),
            onRows: (rows) => deps.report(`${rows} rows read\n`),
          })
          deps.print(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : reportText(report, deps.width))
        } finally {
          await opened.close()
        }
      },
    )
}

function seedOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const seed = Number(text)
  if (/^\d{1,10}$/.test(text) && seed < 2 ** 32) return seed
  throw new BursarError(`--seed: a whole number from 0 to ${2 ** 32 - 1} was expected, not "${text}".`, {
    code: 'invalid_request',
    status: 400,
    path: 'seed',
  })
}

function reportText({ rows, arms, kind, seed, file, bytes }: TrainReport, width: number): string {
  const lines = table(
    [
      { title: 'ARM', cut: 'middle', least: 20 },
      { title: 'OUTCOMES', align: 'right' },
      { title: 'QUALITY', align: 'right' },
      { title: 'CONFIGURED' },
    ],
    arms.map(({ arm, outcomes, quality, known }) => [
      arm,
      String(outcomes),
      quality === null ? '?' : quality.toFixed(3),
      known ? 'yes' : 'no',
    ]),
    width,
  )
  return `${lines}\n${rows} rows, predictor ${kind}, seed ${seed}. Wrote ${file} (${bytes} bytes).\nUse it with routing.predictor: {kind: ${kind}, state: ${file}}.\n`
}
