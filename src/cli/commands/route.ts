import type { Command } from 'commander'
import { decideOnly, inspectConfig, type Config, type Router } from '../../gateway/index.js'
import { findConfig, processDependencies, USUAL_FILE, type InspectionDependencies } from '../inspection.js'
import { wrap } from '../table.js'

type RouteDependencies = Omit<InspectionDependencies, 'open'> & {
  /** Builds what decides, with what it has learned so far. */
  open(config: Config): Promise<{ readonly router: Router; close(): Promise<void> }>
}

interface RouteOptions {
  readonly config?: string
  readonly objective?: string
  readonly lambda?: string
  readonly qualityFloor?: string
  readonly maxCost?: string
  readonly maxLatency?: string
  readonly json?: boolean
}

/** Options that are headers of a request. */
const headersOf: Readonly<Record<string, keyof RouteOptions>> = {
  'x-bursar-lambda': 'lambda',
  'x-bursar-quality-floor': 'qualityFloor',
  'x-bursar-max-cost': 'maxCost',
  'x-bursar-max-latency': 'maxLatency',
}

/** `bursar route`: which arm a question would get, and why. */
export function routeCommand(
  program: Command,
  deps: RouteDependencies = { ...processDependencies(), open: (config) => inspectConfig(config, { learned: true }) },
): void {
  program
    .command('route')
    .description('Tell which model a question would be given to, and why, without calling any.')
    .argument('<question>', 'what a caller would ask')
    .option('-c, --config <file>', `configuration file (default: ${USUAL_FILE} in this folder, if there is one)`)
    .option('--objective <name>', 'cheap, balanced, best, or a name of routing.objectives')
    .option('--lambda <dollars>', 'what a right answer is worth more than a wrong one; dollars')
    .option('--quality-floor <share>', "least expected quality, as a share of the reference's")
    .option('--max-cost <dollars>', 'most that the answer may be expected to cost; dollars')
    .option('--max-latency <seconds>', 'longest that it may be expected to take; seconds')
    .option('--json', 'print the decision as JSON')
    .action(async (question: string, options: RouteOptions) => {
      const { config } = await findConfig(options.config, deps)
      const opened = await deps.open(config)
      try {
        const headers: Record<string, string> = {}
        for (const [header, option] of Object.entries(headersOf)) {
          const value = options[option]
          if (typeof value === 'string') headers[header] = value
        }
        const model = options.objective === undefined ? 'auto' : `auto:${options.objective}`
        const decided = await decideOnly(opened.router, question, model, headers, deps.width)
        if (options.json === true) return deps.print(`${JSON.stringify(decided, null, 2)}\n`)
        const { category, difficulty, inputTokens } = decided
        const said = [
          ...(category === null ? [] : [`category ${category}`]),
          ...(difficulty === null ? [] : [`difficulty ${difficulty.toFixed(2)}`]),
          ...(inputTokens === null ? [] : [`about ${Math.round(inputTokens)} input tokens`]),
        ]
        deps.print(`${decided.explanation.join('\n')}\n`)
        deps.print(`${wrap(`The question: ${said.join(', ')}. Nothing was called.`, deps.width).join('\n')}\n`)
      } finally {
        await opened.close()
      }
    })
}
