import { existsSync } from 'node:fs'
import type { ModelFacts } from '../catalog/index.js'
import type { Provider } from '../environment/index.js'
import {
  discoverConfig,
  inspectConfig,
  loadConfig,
  loopbackProbe,
  type Config,
  type Environment,
  type LedgerHealth,
  type Probe,
} from '../gateway/index.js'

/** What a configuration becomes, without a server around it. */
export interface Inspection {
  readonly providers: ReadonlyMap<string, Provider>
  /** Models that callers may name: aliases first, then what each provider declares or the catalog knows of it. */
  models(): readonly { readonly id: string; readonly facts: ModelFacts; readonly deployments: readonly string[] }[]
  /** What picks for `model: auto`; absent where a test has none. */
  readonly router?: { problems(): readonly string[] }
  /** What looks like a mistake in the settings of the live proof; absent where a test has none. */
  proofProblems?(): readonly string[]
  /** Whether the ledger could be opened. */
  ledger(): Promise<readonly LedgerHealth[]>
  close(): Promise<void>
}

/** What the commands that look at a configuration need from outside. */
export interface InspectionDependencies {
  readonly env: Environment
  /** Builds the providers of a configuration, as the gateway does. */
  open(config: Config): Promise<Inspection>
  /** Looks for servers on this machine, where there is no configuration file. */
  readonly probe?: Probe | undefined
  /** To standard output: results. */
  print(text: string): void
  /** To standard error: progress and notes. */
  report(text: string): void
  setExitCode(code: number): void
  /** Characters of a line. */
  readonly width: number
  /** Unix seconds. */
  now(): number
}

/** The process itself. */
export function processDependencies(): InspectionDependencies {
  return {
    env: process.env,
    open: inspectConfig,
    print: (text) => void process.stdout.write(text),
    report: (text) => void process.stderr.write(text),
    setExitCode: (code) => void (process.exitCode = code),
    width: Math.max(80, process.stdout.columns ?? 80),
    now: () => Date.now() / 1000,
  }
}

/** The file that a command uses when none is named, where it is there. */
export const USUAL_FILE = 'bursar.yaml'

export interface FoundConfig {
  /** `undefined` when there is no file. */
  readonly file: string | undefined
  readonly config: Config
  readonly warnings: readonly string[]
  /** What was found in the environment and on this machine, where there is no file. */
  readonly notes: readonly string[]
}

/** The configuration that `serve` would use. Throws `InvalidConfiguration`. */
export async function findConfig(
  named: string | undefined,
  { env, probe = loopbackProbe }: Pick<InspectionDependencies, 'env' | 'probe'>,
): Promise<FoundConfig> {
  const file = named ?? (existsSync(USUAL_FILE) ? USUAL_FILE : undefined)
  if (file !== undefined) return { file, ...loadConfig(file, env), notes: [] }
  return { file: undefined, warnings: [], ...(await discoverConfig(env, probe)) }
}
