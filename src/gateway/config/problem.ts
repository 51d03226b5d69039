import { BursarError } from '../../errors/index.js'

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** Where: `models.fast.deployments[0].provider`; empty for the file as a whole. */
  readonly path: string
  /** What was found, what was expected, and maybe what was meant. Never holds a secret or a value from the environment. */
  readonly message: string
  /** Line and column in the YAML text, from 1. */
  readonly line?: number | undefined
  readonly column?: number | undefined
}

/** A configuration that can't be used, with everything that is wrong with it. */
export class InvalidConfiguration extends BursarError {
  override name = 'InvalidConfiguration'

  constructor(
    /** The file, or what else the configuration came from. */
    readonly source: string,
    readonly problems: readonly ConfigProblem[],
    cause?: unknown,
  ) {
    super([`${source} can't be used:`, ...problems.map((problem) => `  ${problemText(problem)}`)].join('\n'), {
      code: 'invalid_configuration',
      status: 500,
      path: problems[0]?.path,
      cause,
    })
  }
}

/** `line 4: server.port: expected a whole number, got "x"` */
export function problemText({ path, message, line }: ConfigProblem): string {
  return `${line === undefined ? '' : `line ${line}: `}${path === '' ? '' : `${path}: `}${message}`
}

/** A place in the data. */
export type Path = readonly (string | number)[]

/** `['models', 'gpt-4.1', 'deployments', 0]` as `models["gpt-4.1"].deployments[0]`. */
export function pathText(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`
    else text += `[${JSON.stringify(part)}]`
  }
  return text
}

/** The value at a path, or `undefined`. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Readonly<Record<string | number, unknown>>)[part]
  }
  return value
}

/** A mapping, as opposed to a list, a scalar or nothing. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
